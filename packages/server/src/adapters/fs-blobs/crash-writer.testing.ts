// Writes blobs until it is killed, and says of each that it is there only when it is: run by crash.test.ts as a process of its own.
import { randomUUID } from "node:crypto";
import { writeSync } from "node:fs";
import { openFsBlobStore } from "./index.ts";
import { selfDescribing } from "./self-describing.testing.ts";

const store = await openFsBlobStore({ folder: process.argv[2] ?? "" });
const writer = async (): Promise<never> => {
  for (;;) {
    const id = randomUUID();
    await store.write(id, selfDescribing(id));
    // Not buffered: what is said is said before the next thing happens.
    writeSync(1, `${id}\n`);
  }
};
await Promise.all(Array.from({ length: 8 }, writer));

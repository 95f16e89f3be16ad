import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { freePort } from "@mainstay/testing";
import { expect, it } from "vitest";

it("says in one line what to do when no server runs", async () => {
  const url = `http://127.0.0.1:${await freePort()}`;
  const demo = spawn(process.execPath, [join(import.meta.dirname, "demo.ts"), "--url", url, "--key", "any"]);
  const [said, told] = [text(demo.stderr), text(demo.stdout)];
  const [code] = await once(demo, "close");
  expect({ code, said: await said, told: await told }).toEqual({
    code: 1,
    said: `No server answers at ${url}: run \`npm start\` in another terminal, then this again.\n`,
    told: "",
  });
});

// Writes objects until it is killed, and says of each what it is, and that it is there only when it is: run by kill.pg.test.ts as a process of its own.
import { randomUUID } from "node:crypto";
import { writeSync } from "node:fs";
import pg from "pg";
import { bytesOf, inChunks, keepingText, md5, newVersion, openContentNode } from "./testing.ts";

const [url = "", folder = ""] = process.argv.slice(2);
const node = await openContentNode({ url, folder }, { storageWriterLeaseMs: 1_000, storageReadGraceMs: 0 });
// Not buffered: what is said is said before the next thing happens.
const say = (...words: readonly string[]) => writeSync(1, `${words.join(" ")}\n`);

async function write(): Promise<never> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  for (;;) {
    const parts = Array.from({ length: 1 + Math.floor(Math.random() * 3) }, () =>
      bytesOf(Math.floor(Math.random() * 60_000)),
    );
    const all = Buffer.concat(parts);
    const version = await node.content.begin(newVersion({ leaseMs: 1_000, ownerId: "writer" }));
    say("begun", version, md5(all));
    for (const [position, part] of parts.entries()) {
      await node.content.append(version, { source: inChunks(part), limitBytes: 1e6, position });
    }
    await node.content.complete(version);
    await client.query(keepingText(version, all.length, "writer"));
    say("kept", version);
    const fate = Math.random();
    if (fate < 0.2) {
      say("dropping", version);
      await client.query("delete from storage.objects where version = $1", [version]);
      say("dropped", version);
    } else if (fate < 0.4) {
      const copy = await node.content.copy(version, newVersion({ leaseMs: 1_000, ownerId: "writer" }));
      say("begun", copy, md5(all));
      await client.query(keepingText(copy, all.length, "writer"));
      say("kept", copy);
    }
  }
}

async function sweep(): Promise<never> {
  for (;;) {
    await node.sweeper.sweep();
    await new Promise((resolve) => setTimeout(resolve, Math.random() * 20));
  }
}

say("ready", randomUUID());
await Promise.all([write(), write(), write(), sweep()]);

import { spawn } from "node:child_process";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { openFsBlobStore } from "./index.ts";
import { isWhole } from "./self-describing.testing.ts";

const program = fileURLToPath(new URL("./crash-writer.testing.ts", import.meta.url));

/** Each writer is killed at another moment. */
const rounds = Number(process.env.MAINSTAY_CRASH_ROUNDS ?? 25);

/** Starts a writer, kills it (SIGKILL) some moments after its first blob. @returns what it said was there */
async function writeUntilKilled(folder: string, afterMs: number): Promise<string[]> {
  const writer = spawn(process.execPath, [program, folder], { stdio: ["ignore", "pipe", "inherit"] });
  const ended = new Promise((resolve) => writer.once("close", resolve));
  let said = "";
  const hasBegun = new Promise<void>((resolve) => {
    writer.stdout.setEncoding("utf8").on("data", (text: string) => {
      said += text;
      resolve();
    });
  });
  await Promise.race([hasBegun, ended]);
  await setTimeout(afterMs);
  writer.kill("SIGKILL");
  await ended;
  // The last line may be half.
  return said.split("\n").slice(0, -1);
}

test("S11: a writer killed again and again in the middle leaves no half blob to be read, and loses none it has told of", {
  timeout: 180_000,
}, async () => {
  const folder = await mkdtemp(join(tmpdir(), "objects-"));
  const store = await openFsBlobStore({ folder });
  const told = new Set<string>();
  for (let round = 0; round < rounds; round += 1) {
    for (const id of await writeUntilKilled(folder, (round * 7) % 60)) told.add(id);
  }
  expect(told.size).toBeGreaterThan(100);
  const halves = await readdir(join(folder, ".writing"));
  // Otherwise no kill has hit a write, and nothing was tried.
  expect(halves.length).toBeGreaterThan(0);
  const listed = new Set<string>();
  for await (const { id } of store.list()) {
    listed.add(id);
    expect(isWhole(id, (await store.readWhole(id))!), id).toBe(true);
  }
  expect([...told].filter((id) => !listed.has(id))).toEqual([]);
  for (const half of halves) {
    const id = half.slice(0, 36);
    if (!listed.has(id)) expect(await store.read(id)).toBeNull();
  }
  expect(await store.removeLeftovers(-60_000)).toBe(halves.length);
  expect(await readdir(join(folder, ".writing"))).toEqual([]);
  await rm(folder, { recursive: true });
});

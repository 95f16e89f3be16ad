import { mkdir, readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type Clock, systemClock } from "../../../kernel/clock.ts";
import { migrationProblems } from "./problems.ts";

/**
 * Creates an empty migration named by the time in UTC, `20261121093000_add_places.sql`, and the folder if need be.
 * @returns the absolute path when `dir` is
 * @throws Problem `migrations/bad-name` when nothing of the name is left as letters and digits
 */
export async function newMigration(dir: string, name: string, clock: Clock = systemClock): Promise<string> {
  const word = name
    .trim()
    .toLowerCase()
    .replace(/[^\p{Letter}\p{Number}]+/gu, "_")
    .replace(/^_+|_+$/g, "");
  if (word === "") throw migrationProblems.badName();
  await mkdir(dir, { recursive: true });
  // Two in one second must not share a version: the second one takes the next.
  for (let timeMs = clock.nowMs(); ; timeMs += 1000) {
    const version = new Date(timeMs).toISOString().replace(/\D/g, "").slice(0, 14);
    const path = join(dir, `${version}_${word}.sql`);
    if (await isTaken(dir, version)) continue;
    await writeFile(path, "", { flag: "wx" });
    return path;
  }
}

async function isTaken(dir: string, version: string): Promise<boolean> {
  return (await readdir(dir)).some((file) => file.startsWith(`${version}_`));
}

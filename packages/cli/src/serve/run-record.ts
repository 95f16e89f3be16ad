import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** Which process serves a project, and where: `.mainstay/server.json`, written while `dev` or `start` runs. */
export interface RunRecord {
  readonly pid: number;
  readonly url: string;
  /** ISO 8601. */
  readonly startedAt: string;
}

const pathOf = (dataDir: string): string => join(dataDir, "server.json");

/** Writes the record; the returned function removes it, if it is still ours. */
export function keepRunRecord(dataDir: string, url: string): () => void {
  const record: RunRecord = { pid: process.pid, url, startedAt: new Date().toISOString() };
  mkdirSync(dataDir, { recursive: true, mode: 0o700 });
  writeFileSync(pathOf(dataDir), `${JSON.stringify(record)}\n`, { mode: 0o600 });
  return () => {
    if (readRunRecord(dataDir)?.pid === process.pid) rmSync(pathOf(dataDir), { force: true });
  };
}

/** Who serves this project now. `null` when nobody does: a record left by a process that is gone does not count. */
export function readRunRecord(dataDir: string): RunRecord | null {
  try {
    const record = JSON.parse(readFileSync(pathOf(dataDir), "utf8")) as RunRecord;
    process.kill(record.pid, 0);
    return record;
  } catch (error) {
    // EPERM: it lives, and belongs to another user.
    const isAlive = error instanceof Error && "code" in error && error.code === "EPERM";
    return isAlive ? (JSON.parse(readFileSync(pathOf(dataDir), "utf8")) as RunRecord) : null;
  }
}

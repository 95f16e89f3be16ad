import { readFileSync } from "node:fs";
import { join } from "node:path";

/** What a postmaster says of itself in `postmaster.pid` (PostgreSQL's miscadmin.h names the lines). */
export interface PostmasterFile {
  readonly pid: number;
  /** As the postmaster was told it: may be relative to where it was started. */
  readonly dataDir: string;
  /** Unix seconds. */
  readonly startedAtSeconds: number;
  readonly port: number;
  /** `starting`, `stopping`, `ready` or `standby`; `""` before the first. */
  readonly status: string;
}

/** Reads `postmaster.pid`. `null` when there is none; a half-written one gives pid 0. */
export function readPostmasterFile(data: string): PostmasterFile | null {
  let text: string;
  try {
    text = readFileSync(join(data, "postmaster.pid"), "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return null;
    throw error;
  }
  return parsePostmasterFile(text);
}

export function parsePostmasterFile(text: string): PostmasterFile {
  const lines = text.split("\n");
  const number = (index: number): number => (/^-?\d+$/.test(lines[index] ?? "") ? Number(lines[index]) : 0);
  return {
    // A stand-alone backend writes its pid negative.
    pid: Math.abs(number(0)),
    dataDir: lines[1] ?? "",
    startedAtSeconds: number(2),
    port: number(3),
    status: (lines[7] ?? "").trim(),
  };
}

import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync, readlinkSync, statSync } from "node:fs";
import { basename } from "node:path";

/**
 * Who a pid is. A pid alone says nothing: it is reused, and sooner than one thinks in a container, where every boot
 * counts from 1 (threat X16). On Linux /proc tells; elsewhere `ps` tells less.
 */
export interface ProcessIdentity {
  readonly pid: number;
  /** Differs for a later process of the same pid. `null` where the system does not say. */
  readonly startedAt: string | null;
}

/** The process now running as `pid`, or `null`: a zombie has ended. */
export function identify(pid: number): ProcessIdentity | null {
  if (process.platform === "linux") {
    const stat = linuxStat(pid);
    return stat === null || stat.state === "Z" || stat.state === "X" ? null : { pid, startedAt: stat.startedAt };
  }
  if (!isAlive(pid)) return null;
  return { pid, startedAt: process.platform === "win32" ? null : ps(pid, "lstart") };
}

/** Whether that very process still runs. */
export function isSameProcess(known: ProcessIdentity): boolean {
  const now = identify(known.pid);
  return now !== null && (known.startedAt === null || now.startedAt === known.startedAt);
}

/** The program's name as the system shows it; `null` when it cannot be seen. */
export function programOf(pid: number): string | null {
  if (process.platform !== "linux") return process.platform === "win32" ? null : ps(pid, "comm");
  try {
    return basename(readlinkSync(`/proc/${pid}/exe`).replace(/ \(deleted\)$/, ""));
  } catch {
    return read(`/proc/${pid}/comm`)?.trim() ?? null;
  }
}

/** Whether `pid` has `dir` as its working directory, told by inode and not by name; `null` when it cannot be seen. */
export function worksIn(pid: number, dir: string): boolean | null {
  if (process.platform !== "linux") return null;
  try {
    const theirs = statSync(`/proc/${pid}/cwd`);
    const ours = statSync(dir);
    return theirs.dev === ours.dev && theirs.ino === ours.ino;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "ENOENT" ? false : null;
  }
}

/** Every PostgreSQL process that works in `dir`: the postmaster and what it forked. Empty where there is no /proc. */
export function postgresProcessesIn(dir: string): number[] {
  if (process.platform !== "linux") return [];
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => worksIn(pid, dir) === true && identify(pid) !== null && isPostgres(pid));
}

/** Processor time used so far by all PostgreSQL processes in `dir`, in clock ticks: it grows while work is done. */
export function processorTicksIn(dir: string): number {
  return postgresProcessesIn(dir).reduce((sum, pid) => sum + (linuxStat(pid)?.ticks ?? 0), 0);
}

export function isPostgres(pid: number): boolean {
  return /^postgres|^postmaster/.test(programOf(pid) ?? "");
}

function linuxStat(pid: number): { state: string; startedAt: string; ticks: number } | null {
  const stat = read(`/proc/${pid}/stat`);
  if (stat === null) return null;
  // The second field is the name in brackets and may hold anything, brackets and spaces too (proc_pid_stat(5)).
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return { state: fields[0]!, startedAt: fields[19]!, ticks: Number(fields[11]) + Number(fields[12]) };
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}

function ps(pid: number, column: string): string | null {
  try {
    return basename(execFileSync("ps", ["-o", `${column}=`, "-p", String(pid)], { encoding: "utf8" }).trim()) || null;
  } catch {
    return null;
  }
}

function read(path: string): string | null {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return null;
  }
}

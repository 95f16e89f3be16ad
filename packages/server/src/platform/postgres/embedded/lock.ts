import { randomBytes } from "node:crypto";
import {
  linkSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { problems } from "./problems.ts";
import { identify, isSameProcess } from "./process-identity.ts";

/**
 * The hold of one process on one data folder. PostgreSQL's own `postmaster.pid` is not enough: it is written after much
 * has been decided (initialise, adopt, restart), and it believes any living process of that pid.
 *
 * Holds are numbered files, `hold-7.json`; the highest counts. A file is made complete and then linked to its name, which
 * only one can do; who finds the highest one's holder dead takes the next number. Numbers only grow, so a slow starter that still believes in an
 * old number loses. Within one machine the holder is known by pid, start time and boot; across machines or pid namespaces (containers on one
 * volume), where a pid means nothing, by a heartbeat.
 */
export interface FolderLock {
  release(): void;
}

interface Holder {
  readonly pid: number;
  readonly startedAt: string | null;
  readonly host: string;
  /** The running system and its pid namespace: where a pid has a meaning. */
  readonly realm: string;
  /** The folder itself by inode: a copied folder holds a copied lock, which is nobody's. */
  readonly folder: string;
  readonly since: string;
  readonly isReleased: boolean;
}

const HEARTBEAT_MS = 2_000;
/** Silence that no difference between two clocks explains. */
const SURELY_DEAD_MS = 15 * 60_000;
const pattern = /^hold-(\d+)\.json$/;

/** @throws Problem `postgres/folder-in-use` naming who holds it. */
export async function lockFolder(home: string, patienceMs: number, signal?: AbortSignal): Promise<FolderLock> {
  for (;;) {
    const highest = highestHold(home);
    if (highest > 0) await refuseIfHeld(home, highest, patienceMs, signal);
    const number = highest + 1;
    const path = holdPath(home, number);
    if (!claim(home, path)) continue;
    if (highestHold(home) > number) {
      rmSync(path, { force: true });
      continue;
    }
    for (const older of holds(home)) if (older < number) rmSync(holdPath(home, older), { force: true });
    return keep(path);
  }
}

function keep(path: string): FolderLock {
  const heartbeat = setInterval(() => {
    try {
      const now = new Date();
      utimesSync(path, now, now);
    } catch {
      // The folder is gone or read-only; nobody can take it over in that state either.
    }
  }, HEARTBEAT_MS).unref();
  return {
    release() {
      clearInterval(heartbeat);
      try {
        // Not removed: numbers must go on growing.
        writeFileSync(path, JSON.stringify({ ...(readHolder(path) as Holder), isReleased: true }));
      } catch {
        // The folder was removed under us.
      }
    },
  };
}

async function refuseIfHeld(home: string, number: number, patienceMs: number, signal?: AbortSignal): Promise<void> {
  const path = holdPath(home, number);
  const holder = readHolder(path);
  if (holder === null || holder.isReleased || holder.folder !== folderIdentity(home)) return;
  if (holder.realm === realm()) {
    if (!isSameProcess(holder)) return;
    if (holder.startedAt !== null) throw problems.folderInUse(home, holder);
  }
  const beat = modifiedAt(path);
  if (beat === null || Date.now() - beat > SURELY_DEAD_MS) return;
  // Otherwise the beat is only compared with itself: clocks of two hosts, or of a file server, need not agree.
  const step = Math.min(HEARTBEAT_MS, patienceMs);
  for (let waited = 0; waited < patienceMs; waited += step) {
    await delay(step, undefined, signal === undefined ? {} : { signal });
    if (modifiedAt(path) !== beat) throw problems.folderInUse(home, holder);
  }
}

/** Makes the hold complete under a name of its own, then gives it its number; false when somebody has that already. */
function claim(home: string, path: string): boolean {
  const self = identify(process.pid);
  const holder: Holder = {
    pid: process.pid,
    startedAt: self?.startedAt ?? null,
    host: hostname(),
    realm: realm(),
    folder: folderIdentity(home),
    since: new Date().toISOString(),
    isReleased: false,
  };
  const draft = join(home, `hold-${randomBytes(8).toString("hex")}.draft`);
  try {
    writeFileSync(draft, JSON.stringify(holder), { mode: 0o600, flag: "wx" });
    linkSync(draft, path);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") return false;
    throw error;
  } finally {
    rmSync(draft, { force: true });
  }
}

function holds(home: string): number[] {
  return readdirSync(home).flatMap((name) => {
    const match = pattern.exec(name);
    return match === null ? [] : [Number(match[1])];
  });
}

const highestHold = (home: string): number => Math.max(0, ...holds(home));
const holdPath = (home: string, number: number): string => join(home, `hold-${number}.json`);

function readHolder(path: string): Holder | null {
  try {
    return JSON.parse(readFileSync(path, "utf8")) as Holder;
  } catch {
    // Taken over and removed a moment ago, or cut short by a crash of the machine: either way nobody's.
    return null;
  }
}

function modifiedAt(path: string): number | null {
  return statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? null;
}

function folderIdentity(home: string): string {
  // Without the device's number: that differs between two hosts that share a folder.
  return String(statSync(home, { bigint: true }).ino);
}

function realm(): string {
  if (process.platform !== "linux") return hostname();
  try {
    return `${readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim()} ${readlinkSync("/proc/self/ns/pid")}`;
  } catch {
    return hostname();
  }
}

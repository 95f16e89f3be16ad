import { chmodSync, mkdtempSync, readFileSync, rmSync, statfsSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const memoryFolder = "/dev/shm";
/** A run takes half a gibibyte at most. */
const neededBytes = 4 * 2 ** 30;

/**
 * Makes one folder for all that a run of the tests writes, and `tmpdir()` that folder, here and in every process begun from here; it goes with this one.
 * In memory, where there is plenty: hundreds of databases come and go, and a disk's file system takes its time over each of their files.
 */
export function openRunFolder(): void {
  const dir = mkdtempSync(join(hasPlentyOfMemory() ? memoryFolder : tmpdir(), "mainstay-run-"));
  // PostgreSQL runs as another user where this is root, and may pass.
  chmodSync(dir, 0o711);
  process.env.TMPDIR = dir;
  process.once("exit", () => rmSync(dir, { recursive: true, force: true, maxRetries: 3 }));
}

/** Whoever has said where temporary files go knows why. */
function hasPlentyOfMemory(): boolean {
  if (process.platform !== "linux" || process.env.TMPDIR || process.availableMemory() < 2 * neededBytes) return false;
  try {
    const { bavail, bsize } = statfsSync(memoryFolder);
    const mount = readFileSync("/proc/self/mounts", "utf8")
      .split("\n")
      .find((line) => line.split(" ")[1] === memoryFolder);
    return bavail * bsize >= neededBytes && mount !== undefined && !/\bnoexec\b/.test(mount);
  } catch {
    return false;
  }
}

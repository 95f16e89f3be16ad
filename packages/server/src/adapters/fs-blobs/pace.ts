import { statfs } from "node:fs/promises";

/**
 * Whether the disk answers at once, so that small reads need not leave this thread. From the page cache a read of 10 KB takes 10 µs here, and
 * 27 µs of two processors by the thread pool; and that pool's four threads are shared with password hashes and images of 50 ms each. But a
 * read that waits on this thread makes everybody wait: after one slow read all go to the pool for a while, and those of network file systems always do.
 */
export interface Pace {
  isQuick(): boolean;
  /** How long a read on this thread took, in ms. */
  took(ms: number): void;
}

/** A disk that takes longer than this for some kilobytes is busy, or turns. In ms. */
const slowMs = 5;
/** For how long the pool is used after that, in ms. */
const restMs = 10_000;

export function createPace(isLocal: boolean, now: () => number = performance.now.bind(performance)): Pace {
  let quickFrom = 0;
  return {
    isQuick: () => isLocal && now() >= quickFrom,
    took(ms) {
      if (ms > slowMs) quickFrom = now() + restMs;
    },
  };
}

/** File systems of Linux on disks of this machine, by the magic numbers of `statfs(2)`. What is not on the list may be a network. */
const localTypes: ReadonlySet<number> = new Set([
  0xef53, // ext2, ext3, ext4
  0x5846_5342, // xfs
  0x9123_683e, // btrfs
  0x0102_1994, // tmpfs
  0x794c_7630, // overlayfs
  0x2fc1_2fc1, // zfs
  0xf2f5_2010, // f2fs
]);

export async function isLocalFolder(path: string): Promise<boolean> {
  if (process.platform !== "linux") return false;
  // A type is a signed number on some machines.
  return localTypes.has((await statfs(path)).type >>> 0);
}

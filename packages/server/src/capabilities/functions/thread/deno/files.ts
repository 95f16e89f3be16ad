import { readFile, readFileSync, type Stats, stat, statSync } from "node:fs";
import { promisify } from "node:util";
import { denoError } from "./errors.ts";

/** Reading, as far as the process may read: what lies beside the functions. */
export const files = {
  readFile: (path: string | URL) => asked(async () => new Uint8Array(await promisify(readFile)(path))),
  readTextFile: (path: string | URL) => asked(async () => await promisify(readFile)(path, "utf8")),
  readFileSync: (path: string | URL) => askedAtOnce(() => new Uint8Array(readFileSync(path))),
  readTextFileSync: (path: string | URL) => askedAtOnce(() => readFileSync(path, "utf8")),
  stat: (path: string | URL) => asked(async () => infoOf(await promisify(stat)(path))),
  statSync: (path: string | URL) => askedAtOnce(() => infoOf(statSync(path))),
  cwd: (): string => process.cwd(),
};

const infoOf = (stats: Stats) => ({
  isFile: stats.isFile(),
  isDirectory: stats.isDirectory(),
  isSymlink: stats.isSymbolicLink(),
  size: stats.size,
  mtime: stats.mtime,
  atime: stats.atime,
  birthtime: stats.birthtime,
});

async function asked<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw denoError(error);
  }
}

function askedAtOnce<T>(work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw denoError(error);
  }
}

import { constants } from "node:fs";
import { type FileHandle, open, realpath } from "node:fs/promises";
import { join, sep } from "node:path";
import type { ByteRange } from "../ports.ts";
import type { SiteFile, SiteSource } from "./types.ts";

/** Files up to here are read in one go. */
const wholeBytes = 65_536;
const chunkBytes = 262_144;
/** Not there, a folder on the way that is none, names too long, loops of links, no rights. */
const isAbsence = (error: unknown): boolean =>
  ["ENOENT", "ENOTDIR", "ENAMETOOLONG", "ELOOP", "EACCES", "EPERM", "ENXIO"].includes(
    (error as NodeJS.ErrnoException).code ?? "",
  );

/** The files of a folder. What a link leads out of it is not there; pipes, sockets and devices neither. */
export function folderSource(folder: string): SiteSource {
  return {
    async find(path) {
      let file: FileHandle | null = null;
      try {
        const root = await realpath(folder);
        const place = await realpath(join(root, path));
        if (!place.startsWith(root + sep)) return null;
        // Where a link takes its place meanwhile it is not followed, and a pipe does not make us wait.
        file = await open(place, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
        const stat = await file.stat({ bigint: true });
        if (stat.isFile()) {
          const found = siteFile(file, Number(stat.size), stat.mtimeNs);
          file = null;
          return found;
        }
        return null;
      } catch (error) {
        if (isAbsence(error)) return null;
        throw error;
      } finally {
        await file?.close();
      }
    },
  };
}

function siteFile(file: FileHandle, sizeBytes: number, modifiedNs: bigint): SiteFile {
  return {
    sizeBytes,
    etag: `"${modifiedNs.toString(36)}-${sizeBytes.toString(36)}"`,
    lastModifiedMs: Number(modifiedNs / 1_000_000n),
    contentType: null,
    contentEncoding: null,
    cacheControl: null,
    async read(range, call) {
      const { from, to } = range ?? { from: 0, to: sizeBytes };
      if (to - from > wholeBytes) return chunks(file, { from, to }, call.signal);
      try {
        const bytes = Buffer.allocUnsafe(to - from);
        const { bytesRead } = await file.read(bytes, 0, bytes.length, from);
        return bytes.subarray(0, bytesRead);
      } finally {
        await file.close();
      }
    },
    close: () => file.close(),
  };
}

/** An iterator that also gives the file back when nothing was taken of it: a generator would not. */
function chunks(file: FileHandle, { from, to }: ByteRange, signal: AbortSignal): AsyncIterableIterator<Buffer> {
  let position = from;
  let isOpen = true;
  const end = async (): Promise<IteratorResult<Buffer>> => {
    if (isOpen) {
      isOpen = false;
      await file.close();
    }
    return { done: true, value: undefined };
  };
  return {
    [Symbol.asyncIterator]() {
      return this;
    },
    async next() {
      if (position >= to || !isOpen) return end();
      try {
        signal.throwIfAborted();
        const bytes = Buffer.allocUnsafe(Math.min(chunkBytes, to - position));
        const { bytesRead } = await file.read(bytes, 0, bytes.length, position);
        if (bytesRead === 0) return await end(); // it became shorter: the reply is cut, since it said its length
        position += bytesRead;
        return { done: false, value: bytes.subarray(0, bytesRead) };
      } catch (error) {
        await end();
        throw error;
      }
    },
    return: end,
  };
}

import { randomBytes } from "node:crypto";
import { constants } from "node:fs";
import { copyFile, type FileHandle, link, open, readdir, rename, stat, unlink } from "node:fs/promises";
import { join } from "node:path";
import { untilAborted } from "../blobs/until-aborted.ts";
import { codeOf, failureOf } from "./failure.ts";
import { type Folders, syncFolder } from "./folders.ts";
import type { Layout, Place } from "./layout.ts";
import type { Marker } from "./marker.ts";

/** Small chunks are written together: a call of the system costs more than they do. Twice this is the memory of a write, in bytes. */
const batchBytes = 512 * 1024;
/** The first batch, in bytes: most files are small. */
const firstBatchBytes = 32 * 1024;
/** Readable and writable by this user alone. */
const fileMode = 0o600;

export interface FsWriter {
  write(id: string, source: AsyncIterable<Uint8Array>, signal?: AbortSignal): Promise<number>;
  copy(from: string, to: string): Promise<boolean>;
  removeLeftovers(olderThanMs: number): Promise<number>;
}

/**
 * A blob is written beside the others, brought to disk, given its name, and its folder's list of names is brought to disk: only then is it there. A
 * process or a machine that stops between any two of these leaves a blob that is whole, or none.
 */
export function createWriter(layout: Layout, folders: Folders, marker: Marker): FsWriter {
  const named = async (half: string, to: Place): Promise<void> => {
    try {
      await rename(half, to.path);
    } catch (error) {
      if (codeOf(error) !== "ENOENT") throw error;
      // Somebody took the folder away, or the half file: with the folder there again, it can only be the file.
      folders.forget(to.folderNumber);
      await folders.make(to.folderNumber);
      await rename(half, to.path);
    }
    await syncFolder(to.folder);
  };
  const halfOf = (id: string): string => join(layout.writing, `${id}.${randomBytes(4).toString("hex")}`);

  /** Runs what makes a half file, names it, and takes it away when either fails. */
  const make = async <T>(to: Place, half: string, fill: () => Promise<T>): Promise<T> => {
    // Begun now, so that a new folder is on disk when the bytes are; awaited below, where its failure counts.
    const folder = folders.make(to.folderNumber);
    folder.catch(() => {});
    try {
      const filled = await fill();
      await folder;
      await named(half, to);
      return filled;
    } catch (error) {
      await unlink(half).catch(() => {});
      throw failureOf(error);
    }
  };

  return {
    async write(id, source, signal) {
      const to = layout.place(id);
      signal?.throwIfAborted();
      await marker.check();
      const half = halfOf(id);
      return make(to, half, async () => {
        const file = await open(half, "wx", fileMode);
        try {
          const sizeBytes = await pour(source, file, signal);
          await file.datasync();
          signal?.throwIfAborted();
          return sizeBytes;
        } finally {
          await file.close();
        }
      });
    },
    async copy(from, to) {
      const source = layout.place(from);
      const target = layout.place(to);
      await marker.check();
      try {
        await stat(source.path);
      } catch (error) {
        if (codeOf(error) === "ENOENT") return false;
        throw failureOf(error);
      }
      const half = halfOf(to);
      try {
        await make(target, half, () => duplicate(source.path, half));
        // Where both are names of one file already, `rename` does nothing (POSIX): the half one is still there.
        await unlink(half).catch(() => {});
        return true;
      } catch (error) {
        // Removed since.
        if (error instanceof Error && codeOf(error.cause) === "ENOENT" && (await isGone(source.path))) return false;
        throw error;
      }
    },
    async removeLeftovers(olderThanMs) {
      try {
        let removed = 0;
        for (const name of await readdir(layout.writing)) {
          const path = join(layout.writing, name);
          const found = await stat(path).catch(() => null);
          if (found === null || found.mtimeMs >= Date.now() - olderThanMs) continue;
          await unlink(path);
          removed += 1;
        }
        if (removed > 0) await syncFolder(layout.writing);
        return removed;
      } catch (error) {
        throw failureOf(error);
      }
    },
  };
}

const isGone = async (path: string): Promise<boolean> =>
  stat(path).then(
    () => false,
    (error: unknown) => codeOf(error) === "ENOENT",
  );

/** Another file system, one without links, or more names than a file can have. */
const cannotLink: ReadonlySet<string | null> = new Set(["EXDEV", "EMLINK", "EPERM", "ENOTSUP", "EOPNOTSUPP", "ENOSYS"]);

/** A second name for the same bytes, which never change; where there can be none, the bytes once more. */
async function duplicate(from: string, to: string): Promise<void> {
  try {
    await link(from, to);
    return;
  } catch (error) {
    if (!cannotLink.has(codeOf(error))) throw error;
  }
  await copyFile(from, to, constants.COPYFILE_EXCL | constants.COPYFILE_FICLONE);
  const file = await open(to, "r+");
  try {
    await file.chmod(fileMode);
    await file.datasync();
  } finally {
    await file.close();
  }
}

/**
 * Writes all that the source gives, through two buffers of its own: one is on its way to the disk while the other is filled. So memory is the same
 * whether the source gives single bytes of large pieces of memory or megabytes at once; copying 512 KB takes some 50 µs.
 * @returns how many bytes
 */
async function pour(source: AsyncIterable<Uint8Array>, file: FileHandle, signal?: AbortSignal): Promise<number> {
  let position = 0;
  let buffer: Buffer = Buffer.allocUnsafe(firstBatchBytes);
  let spare: Buffer | null = null;
  let used = 0;
  let writing: Promise<void> = Promise.resolve();
  const flush = async (isLast: boolean): Promise<void> => {
    await writing;
    writing = writeAll(file, buffer.subarray(0, used), position);
    // Its failure is seen by whoever awaits it next; until then it is nobody's.
    writing.catch(() => {});
    position += used;
    // Half a megabyte that nobody fills would be most of what a small file costs the garbage collector.
    if (isLast) return;
    const next = spare ?? Buffer.allocUnsafeSlow(batchBytes);
    spare = buffer.length === batchBytes ? buffer : null;
    [buffer, used] = [next, 0];
  };
  try {
    for await (const chunk of untilAborted(source, signal)) {
      for (let taken = 0; taken < chunk.length; ) {
        const count = Math.min(chunk.length - taken, buffer.length - used);
        buffer.set(chunk.subarray(taken, taken + count), used);
        used += count;
        taken += count;
        if (used === buffer.length) await flush(false);
      }
    }
    if (used > 0) await flush(true);
  } finally {
    // The file is closed next: not under a write that is still going on.
    await writing.catch(() => {});
  }
  await writing;
  return position;
}

async function writeAll(file: FileHandle, bytes: Buffer, position: number): Promise<void> {
  // A disk that is nearly full takes a part, and says why it does not take the rest when it is asked again.
  for (let done = 0; done < bytes.length; ) {
    const { bytesWritten } = await file.write(bytes, done, bytes.length - done, position + done);
    done += bytesWritten;
  }
}

import { close, closeSync, fstat, fstatSync, open, openSync, read, readSync } from "node:fs";
import { promisify } from "node:util";
import type { ByteRange } from "../../capabilities/storage/ports.ts";
import { problems } from "../../capabilities/storage/problems.ts";
import { codeOf, failureOf } from "./failure.ts";
import type { Pace } from "./pace.ts";

// Descriptors as numbers, without the `FileHandle` of `node:fs/promises`: an object and a finalizer for each would cost more than the read.
const openFile = promisify(open) as (path: string, flags: string) => Promise<number>;
const statFile = promisify(fstat);
const closeFile = promisify(close);

/** Bytes of one read: large enough that calls do not count, small enough that a slow client holds little. */
const chunkBytes = 256 * 1024;
/** Largest read on this thread, in bytes: from the page cache some 30 µs. */
const quickBytes = 128 * 1024;

/** An open blob, and the part of it that is wanted. Whoever has it closes it. */
export interface OpenBlob {
  readonly descriptor: number;
  readonly from: number;
  readonly to: number;
}

/** @returns `null` when there is no such file */
export async function openBlob(path: string, range: ByteRange | undefined, pace: Pace): Promise<OpenBlob | null> {
  try {
    if (pace.isQuick()) return openQuickly(path, range, pace);
    const descriptor = await openFile(path, "r");
    try {
      return { descriptor, ...wanted(range, (await statFile(descriptor)).size) };
    } catch (error) {
      await closeFile(descriptor);
      throw error;
    }
  } catch (error) {
    if (codeOf(error) === "ENOENT") return null;
    throw failureOf(error);
  }
}

function openQuickly(path: string, range: ByteRange | undefined, pace: Pace): OpenBlob {
  const startedMs = performance.now();
  const descriptor = openSync(path, "r");
  try {
    return { descriptor, ...wanted(range, fstatSync(descriptor).size) };
  } catch (error) {
    closeSync(descriptor);
    throw error;
  } finally {
    pace.took(performance.now() - startedMs);
  }
}

function wanted(range: ByteRange | undefined, sizeBytes: number): ByteRange {
  if (range === undefined) return { from: 0, to: sizeBytes };
  if (range.to > sizeBytes) throw endsEarly(sizeBytes, range);
  return range;
}

const endsEarly = (sizeBytes: number, { from, to }: ByteRange) =>
  problems.storeCorrupt(new Error(`A blob of ${sizeBytes} bytes was asked for its bytes ${from} to ${to}.`));

/** All of the open blob's part in one piece; closes it. */
export async function readAll(blob: OpenBlob, pace: Pace): Promise<Buffer> {
  const { descriptor, from, to } = blob;
  const length = to - from;
  const buffer = Buffer.allocUnsafe(length);
  if (length <= quickBytes && pace.isQuick()) {
    const startedMs = performance.now();
    try {
      let done = 0;
      while (done < length) {
        const count = readSync(descriptor, buffer, done, length - done, from + done);
        if (count === 0) throw endsEarly(from + done, blob);
        done += count;
      }
      return buffer;
    } catch (error) {
      throw failureOf(error);
    } finally {
      closeSync(descriptor);
      pace.took(performance.now() - startedMs);
    }
  }
  try {
    await fill(descriptor, buffer, from, blob);
    return buffer;
  } finally {
    closeSoon(descriptor, pace);
  }
}

/**
 * The open blob's part, a chunk after the other, with the next being read while one is used. Resolves with the first of them at hand. The file
 * is closed at the end, at a failure, when the loop is left, and when the signal says so.
 */
export async function streamOf(blob: OpenBlob, pace: Pace, signal?: AbortSignal): Promise<AsyncIterable<Buffer>> {
  const { descriptor, to } = blob;
  let position = blob.from;
  let ahead: Promise<Buffer> | null = null;
  let isClosed = false;
  const begin = (): void => {
    ahead = null;
    if (position >= to) return;
    const buffer = Buffer.allocUnsafeSlow(Math.min(chunkBytes, to - position));
    ahead = fill(descriptor, buffer, position, blob);
    // Its failure belongs to whoever asks for it; a loop that was left never does.
    ahead.catch(() => {});
    position += buffer.length;
  };
  const end = async (): Promise<void> => {
    if (isClosed) return;
    isClosed = true;
    signal?.removeEventListener("abort", end);
    // A number that is closed may be another file's a moment later: not under a read that is still going on.
    await ahead?.catch(() => {});
    closeSoon(descriptor, pace);
  };
  const endAtFailure = async <T>(work: () => Promise<T>): Promise<T> => {
    try {
      return await work();
    } catch (error) {
      await end();
      throw error;
    }
  };
  signal?.addEventListener("abort", end, { once: true });
  begin();
  await endAtFailure(async () => ahead);
  const iterator: AsyncIterator<Buffer> = {
    next: () =>
      endAtFailure(async () => {
        signal?.throwIfAborted();
        const chunk = isClosed ? null : await ahead;
        if (chunk === null) {
          await end();
          return { done: true, value: undefined };
        }
        begin();
        if (ahead === null) await end();
        return { done: false, value: chunk };
      }),
    async return() {
      await end();
      return { done: true, value: undefined };
    },
  };
  return { [Symbol.asyncIterator]: () => iterator };
}

function fill(descriptor: number, buffer: Buffer, position: number, blob: OpenBlob): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const more = (done: number): void => {
      if (done === buffer.length) return resolve(buffer);
      read(descriptor, buffer, done, buffer.length - done, position + done, (error, count) => {
        if (error) return reject(failureOf(error));
        if (count === 0) return reject(endsEarly(position + done, blob));
        more(done + count);
      });
    };
    more(0);
  });
}

/** A local file is closed at once; on a network that, too, may be waited for. Nothing was written, so nothing can be lost by it. */
function closeSoon(descriptor: number, pace: Pace): void {
  if (pace.isQuick()) closeSync(descriptor);
  else close(descriptor, () => {});
}

import type { Readable } from "node:stream";
import { setTimeout } from "node:timers/promises";
import type { ByteRange } from "../../capabilities/storage/ports.ts";
import { problems } from "../../capabilities/storage/problems.ts";
import type { Bucket } from "./bucket.ts";
import { failureOf, isMissing, isOutOfRange, ReadFailure } from "./failure.ts";
import { pauseMs } from "./retries.ts";

/** An answer whose bytes have not been read. */
interface Answer {
  readonly body: Readable;
  /** Which bytes of the blob they are. */
  readonly from: number;
  readonly to: number;
  readonly etag: string | undefined;
}

/**
 * The bytes of the range; resolves when S3 has begun to answer. When they stop coming or the connection breaks, the rest is asked for, of the same
 * bytes (`If-Match`), so whoever reads sees a pause at most. @returns `null` when there is no such blob
 */
export async function read(
  bucket: Bucket,
  id: string,
  range: ByteRange | undefined,
  signal?: AbortSignal,
): Promise<AsyncIterable<Buffer> | null> {
  signal?.throwIfAborted();
  if (range !== undefined && range.from === range.to) return nothing(bucket, id, range);
  try {
    const answer = await ask(bucket, id, range, undefined, signal);
    return answer === null ? null : resuming(bucket, id, answer, signal);
  } catch (error) {
    signal?.throwIfAborted();
    throw failureOf(error);
  }
}

async function nothing(bucket: Bucket, id: string, range: ByteRange): Promise<AsyncIterable<Buffer> | null> {
  const sizeBytes = await bucket.sizeOf(id);
  if (sizeBytes === null) return null;
  if (range.to > sizeBytes) throw endsEarly(sizeBytes, range);
  return (async function* () {})();
}

const endsEarly = (sizeBytes: number | string, { from, to }: ByteRange) =>
  problems.storeCorrupt(new Error(`A blob of ${sizeBytes} bytes was asked for its bytes ${from} to ${to}.`));

async function ask(
  { client, s3, at }: Bucket,
  id: string,
  range: ByteRange | undefined,
  etag: string | undefined,
  signal: AbortSignal | undefined,
): Promise<Answer | null> {
  const request = new s3.GetObjectCommand({
    ...at(id),
    ...(range === undefined ? {} : { Range: `bytes=${range.from}-${range.to - 1}` }),
    ...(etag === undefined ? {} : { IfMatch: etag }),
  });
  try {
    const answer = await client.send(request, signal === undefined ? {} : { abortSignal: signal });
    const body = answer.Body as Readable;
    const got = gotOf(answer.ContentRange, answer.ContentLength);
    if (got === null || (range !== undefined && (got.from !== range.from || got.to !== range.to))) {
      body.on("error", () => {}).destroy();
      if (range !== undefined && got !== null && got.from === range.from && got.to < range.to && got.isToTheEnd) {
        throw endsEarly(got.to, range);
      }
      throw new ReadFailure(`Asked for ${askedOf(range)}, S3 answered ${answer.ContentRange ?? "without a range"}.`);
    }
    return { body, from: got.from, to: got.to, etag: answer.ETag };
  } catch (error) {
    if (isMissing(error)) return null;
    if (isOutOfRange(error) && range !== undefined) throw endsEarly("fewer", range);
    throw error;
  }
}

const askedOf = (range: ByteRange | undefined): string =>
  range === undefined ? "all bytes" : `bytes ${range.from}-${range.to - 1}`;

/** Which bytes an answer has (RFC 9110 §14.4); `null` when it does not say, or says two things. */
function gotOf(contentRange: string | undefined, length: number | undefined) {
  if (length === undefined) return null;
  if (contentRange === undefined) return { from: 0, to: length, isToTheEnd: true };
  const match = /^bytes (\d+)-(\d+)\/(\d+|\*)$/.exec(contentRange);
  if (match === null) return null;
  const [from, to] = [Number(match[1]), Number(match[2]) + 1];
  return to - from === length ? { from, to, isToTheEnd: match[3] === String(to) } : null;
}

async function* resuming(bucket: Bucket, id: string, first: Answer, signal?: AbortSignal): AsyncGenerator<Buffer> {
  const { to } = first;
  let at = first.from;
  let answer: Answer | null = first;
  let failures = 0;
  try {
    while (answer !== null) {
      try {
        for await (const chunk of watched(answer.body, bucket.options.stallTimeoutMs, signal)) {
          at += chunk.length;
          if (at > to) throw problems.storeUnavailable(new ReadFailure("S3 sent more bytes than it said."));
          failures = 0;
          yield chunk;
        }
        if (at === to) return;
        throw new ReadFailure(`S3 ended ${to - at} bytes early.`);
      } catch (error) {
        signal?.throwIfAborted();
        failures += 1;
        if (!(error instanceof ReadFailure) || failures >= bucket.options.attempts) throw error;
        await setTimeout(pauseMs(failures), undefined, signal === undefined ? {} : { signal });
        answer = await ask(bucket, id, { from: at, to }, first.etag, signal);
      }
    }
    throw new ReadFailure("The blob was removed while it was read.");
  } catch (error) {
    signal?.throwIfAborted();
    throw failureOf(error);
  } finally {
    answer?.body.on("error", () => {}).destroy();
  }
}

/** The body's bytes. @throws ReadFailure when they pause for too long or break off; time in which nobody asks does not count */
async function* watched(body: Readable, stallTimeoutMs: number, signal?: AbortSignal): AsyncGenerator<Buffer> {
  const abort = (): void => void body.destroy(new Error("The reader is gone."));
  signal?.addEventListener("abort", abort, { once: true });
  const chunks = body[Symbol.asyncIterator]() as AsyncIterator<Buffer>;
  try {
    for (;;) {
      const stall = globalThis.setTimeout(
        () => body.destroy(new ReadFailure(`Nothing came for ${stallTimeoutMs} ms.`)),
        stallTimeoutMs,
      );
      let next: IteratorResult<Buffer>;
      try {
        next = await chunks.next();
      } catch (error) {
        throw error instanceof ReadFailure ? error : new ReadFailure("The connection broke.", { cause: error });
      } finally {
        clearTimeout(stall);
      }
      if (next.done) return;
      yield next.value;
    }
  } finally {
    signal?.removeEventListener("abort", abort);
    await chunks.return?.();
  }
}

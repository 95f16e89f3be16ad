/** A whole body, one that comes in pieces, or none. Who leaves the loop early ends its source. */
export type InternalBody = Buffer | AsyncIterable<Buffer> | null;

type Chunks = AsyncIterable<Uint8Array | string>;

export interface StreamEvents {
  /** False: only whether it begins well is of interest. */
  readonly isWanted: boolean;
  /** It failed after its first bytes. */
  onFailure(error: unknown): void;
  /** Called once, however it ends. `isLeft`: by its reader, or before its end. */
  onEnd(isLeft: boolean): void;
}

/**
 * A stream whose first bytes are there; `null` when there were none. Rejects with what the source fails with before them. It is held to
 * `lengthBytes` where that is known: a part must not be taken for the whole.
 */
export async function firstThen(
  body: Chunks,
  lengthBytes: number | undefined,
  events: StreamEvents,
): Promise<AsyncIterable<Buffer> | null> {
  const source = body[Symbol.asyncIterator]();
  const leave = () => {
    events.onEnd(true);
    // A generator suspended in an await returns only after it: nobody waits for that.
    source.return?.().catch(() => {});
  };
  if (!events.isWanted) {
    leave();
    return null;
  }
  let first: IteratorResult<Uint8Array | string>;
  try {
    first = await source.next();
    if (first.done === true) checkEnd(0, lengthBytes);
  } catch (error) {
    leave();
    throw error;
  }
  if (first.done === true) {
    events.onEnd(false);
    return null;
  }
  return rest(source, first.value, lengthBytes, events, leave);
}

async function* rest(
  source: AsyncIterator<Uint8Array | string>,
  first: Uint8Array | string,
  lengthBytes: number | undefined,
  events: StreamEvents,
  leave: () => void,
): AsyncGenerator<Buffer, void> {
  let isOver = false;
  let sizeBytes = 0;
  try {
    for (let chunk: Uint8Array | string | null = first; chunk !== null; ) {
      const bytes = bytesOf(chunk);
      sizeBytes += bytes.length;
      if (lengthBytes !== undefined && sizeBytes > lengthBytes) {
        throw new Error(`A reply of ${lengthBytes} bytes went on after them.`);
      }
      yield bytes;
      const step = await source.next();
      if (step.done === true) {
        isOver = true;
        checkEnd(sizeBytes, lengthBytes);
      }
      chunk = step.done === true ? null : step.value;
    }
  } catch (error) {
    events.onFailure(error);
    throw error;
  } finally {
    if (isOver) events.onEnd(false);
    else leave();
  }
}

function checkEnd(sizeBytes: number, lengthBytes: number | undefined): void {
  if (lengthBytes !== undefined && sizeBytes < lengthBytes) {
    throw new Error(`A reply of ${lengthBytes} bytes ended after ${sizeBytes}.`);
  }
}

function bytesOf(chunk: Uint8Array | string): Buffer {
  if (typeof chunk === "string") return Buffer.from(chunk);
  return Buffer.isBuffer(chunk) ? chunk : Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
}

import { AsyncLocalStorage } from "node:async_hooks";

const byteOrderMark = "\uFEFF";
const decoder = new TextDecoder();

/** Bytes as `Body.text()` gives them: UTF-8, without a byte order mark (Fetch Standard, "UTF-8 decode"). */
export function textOf(body: string | Uint8Array | null): string {
  if (body === null) return "";
  if (typeof body !== "string") return decoder.decode(body);
  return body.startsWith(byteOrderMark) ? body.slice(1) : body;
}

/** Bytes of one's own, which whoever gets them may change. */
export function bytesOf(body: string | Uint8Array | null): Uint8Array<ArrayBuffer> {
  if (body === null) return new Uint8Array(0);
  return typeof body === "string" ? new TextEncoder().encode(body) : new Uint8Array(body);
}

/** What a body that was read already says to whoever reads it again. */
export const alreadyRead = (): TypeError => new TypeError("Body is unusable: Body has already been read");

/** As a stream of bytes that is read no faster than it is asked for. */
export function streamOf(chunks: AsyncIterable<Uint8Array>): ReadableStream<Uint8Array> {
  const iterator = chunks[Symbol.asyncIterator]();
  return new ReadableStream({
    type: "bytes",
    async pull(controller) {
      let next = await iterator.next();
      // A stream of bytes takes no empty chunk.
      while (!next.done && next.value.byteLength === 0) next = await iterator.next();
      if (next.done) {
        controller.close();
        controller.byobRequest?.respond(0);
        return;
      }
      // A stream of bytes takes the memory of what it is given; a Buffer's may be shared with others.
      controller.enqueue(new Uint8Array(next.value));
    },
    async cancel() {
      await iterator.return?.();
    },
  });
}

/** A stream's bytes, for whoever wants them as they come. Ending early cancels the stream at once: it may never give anything again. */
export function chunksOf(stream: ReadableStream<Uint8Array>): AsyncIterableIterator<Buffer> {
  let reader: ReadableStreamDefaultReader<Uint8Array> | null = null;
  const reading = (): ReadableStreamDefaultReader<Uint8Array> => {
    reader ??= stream.getReader();
    return reader;
  };
  // Who leaves says so from outside; what the stream does about it belongs to the invocation that it is of.
  const within = AsyncLocalStorage.snapshot();
  // No generator: one that waits for a chunk hears of its end only after that chunk.
  return {
    async next() {
      for (;;) {
        const { done, value: chunk } = await reading().read();
        if (done) return { done, value: undefined };
        if (!(chunk instanceof Uint8Array)) {
          const error = new TypeError("A body's stream may only have Uint8Arrays in it.");
          await reading().cancel(error);
          throw error;
        }
        if (chunk.byteLength > 0) {
          return { done, value: Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength) };
        }
      }
    },
    async return() {
      await within(() => reading().cancel());
      return { done: true, value: undefined };
    },
    [Symbol.asyncIterator]() {
      return this;
    },
  };
}

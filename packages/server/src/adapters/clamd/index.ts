import type { Scanner, Verdict } from "../../capabilities/storage/index.ts";
import { verdictOf } from "./reply.ts";
import { connectTo } from "./socket.ts";

export interface ClamdOptions {
  /** `host:port`, or the path of a socket. */
  readonly address: string;
  /** How long it may be silent: connecting, taking bytes, thinking. In ms. */
  readonly silenceMs: number;
}

/** Bytes in one chunk: clamd reads each into memory, and refuses those of more than its `StreamMaxLength`. */
const chunkBytes = 256 * 1024;

/**
 * ClamAV's daemon as a scanner, by INSTREAM (https://docs.clamav.net/manual/Usage/Scanning.html, clamd(8)): a connection for each file, its bytes in
 * chunks with their length in front, and a chunk of no bytes. Nothing is opened until the first file.
 */
export function openClamdScanner({ address, silenceMs }: ClamdOptions): Scanner {
  const open = new Set<() => void>();

  const send = async (
    { write, answer }: Pick<Awaited<ReturnType<typeof connectTo>>, "write" | "answer">,
    source: AsyncIterable<Uint8Array>,
  ): Promise<Verdict> => {
    // It may answer before it has everything (a finding, a limit) and close: the answer counts then, not the broken pipe.
    const answered = answer.then(verdictOf);
    const sent = (async () => {
      await write(Buffer.from("zINSTREAM\0"));
      for await (const bytes of source) {
        for (let at = 0; at < bytes.length; at += chunkBytes) {
          const chunk = bytes.subarray(at, at + chunkBytes);
          const length = Buffer.alloc(4);
          length.writeUInt32BE(chunk.length);
          await write(length);
          if (!(await write(chunk))) return;
        }
      }
      await write(Buffer.alloc(4));
    })();
    const [verdict] = await Promise.all([answered, sent]);
    return verdict;
  };

  return {
    description: `clamd at ${address}`,
    async scan(source, signal) {
      const connection = await connectTo(address, silenceMs, signal);
      open.add(connection.close);
      try {
        return await send(connection, source);
      } finally {
        open.delete(connection.close);
        connection.close();
      }
    },
    async close() {
      for (const closeOne of open) closeOne();
    },
  };
}

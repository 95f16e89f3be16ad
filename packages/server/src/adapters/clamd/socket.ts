import { createConnection, type Socket } from "node:net";

export interface ClamdConnection {
  /** Resolves when more may be written; false when nobody reads any more. */
  write(bytes: Uint8Array): Promise<boolean>;
  /** All it says until its answer ends. Rejects when the connection fails or is silent for too long. */
  readonly answer: Promise<string>;
  close(): void;
}

/** No answer of clamd's is longer, in characters. */
const maxAnswerChars = 4_096;

/** Connects to `host:port`, `[::1]:port` or the path of a socket. */
export async function connectTo(address: string, silenceMs: number, signal?: AbortSignal): Promise<ClamdConnection> {
  signal?.throwIfAborted();
  const socket = createConnection(targetOf(address));
  const broken = Promise.withResolvers<never>();
  // Whoever writes or waits for the answer hears of it.
  broken.promise.catch(() => {});
  const leave = () => socket.destroy(new Error("Nobody waits for the scan any more."));
  signal?.addEventListener("abort", leave, { once: true });
  socket.setTimeout(silenceMs, () => socket.destroy(new Error(`clamd was silent for ${silenceMs} ms.`)));
  socket.on("error", (error) => broken.reject(error));
  socket.once("close", () => {
    signal?.removeEventListener("abort", leave);
    broken.reject(new Error("The connection to clamd was closed."));
  });
  const answer = answerOf(socket);
  answer.catch(() => {});
  try {
    await Promise.race([new Promise<void>((resolve) => socket.once("connect", resolve)), broken.promise]);
  } catch (error) {
    socket.destroy();
    throw error;
  }
  return {
    async write(bytes) {
      if (!socket.writable) return false;
      if (socket.write(bytes)) return true;
      const drained = new Promise<boolean>((resolve) => socket.once("drain", () => resolve(true)));
      // When it has gone, the answer says why, or fails.
      return Promise.race([drained, broken.promise.catch(() => false)]);
    },
    answer,
    close: () => void socket.destroy(),
  };
}

function answerOf(socket: Socket): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = "";
    socket.setEncoding("utf8");
    socket.on("data", (part: string) => {
      text += part;
      if (text.includes("\0") || text.length > maxAnswerChars) resolve(text);
    });
    socket.once("end", () => resolve(text));
    socket.on("error", (error) => (text.includes("\0") ? resolve(text) : reject(error)));
    socket.once("close", () => reject(new Error("clamd closed the connection without an answer.")));
  });
}

function targetOf(address: string): { readonly path: string } | { readonly host: string; readonly port: number } {
  if (address.startsWith("/")) return { path: address };
  const [, host, port] = /^(?:tcp:\/\/)?(.+):(\d{1,5})$/.exec(address) ?? [];
  if (host === undefined)
    throw new Error(`"${address}" is no address of clamd: write host:port, or the path of its socket.`);
  return { host: host.replace(/^\[|\]$/g, ""), port: Number(port) };
}

import { Agent, request as httpRequest, type IncomingHttpHeaders } from "node:http";
import { connect } from "node:net";

export interface Ask {
  readonly method: string;
  /** Path and query, as written on the wire. */
  readonly target: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Buffer | string | undefined;
}

export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly bytes: Buffer;
  readonly text: string;
}

const agent = new Agent({ keepAlive: true, maxSockets: 32 });
/** Longest wait for an answer: whoever takes longer is lost. */
const patienceMs = 60_000;

/** Percent-encodes what no HTTP client may write into a target (RFC 9112 §3.2), and nothing else. */
export const wired = (target: string): string =>
  target.replace(/[^\x21-\x7e]/gu, (char) =>
    [...Buffer.from(char, "utf8")].map((byte) => `%${byte.toString(16).padStart(2, "0")}`).join(""),
  );

/** Sends a request without the repairs that `fetch` makes to a URL. Rejects when the connection ends without an answer. */
export function exchange(url: string, { method, target, headers = {}, body }: Ask): Promise<Answer> {
  const { hostname, port } = new URL(url);
  return new Promise((resolve, reject) => {
    const request = httpRequest(
      {
        hostname,
        port,
        method,
        agent,
        path: wired(target),
        headers: { ...headers, ...(body === undefined ? {} : { "content-length": String(Buffer.byteLength(body)) }) },
        signal: AbortSignal.timeout(patienceMs),
      },
      (response) => {
        const chunks: Buffer[] = [];
        response.on("data", (chunk: Buffer) => chunks.push(chunk));
        response.on("error", reject);
        response.on("end", () => {
          const bytes = Buffer.concat(chunks);
          resolve({ status: response.statusCode ?? 0, headers: response.headers, bytes, text: bytes.toString("utf8") });
        });
      },
    );
    request.on("error", reject);
    request.end(body);
  });
}

/**
 * Writes bytes to a connection of its own and reads until it ends, or until `isEnough` of what came; then cuts it. What no HTTP client would send.
 * @param cutAfterBytes how much is read before the line is cut
 */
export function rawExchange(
  url: string,
  bytes: Buffer | string,
  { cutAfterBytes = Number.POSITIVE_INFINITY, isEnough = () => false }: RawOptions = {},
): Promise<string> {
  const { hostname, port } = new URL(url);
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let length = 0;
    const socket = connect({ host: hostname, port: Number(port) }, () => socket.write(bytes));
    const done = (): void => {
      socket.destroy();
      resolve(Buffer.concat(chunks).toString("latin1"));
    };
    socket.setTimeout(patienceMs, () => {
      socket.destroy();
      reject(new Error(`No end after ${patienceMs} ms: ${Buffer.concat(chunks).toString("latin1").slice(0, 200)}`));
    });
    socket.on("data", (chunk) => {
      chunks.push(chunk);
      length += chunk.length;
      if (length >= cutAfterBytes || isEnough(Buffer.concat(chunks).toString("latin1"))) done();
    });
    socket.on("error", done);
    socket.on("close", done);
  });
}

interface RawOptions {
  readonly cutAfterBytes?: number;
  readonly isEnough?: (text: string) => boolean;
}

/** Writes so many bytes of a request and hangs up. */
export function hangUp(url: string, bytes: Buffer, after: number): Promise<void> {
  const { hostname, port } = new URL(url);
  return new Promise((resolve) => {
    const socket = connect({ host: hostname, port: Number(port) }, () => {
      socket.write(bytes.subarray(0, after), () => socket.destroy());
    });
    socket.on("error", () => {});
    socket.on("close", () => resolve());
  });
}

import { Agent, request as httpRequest, type IncomingHttpHeaders } from "node:http";

export interface Request {
  readonly method: string;
  /** Path and query, as written on the wire. */
  readonly target: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer | string | null;
}

export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
}

const agent = new Agent({ keepAlive: true, maxSockets: 64 });

/** Longest wait for an answer: whoever takes longer sleeps, or is lost. */
const patienceMs = 20_000;

/**
 * Sends a request as it is, without the repairs `fetch` makes to a URL. Rejects when the connection ends without an answer.
 * Only what no HTTP client may write into a target (controls, blanks, anything beyond ASCII: RFC 9112 §3.2) is percent-encoded.
 */
export function send(url: string, { method, target, headers, body }: Request): Promise<Answer> {
  const { hostname, port } = new URL(url);
  return new Promise((resolve, reject) => {
    const request = httpRequest(
      {
        hostname,
        port,
        method,
        agent,
        path: target.replace(/[^\x21-\x7e]/gu, encodeAny),
        headers: {
          ...headers,
          ...(body === null ? {} : { "content-length": String(Buffer.byteLength(body)) }),
        },
        signal: AbortSignal.timeout(patienceMs),
      },
      (response) => {
        const chunks: Buffer[] = [];
        response.on("data", (chunk: Buffer) => chunks.push(chunk));
        response.on("error", reject);
        response.on("end", () =>
          resolve({
            status: response.statusCode ?? 0,
            headers: response.headers,
            text: Buffer.concat(chunks).toString("utf8"),
          }),
        );
      },
    );
    request.on("error", reject);
    request.end(body ?? undefined);
  });
}

/** Percent-encodes anything, lone surrogates too. */
export function encodeAny(text: string): string {
  return [...Buffer.from(text, "utf8")].map((byte) => `%${byte.toString(16).padStart(2, "0").toUpperCase()}`).join("");
}

/** Runs `work` over `items` with so many at once. */
export async function inParallel<T>(
  items: readonly T[],
  width: number,
  work: (item: T, at: number) => Promise<void>,
): Promise<void> {
  let next = 0;
  await Promise.all(
    Array.from({ length: Math.min(width, items.length) }, async () => {
      while (next < items.length) {
        const at = next++;
        await work(items[at]!, at);
      }
    }),
  );
}

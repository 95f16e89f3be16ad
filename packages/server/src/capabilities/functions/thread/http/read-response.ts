import type { HttpOutput } from "../../types.ts";
import { chunksOf } from "./body.ts";
import { flatOf } from "./flat-headers.ts";
import { RealResponse, takePlain } from "./response.ts";

/** Those of one connection, which is not the one the answer leaves by (RFC 9110 §7.6.1). */
const ofConnection: readonly string[] = [
  "connection",
  "keep-alive",
  "proxy-connection",
  "transfer-encoding",
  "upgrade",
];

/** What of an answer is asked here: also of the `Response` that an npm package brings along. */
type ResponseLike = Pick<Response, "status" | "headers" | "body" | "bodyUsed" | "arrayBuffer"> & {
  readonly url?: string;
};

/**
 * An answer as the server sends it: with its bytes when they are known already, as a stream otherwise.
 * @throws TypeError when it is no `Response`, or its body was read or is being read by somebody else
 */
export function readResponse(response: unknown): HttpOutput {
  const plain = takePlain(response);
  if (plain !== null) {
    const { body, headers, status } = plain;
    return { status, headers, body: typeof body === "string" ? Buffer.from(body) : body && bufferOf(body) };
  }
  if (!isResponse(response)) {
    const what = response === null ? "null" : typeof response === "object" ? "another object" : typeof response;
    throw new TypeError(`A handler must give a Response; this one gave ${what}.`);
  }
  if (response.bodyUsed || response.body?.locked) {
    throw new TypeError(
      "The Response that the handler gave has been read already: give `response.clone()`, or read the clone.",
    );
  }
  const { status } = response;
  if (!Number.isInteger(status) || status < 200 || status > 599) {
    throw new RangeError(`A handler cannot answer with the status ${status}.`);
  }
  return { status, headers: headersToSend(response), body: response.body && chunksOf(response.body) };
}

function isResponse(value: unknown): value is ResponseLike {
  if (value instanceof RealResponse) return true;
  if (typeof value !== "object" || value === null) return false;
  const { status, headers, arrayBuffer } = value as Partial<ResponseLike>;
  return (
    typeof status === "number" && typeof arrayBuffer === "function" && typeof headers?.[Symbol.iterator] === "function"
  );
}

function headersToSend(response: ResponseLike): string[] {
  // What `fetch` gives is decoded already: its encoding, and the length that it had encoded, are no longer true.
  const wasEncoded = Boolean(response.url) && response.headers.has("content-encoding");
  const isLeftOut = (name: string) =>
    ofConnection.includes(name) || (wasEncoded && (name === "content-encoding" || name === "content-length"));
  // Another's own are looked at as the standard's are: no line breaks, no names that are none.
  const headers = response instanceof RealResponse ? response.headers : new Headers([...response.headers]);
  return flatOf([...headers].filter(([name]) => !isLeftOut(name)));
}

const bufferOf = (bytes: Uint8Array): Buffer => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);

import type { IncomingHttpHeaders } from "node:http";
import { canonicalPath, canonicalQuery, readQuery } from "./encoding.ts";
import { sha256Hex } from "./signing.ts";

/** What of a request is signed. */
export interface SignedRequest {
  readonly method: string;
  /** As sent, still percent-encoded. */
  readonly path: string;
  /** As sent, without `?`. */
  readonly query: string;
  readonly headers: IncomingHttpHeaders;
}

/** The value of a header as it is signed: without spaces around it, and one where there were several. */
const canonicalValue = (value: string): string => value.trim().replace(/ +/g, " ");

/**
 * Hashes of the canonical requests that these bytes may stand for (Signature Version 4, creating a canonical request). Mostly there is one.
 * Node has joined repeated headers with `, ` where signers join with `,`; it reads bytes of headers as Latin-1 where signers sign UTF-8; and a proxy
 * that was reached by another name tells it in `X-Forwarded-Host`. Each reading has to be signed by the same secret, so none lets anybody in who is
 * without it.
 * @param payloadHash as the request says it, verified by whoever reads the body
 */
export function canonicalHashes(
  { method, path, query, headers }: SignedRequest,
  signedHeaders: readonly string[],
  payloadHash: string,
): readonly string[] {
  const parameters = readQuery(query).filter(([name]) => name !== "X-Amz-Signature");
  const head = `${method}\n${canonicalPath(path)}\n${canonicalQuery(parameters)}\n`;
  const tail = `\n${signedHeaders.join(";")}\n${payloadHash}`;
  const lines = (given: (name: string) => string): string =>
    signedHeaders.map((name) => `${name}:${canonicalValue(given(name))}\n`).join("");
  const sent = (name: string): string => {
    const value = headers[name];
    return typeof value === "string" ? value : (value ?? []).join(",");
  };
  const readings = new Set([lines(sent)]);
  const forwarded = headers["x-forwarded-host"];
  if (typeof forwarded === "string") readings.add(lines((name) => (name === "host" ? forwarded : sent(name))));
  for (const reading of [...readings]) readings.add(reading.replaceAll(", ", ","));
  const hashes: string[] = [];
  for (const reading of readings) {
    const text = head + reading + tail;
    hashes.push(sha256Hex(text));
    if (/[\u0080-\u00ff]/.test(reading)) hashes.push(sha256Hex(Buffer.from(text, "latin1")));
  }
  return hashes;
}

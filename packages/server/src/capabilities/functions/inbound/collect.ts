import type { HttpInput } from "../types.ts";

/** A body whole; `null` when it is larger, and then no more of it is read. */
export async function collect(body: HttpInput["body"], limitBytes: number): Promise<Buffer | null> {
  if (body === null) return Buffer.alloc(0);
  if (Buffer.isBuffer(body)) return body.length > limitBytes ? null : body;
  const parts: Buffer[] = [];
  let sizeBytes = 0;
  for await (const part of body) {
    sizeBytes += part.length;
    if (sizeBytes > limitBytes) return null;
    parts.push(part);
  }
  return Buffer.concat(parts);
}

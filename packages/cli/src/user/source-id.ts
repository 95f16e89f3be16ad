import { createHash } from "node:crypto";

/** RFC 9562 §6.6: the namespace of names that are URLs. */
const namespace = Buffer.from("6ba7b8119dad11d180b400c04fd430c8", "hex");

/**
 * The UUID of somebody whose id elsewhere is none: version 5 (RFC 9562 §5.5) of `<source>:<id>` in the namespace of URLs. The same
 * every time, so that an import can be repeated, and rows that refer to the old id can be brought along.
 */
export function uuidOf(source: string, id: string): string {
  const hash = createHash("sha1").update(namespace).update(`${source}:${id}`).digest().subarray(0, 16);
  hash[6] = (hash[6]! & 0x0f) | 0x50;
  hash[8] = (hash[8]! & 0x3f) | 0x80;
  return hash.toString("hex").replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
}

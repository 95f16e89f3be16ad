import { hash, randomBytes } from "node:crypto";

/** Of the random half: with it a tag says nothing of its sender to whoever does not know the sender already. */
const randomLength = 8;

/**
 * An id for a broadcast that is stored, by which its sender's socket is known again on every node: a row has no column for who sent it, and
 * who comes back must not get its own. UUID version 8 (RFC 9562 §5.8): random bytes, then a hash of them and `sender`.
 */
export function messageIdBy(sender: Buffer): string {
  const random = randomBytes(randomLength);
  random[6] = (random[6]! & 0x0f) | 0x80;
  const id = Buffer.concat([random, tagOf(random, sender)]).toString("hex");
  return `${id.slice(0, 8)}-${id.slice(8, 12)}-${id.slice(12, 16)}-${id.slice(16, 20)}-${id.slice(20)}`;
}

/** Whether `sender` has stored this. By mistake once in 2^62. */
export function isSentBy(id: string, sender: Buffer): boolean {
  const bytes = Buffer.from(id.replaceAll("-", ""), "hex");
  if (bytes.length !== 16 || bytes[6]! >> 4 !== 8) return false;
  return tagOf(bytes.subarray(0, randomLength), sender).equals(bytes.subarray(randomLength));
}

function tagOf(random: Buffer, sender: Buffer): Buffer {
  const tag = hash("sha256", Buffer.concat([random, sender]), "buffer").subarray(0, 8);
  tag[0] = (tag[0]! & 0x3f) | 0x80;
  return tag;
}

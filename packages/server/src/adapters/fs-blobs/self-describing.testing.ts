import { createHash } from "node:crypto";

/** Length of the blob of that name, in bytes: up to 600 KB, so that some end in one batch and others in several. */
export const lengthOf = (id: string): number => (Number.parseInt(id.slice(-6), 16) % 600) * 1000 + 100;

/** Bytes that tell of which blob they are and that none is missing: pieces of text, and at the end the hash of all before. */
export async function* selfDescribing(id: string): AsyncGenerator<Buffer> {
  const hash = createHash("sha256");
  const length = lengthOf(id);
  let left = length - 32;
  for (let n = 0; left > 0; n += 1) {
    const piece = Buffer.alloc(Math.min(20_000, left), `${id} ${n} `);
    hash.update(piece);
    left -= piece.length;
    yield piece;
  }
  yield hash.digest();
}

/** Whether these are all the bytes of that blob. */
export function isWhole(id: string, bytes: Buffer): boolean {
  if (bytes.length !== lengthOf(id) || !bytes.subarray(0, -32).includes(id)) return false;
  return createHash("sha256").update(bytes.subarray(0, -32)).digest().equals(bytes.subarray(-32));
}

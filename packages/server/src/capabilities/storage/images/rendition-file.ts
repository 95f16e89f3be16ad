import { createHash } from "node:crypto";
import type { Cipher, WrappedKey } from "../encryption/types.ts";
import type { RenditionKey } from "./renditions.ts";
import type { Rendition } from "./types.ts";

/** What a file of the cache begins with; its last letter is the format's number. */
const magic = Buffer.from("MSRNDTN1", "latin1");
const startBytes = magic.length + 4;
const mostHeadBytes = 4_096;

interface Head {
  readonly contentType: string;
  readonly sizeBytes: number;
  /** Of the picture, in hex; encrypted ones prove themselves. */
  readonly sha256?: string;
  /** Base64. */
  readonly wrappedKey?: string;
  readonly wrappingKeyId?: string;
}

/** What the bytes are bound to, so that no file can stand in for another. */
const nameOf = ({ version, made }: RenditionKey, contentType: string): string =>
  `rendition ${version} ${made} ${contentType}`;

/**
 * A picture as a file that proves what it is: with a digest, or encrypted where files are. Then each has a key of its own, wrapped by the server's,
 * as versions have.
 */
export async function toFile(key: RenditionKey, rendition: Rendition, cipher: Cipher | null): Promise<Buffer> {
  const { contentType, bytes } = rendition;
  if (cipher === null) {
    return withHead({ contentType, sizeBytes: bytes.length, sha256: digestOf(bytes) }, [bytes]);
  }
  const wrapped = cipher.newKey();
  const sealed: Buffer[] = [];
  for await (const chunk of cipher.open(wrapped, nameOf(key, contentType)).encrypt(only(bytes))) sealed.push(chunk);
  return withHead(
    {
      contentType,
      sizeBytes: bytes.length,
      wrappedKey: wrapped.wrapped.toString("base64"),
      wrappingKeyId: wrapped.wrappingKeyId,
    },
    sealed,
  );
}

/** The picture in a file; `null` for anything that is not what `toFile` made for this key, or was made under a key that is gone. */
export async function fromFile(key: RenditionKey, file: Buffer, cipher: Cipher | null): Promise<Rendition | null> {
  try {
    if (!file.subarray(0, magic.length).equals(magic)) return null;
    const headBytes = file.readUInt32BE(magic.length);
    if (headBytes > mostHeadBytes) return null;
    const head = JSON.parse(file.toString("utf8", startBytes, startBytes + headBytes)) as Head;
    const body = file.subarray(startBytes + headBytes);
    const bytes = head.wrappedKey === undefined ? checked(head, body) : await opened(key, head, body, cipher);
    // Where files are encrypted, one that is not was made before, or by somebody else.
    const isAsNow = (head.wrappedKey === undefined) === (cipher === null);
    return bytes === null || !isAsNow ? null : { contentType: head.contentType, bytes };
  } catch {
    return null;
  }
}

function checked({ sizeBytes, sha256 }: Head, body: Buffer): Buffer | null {
  return body.length === sizeBytes && digestOf(body) === sha256 ? body : null;
}

async function opened(key: RenditionKey, head: Head, body: Buffer, cipher: Cipher | null): Promise<Buffer | null> {
  const { contentType, sizeBytes, wrappedKey = "", wrappingKeyId = "" } = head;
  if (cipher === null) return null;
  const wrapped: WrappedKey = { wrapped: Buffer.from(wrappedKey, "base64"), wrappingKeyId };
  const chunks: Buffer[] = [];
  const blob = cipher.open(wrapped, nameOf(key, contentType));
  for await (const chunk of blob.decrypt(only(body), { from: 0, to: sizeBytes }, sizeBytes)) chunks.push(chunk);
  return Buffer.concat(chunks);
}

function withHead(head: Head, body: readonly Buffer[]): Buffer {
  const json = Buffer.from(JSON.stringify(head));
  const headBytes = Buffer.alloc(4);
  headBytes.writeUInt32BE(json.length);
  return Buffer.concat([magic, headBytes, json, ...body]);
}

const digestOf = (bytes: Buffer): string => createHash("sha256").update(bytes).digest("hex");
async function* only(bytes: Buffer): AsyncGenerator<Buffer> {
  yield bytes;
}

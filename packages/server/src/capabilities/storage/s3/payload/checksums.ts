import { createHash } from "node:crypto";
import type { IncomingHttpHeaders } from "node:http";
import { problems } from "../problems.ts";
import { type Crc, crcKinds, openCrc } from "./crc.ts";

/** The checksums of S3, as they end the names of their headers: `x-amz-checksum-crc32`. */
export const checksumNames = ["crc32", "crc32c", "crc64nvme", "sha1", "sha256"] as const;
export type ChecksumName = (typeof checksumNames)[number];

export interface Checksum {
  readonly name: ChecksumName;
  readonly digest: Buffer;
}

const digestBytes: Readonly<Record<ChecksumName, number>> = { crc32: 4, crc32c: 4, crc64nvme: 8, sha1: 20, sha256: 32 };

export const headerOf = (name: ChecksumName): string => `x-amz-checksum-${name}`;
/** As XML elements are called: `ChecksumCRC32`. */
export const elementOf = (name: ChecksumName): string => `Checksum${name.toUpperCase()}`;

/** The checksum of that name in whatever case; `null` for any other name. */
export const checksumNamed = (text: string): ChecksumName | null =>
  checksumNames.find((name) => name === text.toLowerCase()) ?? null;

export const isCrc = (name: ChecksumName): name is keyof typeof crcKinds => name in crcKinds;

/** Computes a checksum as the bytes pass. */
export function openChecksum(name: ChecksumName | "md5"): Crc {
  if (name === "crc32" || name === "crc32c" || name === "crc64nvme") return openCrc(name);
  const hash = createHash(name);
  return { update: (bytes) => void hash.update(bytes), digest: () => hash.digest() };
}

/** The bytes of a checksum as it is sent. @throws Problem `InvalidDigest` */
export function readChecksum(name: ChecksumName | "md5", text: string): Buffer {
  const wanted = name === "md5" ? 16 : digestBytes[name];
  const bytes = Buffer.from(text, "base64");
  if (bytes.length === wanted && bytes.toString("base64") === text.trim()) return bytes;
  throw problems.invalidDigest(name === "md5" ? "Content-MD5" : headerOf(name));
}

/** The checksum that the headers give; `null` where there is none. @throws Problem when there are several, or it is none */
export function checksumOf(headers: IncomingHttpHeaders): Checksum | null {
  const given = checksumNames.filter((name) => headers[headerOf(name)] !== undefined);
  if (given.length > 1) throw problems.invalidRequest("Expecting a single x-amz-checksum- header.");
  const [name] = given;
  return name === undefined ? null : { name, digest: readChecksum(name, String(headers[headerOf(name)])) };
}

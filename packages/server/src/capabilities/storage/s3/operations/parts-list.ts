import type { ObjectChecksum } from "../checksum-store.ts";
import type { ListedPart } from "../multipart-store.ts";
import { type ChecksumName, checksumNames, elementOf, isCrc, openChecksum } from "../payload/checksums.ts";
import { combineCrcs } from "../payload/crc.ts";
import { problems } from "../problems.ts";
import { elementsOf, textOf, type XmlNode } from "../xml/read.ts";

export const maxParts = 10_000;

/** A part as CompleteMultipartUpload names it. */
export interface NamedPart {
  readonly number: number;
  readonly etag: string;
  /** Base64, by name. */
  readonly checksums: ReadonlyMap<ChecksumName, string>;
}

/** @throws Problem `MalformedXML`, `InvalidPartOrder` */
export function readParts(root: XmlNode): readonly NamedPart[] {
  const parts = elementsOf(root, "Part").map((part): NamedPart => {
    const number = textOf(part, "PartNumber") ?? "";
    const etag = textOf(part, "ETag");
    if (!/^[1-9]\d{0,4}$/.test(number) || Number(number) > maxParts || etag === null) throw problems.malformedXml();
    const checksums = new Map<ChecksumName, string>();
    for (const name of checksumNames) {
      const value = textOf(part, elementOf(name));
      if (value !== null) checksums.set(name, value);
    }
    return { number: Number(number), etag: etag.trim().replace(/^"(.*)"$/, "$1"), checksums };
  });
  if (parts.length === 0 || parts.length > maxParts) throw problems.malformedXml();
  if (parts.some(({ number }, at) => at > 0 && number <= parts[at - 1]!.number)) throw problems.invalidPartOrder();
  return parts;
}

/** The parts that were named, as they were uploaded. @throws Problem `InvalidPart`, `EntityTooSmall` */
export function matchParts(
  named: readonly NamedPart[],
  uploaded: readonly ListedPart[],
  minBytes: number,
): readonly ListedPart[] {
  const byNumber = new Map(uploaded.map((part) => [part.number, part]));
  const matched = named.map(({ number, etag, checksums }) => {
    const part = byNumber.get(number);
    if (part === undefined || part.md5 !== etag.toLowerCase()) throw problems.invalidPart();
    for (const [name, value] of checksums) {
      const isRight = part.checksum?.name === name && part.checksum.digest.toString("base64") === value;
      if (!isRight) throw problems.invalidPart();
    }
    return part;
  });
  if (matched.slice(0, -1).some(({ sizeBytes }) => sizeBytes < minBytes)) throw problems.entityTooSmall();
  return matched;
}

/** The checksum of an object from those of its parts; `null` when one of them has none. */
export function wholeChecksum(
  name: ChecksumName | null,
  isWhole: boolean,
  parts: readonly ListedPart[],
): ObjectChecksum | null {
  if (name === null) return null;
  const known = parts.flatMap(({ checksum, sizeBytes }) =>
    checksum?.name === name ? [{ digest: checksum.digest, sizeBytes }] : [],
  );
  if (known.length < parts.length) return null;
  if (isWhole && isCrc(name)) return { name, value: combineCrcs(name, known).toString("base64") };
  const sum = openChecksum(name);
  for (const { digest } of known) sum.update(digest);
  return { name, value: `${sum.digest().toString("base64")}-${known.length}` };
}

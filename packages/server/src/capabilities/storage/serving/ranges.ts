import type { ByteRange } from "../ports.ts";

/** Above it a request for ranges asks for the whole in a costly way, and gets it in a cheap one (RFC 9110 §14.2, §17.15). */
const maxRanges = 8;
const oneRange = /^(\d{0,15})-(\d{0,15})$/;

/**
 * The bytes a `Range` header asks for (RFC 9110 §14.1.2), of a file of so many: in its order, as far as they exist. `null` where the header
 * counts as not sent: another unit, malformed, too many, or altogether more than the file. Empty when none of it exists (416).
 */
export function rangesOf(header: string, sizeBytes: number): readonly ByteRange[] | null {
  const set = /^bytes\s*=(.*)$/i.exec(header.trim())?.[1];
  if (set === undefined) return null;
  const specs = set.split(",", 2 * maxRanges + 2).map((spec) => spec.trim());
  const given = specs.filter((spec) => spec !== "");
  if (given.length === 0 || given.length > maxRanges || specs.length > 2 * maxRanges) return null;
  const ranges: ByteRange[] = [];
  for (const spec of given) {
    const [, first = "", last = ""] = oneRange.exec(spec) ?? [];
    if (first === "" && last === "") return null;
    if (first === "") {
      const from = Math.max(0, sizeBytes - Number(last));
      if (from < sizeBytes) ranges.push({ from, to: sizeBytes });
      continue;
    }
    const from = Number(first);
    const to = last === "" ? sizeBytes : Math.min(sizeBytes, Number(last) + 1);
    if (last !== "" && Number(last) < from) return null;
    if (from < sizeBytes) ranges.push({ from, to });
  }
  const askedBytes = ranges.reduce((sum, { from, to }) => sum + to - from, 0);
  return ranges.length > 1 && askedBytes > sizeBytes ? null : ranges;
}

/** `bytes 0-9/100`. */
export const contentRange = ({ from, to }: ByteRange, sizeBytes: number): string =>
  `bytes ${from}-${to - 1}/${sizeBytes}`;

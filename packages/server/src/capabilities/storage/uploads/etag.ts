import { createHash } from "node:crypto";
import type { Segment } from "../content/types.ts";

const md5 = (bytes: Uint8Array): string => createHash("md5").update(bytes).digest("hex");

/** Of bytes that came in these runs, with its quotes: as S3 makes it, so that its clients can compare. */
export function etagOf(segments: readonly Pick<Segment, "md5">[]): string {
  if (segments.length === 1) return `"${segments[0]!.md5.toString("hex")}"`;
  if (segments.length === 0) return `"${md5(Buffer.alloc(0))}"`;
  return `"${md5(Buffer.concat(segments.map((segment) => segment.md5)))}-${segments.length}"`;
}

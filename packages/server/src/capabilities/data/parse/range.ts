import type { RowRange } from "../request.ts";

/**
 * The `Range` header, `lower-` or `lower-upper` in rows; `null` when absent or anything else, which the dialect ignores.
 * `lower > upper` is kept for the plan to refuse (416 PGRST103). PostgREST docs, Pagination and Count.
 */
export function parseRange(header: string | undefined): RowRange | null {
  const match = header === undefined ? null : /^(\d{1,15})-(\d{0,15})$/.exec(header);
  if (match === null) return null;
  return { lower: Number(match[1]), upper: match[2] === "" ? null : Number(match[2]) };
}

/**
 * How long an answer asks to be left alone, in ms: `Retry-After` as seconds or as a date (RFC 9110 §10.2.3). `null` when it does not say.
 * @param nowMs Unix time
 */
export function retryAfterMs(headers: Pick<Headers, "get">, nowMs: number, maxMs: number): number | null {
  const value = headers.get("retry-after")?.trim() ?? "";
  const waitMs = /^\d{1,9}$/.test(value) ? Number(value) * 1_000 : Date.parse(value) - nowMs;
  return Number.isNaN(waitMs) ? null : Math.min(maxMs, Math.max(0, waitMs));
}

/** Of text from elsewhere what a `text` column can take. */
export const storable = (text: string): string => text.replaceAll("\u0000", "");

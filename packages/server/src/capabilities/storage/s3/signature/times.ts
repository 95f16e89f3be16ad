const basic = /^(\d{4})(\d{2})(\d{2})T(\d{2})(\d{2})(\d{2})Z$/;

/** Unix milliseconds of `20261121T211100Z` (ISO 8601, basic); `null` for what is no such time. */
export function readTime(text: string): number | null {
  const parts = basic.exec(text);
  if (parts === null) return null;
  const [year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0] = parts.slice(1).map(Number);
  const ms = Date.UTC(year, month - 1, day, hour, minute, second);
  return writeTime(ms) === text ? ms : null;
}

/** `20261121T211100Z` */
export const writeTime = (ms: number): string => `${new Date(ms).toISOString().slice(0, 19).replace(/[-:]/g, "")}Z`;

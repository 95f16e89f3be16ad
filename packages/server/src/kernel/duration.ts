/** In microseconds. Both signs for micro are Go's: U+00B5 and U+03BC. */
const unitsUs: Readonly<Record<string, number>> = {
  ns: 1e-3,
  us: 1,
  µs: 1,
  μs: 1,
  ms: 1e3,
  s: 1e6,
  m: 6e7,
  h: 3.6e9,
};

const part = String.raw`(\d+\.?\d*|\.\d+)(ns|us|µs|μs|ms|s|m|h)`;
const whole = new RegExp(`^(?:${part})+$`);

/** Longer texts are no duration: nobody means them, and reading them is work. */
const maxLength = 64;

/**
 * A duration as Go writes and reads it, `1h30m`, `5m0s`, `300ms` (Go docs, time.ParseDuration), in milliseconds, to the microsecond.
 * `null` for what is none; signs are not taken: no wait of ours is negative.
 */
export function durationMs(text: string): number | null {
  if (text === "0") return 0;
  if (text.length > maxLength || !whole.test(text)) return null;
  let sumUs = 0;
  // Rounded each, so that 1.1h is no more than 66 minutes.
  for (const [, count, unit] of text.matchAll(new RegExp(part, "g")))
    sumUs += Math.round(Number(count) * unitsUs[unit!]!);
  return sumUs / 1_000;
}

/** In ms. Months and years are left out: they are no fixed time. */
const spanUnitsMs: ReadonlyMap<string, number> = new Map([
  ["ms", 1],
  ["millisecond", 1],
  ["s", 1_000],
  ["sec", 1_000],
  ["second", 1_000],
  ["m", 60_000],
  ["min", 60_000],
  ["minute", 60_000],
  ["h", 3_600_000],
  ["hour", 3_600_000],
  ["d", 86_400_000],
  ["day", 86_400_000],
  ["w", 604_800_000],
  ["week", 604_800_000],
]);

const spanPart = /(\d+(?:\.\d+)?) ?([a-z]+)(?: |$|(?=\d))/y;

/**
 * A duration as people write it: `3 days`, `2h30m`, `1 hour 30 minutes`, `90s`, `1.5 h`; in ms, rounded. A day has 24 hours. `null` for what is
 * none.
 */
export function spanMs(text: string): number | null {
  const written = text.trim().toLowerCase().replace(/\s+/g, " ");
  if (written === "" || written.length > maxLength) return null;
  let sumMs = 0;
  spanPart.lastIndex = 0;
  while (spanPart.lastIndex < written.length) {
    const [, count, unit] = spanPart.exec(written) ?? [];
    const unitMs = unit === undefined ? undefined : (spanUnitsMs.get(unit) ?? spanUnitsMs.get(unit.replace(/s$/, "")));
    if (unitMs === undefined) return null;
    sumMs += Math.round(Number(count) * unitMs);
  }
  return sumMs;
}

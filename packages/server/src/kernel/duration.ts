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

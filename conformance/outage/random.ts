/** Chance that can be had again: the run says with what it began (`MAINSTAY_OUTAGE_SEED`). */
export const seed = Number(process.env.MAINSTAY_OUTAGE_SEED ?? Date.now() % 2 ** 31);

let state = seed;

/** From 0 up to 1; "mulberry32", a public domain generator of 32 bits of state. */
export function fraction(): number {
  state = (state + 0x6d2b79f5) | 0;
  let mixed = Math.imul(state ^ (state >>> 15), state | 1);
  mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
  return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
}

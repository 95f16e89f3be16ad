/**
 * Heads of requests and answers as one text, parts divided by U+0000, which may be in none of them: one copy to write, one to read. All of HTTP's heads
 * are Latin-1.
 */
const divider = "\0";

export const bodyFlag = {
  /** The rest of the frame is the body. */
  whole: 1,
  /** The body comes in frames of its own. */
  streams: 2,
  /** Request: there was a caller. Answer: the invocation is over with it. What a thread asks for: as the service role. */
  mark: 4,
  /** Answer: it was given at once, without waiting for anything. */
  atOnce: 8,
  /** What a thread asks for: as whoever its own headers name. */
  sent: 16,
} as const;

export function joinHead(parts: readonly string[]): string {
  return parts.join(divider);
}

/** @returns the parts; none of an empty head */
export function splitHead(bytes: Buffer, start: number, end: number): string[] {
  return start === end ? [] : bytes.toString("latin1", start, end).split(divider);
}

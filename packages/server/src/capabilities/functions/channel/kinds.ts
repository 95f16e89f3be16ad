/**
 * What goes over the socket between the server and one thread. A frame is a length (u32, of all that follows it), a kind (u8) and a number (u32): of
 * the invocation, which the server gives, or of what a thread has asked for, which it numbers itself from `firstAskedNumber`. Whatever streams under a
 * number does so in at most one way from each side. Both sides are of one release: there are no versions.
 */
export const frameKind = {
  /** Thread: its one-time token. */
  hello: 1,
  /** Thread, JSON: the module is loaded, and what it defines; or why not. */
  loaded: 2,
  /** Server, JSON: a caller, remembered under the number until another has it. */
  caller: 3,
  /** Server: a request for an endpoint. */
  request: 4,
  /** Server: any other handler, with JSON. */
  run: 5,
  /** Server: nobody wants it any more. JSON: why. */
  cancel: 6,
  /** Thread: head and perhaps body of the answer to a request. */
  answer: 7,
  /** Thread, JSON: what a handler gave, or what it threw. */
  result: 8,
  /** Thread: all that belongs to the invocation is over. */
  over: 9,
  /** Thread: not begun, since one before it waits. */
  returned: 10,
  /** Thread, JSON: a service by name, and its arguments. */
  call: 11,
  /** Server, JSON. */
  reply: 12,
  /** Thread: a request to the server's own routes. */
  fetch: 13,
  /** Server: the answer to that. */
  fetched: 14,
  /** Both: bytes of a body that streams. */
  data: 15,
  /** Both: it is complete. */
  end: 16,
  /** Both: it will not be completed. JSON: why. */
  broken: 17,
  /** Both: so many more bytes may be sent. */
  credit: 18,
  /** Both: who reads it has stopped. */
  stopped: 19,
  /** Thread, JSON: a line for the log. */
  log: 20,
  /** Thread, JSON: something was thrown that nobody caught: it ends now. */
  crashed: 21,
} as const;

export type FrameKind = (typeof frameKind)[keyof typeof frameKind];

/** Numbers from here on are those of a thread. */
export const firstAskedNumber = 0x8000_0000;

/** How many bytes of a stream may be under way before its reader has taken any. */
export const streamWindowBytes = 262_144;

/** Largest frame. Bodies beyond it stream. */
export const frameLimitBytes = 16_777_216;

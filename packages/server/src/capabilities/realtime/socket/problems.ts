import { Problem } from "../../../kernel/problem.ts";

/** Why a websocket is not opened; said as a plain HTTP reply in its place. */
export const problems = {
  /** The request to open a websocket is none (RFC 6455 §4.1), or its `Upgrade` was lost on the way: proxies must pass it on. */
  handshakeMalformed: (reason: string, headers: Readonly<Record<string, string>> = {}) =>
    new Problem("realtime/handshake-malformed", 400, reason, { headers }),
  /** A header or parameter that must be single was sent twice; which of them counts would be a guess. */
  handshakeRepeats: (name: string) =>
    new Problem("realtime/handshake-repeats", 400, `${name} was sent more than once.`),
  /** The URL exceeds `realtimeUrlLimitBytes`. */
  urlTooLong: (limitBytes: number) =>
    new Problem("realtime/url-too-long", 414, `The URL is longer than ${limitBytes} bytes.`),
  /** `vsn` names the version of the frames: 1.0.0 (also when it is left out) or 2.0.0. */
  versionUnknown: () =>
    new Problem("realtime/version-unknown", 400, "There is no such vsn.", { hint: "Use 1.0.0 or 2.0.0." }),
  /** The page that opens the websocket is not among `realtimeOrigins`. */
  originRefused: () => new Problem("realtime/origin-refused", 403, "Pages of this origin may not connect."),
  /** The key was sent, but empty: most likely a setting of the app that is missing. */
  keyEmpty: () => new Problem("realtime/key-empty", 401, "The API key is empty."),
  /** A token that never expires, or that names no role, cannot be the key of a connection. */
  keyUnfit: () => new Problem("realtime/key-unfit", 401, "The token has no role or no expiry."),
  /** One address, or one network, has `realtimeConnectionsPerAddressLimit` websockets open. */
  tooManyOfAddress: () =>
    new Problem("realtime/too-many-of-address", 429, "Too many connections from this address.", {
      headers: { "Retry-After": "10" },
    }),
  /** The node has `realtimeConnectionsLimit` websockets open. Clients come back by themselves. */
  tooMany: () =>
    new Problem("realtime/too-many-connections", 429, "Too many connections.", { headers: { "Retry-After": "10" } }),
  /** The node is stopping. Clients come back by themselves, to another. */
  stopping: () => new Problem("realtime/stopping", 503, "The server is stopping.", { headers: { "Retry-After": "1" } }),
  /** Our fault; the log has it whole. */
  failed: (cause: unknown) => new Problem("realtime/failed", 500, "Something went wrong on our side.", { cause }),
};

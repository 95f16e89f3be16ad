import { integer, list, type Settings, text } from "../../kernel/settings.ts";

/** Where the server listens, whom it believes, and how much and how long it lets anyone take (threats X07, A13). */
export const httpSettings = {
  port: integer({
    env: ["MAINSTAY_PORT", "PORT"],
    default: 54321,
    unit: "port",
    min: 0,
    max: 65535,
    summary: "TCP port to listen on; 0 takes any free one.",
  }),
  host: text({
    env: ["MAINSTAY_HOST", "HOST"],
    default: "127.0.0.1",
    summary: "Address to listen on; `0.0.0.0` or `::` for every interface.",
  }),
  corsOrigins: list({
    env: ["MAINSTAY_CORS_ORIGINS", "PGRST_SERVER_CORS_ALLOWED_ORIGINS"],
    default: ["*"],
    summary: "Web origins whose pages may call, such as `https://app.example.com`; `*` for all.",
  }),
  trustedProxies: list({
    env: ["MAINSTAY_TRUSTED_PROXIES"],
    default: [],
    summary:
      "Addresses or networks (CIDR) of our own proxies, whose `X-Forwarded-For` and `X-Request-Id` are believed; `loopback` and `private` name the usual ranges.",
  }),
  urlLimitBytes: integer({
    env: ["MAINSTAY_URL_LIMIT_BYTES"],
    default: 32_768,
    unit: "bytes",
    min: 256,
    summary: "Longest request target, path and query together.",
  }),
  headersLimitBytes: integer({
    env: ["MAINSTAY_HEADERS_LIMIT_BYTES"],
    default: 65_536,
    unit: "bytes",
    min: 1024,
    summary: "Most bytes of request line and headers together.",
  }),
  headersLimitCount: integer({
    env: ["MAINSTAY_HEADERS_LIMIT_COUNT"],
    default: 100,
    unit: "headers",
    min: 10,
    max: 2000,
    summary: "Most headers of one request.",
  }),
  bodyLimitBytes: integer({
    env: ["MAINSTAY_BODY_LIMIT_BYTES"],
    default: 33_554_432,
    unit: "bytes",
    min: 0,
    summary: "Largest request body, compressed or not, where a route has no limit of its own.",
  }),
  bodyMemoryLimitBytes: integer({
    env: ["MAINSTAY_BODY_MEMORY_LIMIT_BYTES"],
    default: 268_435_456,
    unit: "bytes",
    min: 1,
    summary: "Most memory that request bodies being received may take together; beyond it callers are asked to retry.",
  }),
  bodyAheadBytes: integer({
    env: ["MAINSTAY_BODY_AHEAD_BYTES"],
    default: 524_288,
    unit: "bytes",
    min: 1,
    summary:
      "How much of a body that is taken as it comes (an upload) may wait for whoever stores it; then its sender is not read from until half of it is taken.",
  }),
  connectionsLimit: integer({
    env: ["MAINSTAY_CONNECTIONS_LIMIT"],
    default: 32_768,
    unit: "connections",
    min: 1,
    summary:
      "Most open connections, websockets among them; further ones are closed at once. Keep it above the limit of websockets, or these leave no room for requests.",
  }),
  requestsPerConnectionLimit: integer({
    env: ["MAINSTAY_REQUESTS_PER_CONNECTION_LIMIT"],
    default: 0,
    unit: "requests",
    min: 0,
    summary: "Requests after which a connection is closed, so that load balancers spread evenly; 0 for no limit.",
  }),
  inFlightLimit: integer({
    env: ["MAINSTAY_IN_FLIGHT_LIMIT"],
    default: 4096,
    unit: "requests",
    min: 1,
    summary: "Most requests being worked on at once; further ones are asked to retry.",
  }),
  requestTimeoutMs: integer({
    env: ["MAINSTAY_REQUEST_TIMEOUT_MS"],
    default: 60_000,
    unit: "ms",
    min: 10,
    summary:
      "Longest time from a request's last byte to its reply's first; functions have a limit of their own, which may be longer.",
  }),
  headersTimeoutMs: integer({
    env: ["MAINSTAY_HEADERS_TIMEOUT_MS"],
    default: 10_000,
    unit: "ms",
    min: 10,
    summary: "Longest time to send a request's headers.",
  }),
  receiveTimeoutMs: integer({
    env: ["MAINSTAY_RECEIVE_TIMEOUT_MS"],
    default: 300_000,
    unit: "ms",
    min: 10,
    summary: "Longest time to send a request's body, where a route has no time of its own.",
  }),
  bodyStallMs: integer({
    env: ["MAINSTAY_BODY_STALL_MS"],
    default: 10_000,
    unit: "ms",
    min: 10,
    summary: "Window in which a body's sender has to keep up the slowest rate.",
  }),
  bodySlowestBytesPerSecond: integer({
    env: ["MAINSTAY_BODY_SLOWEST_BYTES_PER_SECOND"],
    default: 256,
    unit: "bytes/s",
    min: 0,
    summary: "Slowest rate a body may be sent at.",
  }),
  replyStallMs: integer({
    env: ["MAINSTAY_REPLY_STALL_MS"],
    default: 30_000,
    unit: "ms",
    min: 10,
    summary: "Longest time a reader may take none of the bytes that wait for it.",
  }),
  keepAliveMs: integer({
    env: ["MAINSTAY_KEEP_ALIVE_MS"],
    default: 75_000,
    unit: "ms",
    min: 10,
    summary: "How long an idle connection stays open; longer than the load balancer's own idle time.",
  }),
  drainDelayMs: integer({
    env: ["MAINSTAY_DRAIN_DELAY_MS"],
    default: 0,
    unit: "ms",
    min: 0,
    summary: "How long to go on accepting after readiness turned false, for load balancers to notice.",
  }),
  drainMs: integer({
    env: ["MAINSTAY_DRAIN_MS"],
    default: 10_000,
    unit: "ms",
    min: 0,
    summary: "How long requests in flight may take to finish when the server stops.",
  }),
} satisfies Settings;

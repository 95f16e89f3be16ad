import { connect, type Socket } from "node:net";
import type { Principal } from "../../kernel/principal.ts";
import { Problem } from "../../kernel/problem.ts";
import type { Boundary, Route, RouteGroup } from "../../kernel/route.ts";
import { readSettings, type Values } from "../../kernel/settings.ts";
import type { Identity } from "../identity/types.ts";
import type { Observation, Observe } from "../observe/observation.ts";
import { gatewayCors } from "./boundary.ts";
import type { Readiness } from "./health.ts";
import type { Internal } from "./internal.ts";
import { type HttpServer, openHttpServer } from "./server.ts";
import { httpSettings } from "./settings.ts";

/** For tests: a real server on a free port, with an identity of a few fixed keys. */
export interface TestServer extends HttpServer {
  readonly observations: Observation[];
}

export const principal = (role: string): Principal => ({
  role,
  claims: { role },
  claimsJson: JSON.stringify({ role }),
  subject: null,
  isAuthenticated: role !== "anon",
  expiresAtMs: Number.POSITIVE_INFINITY,
});

const anonymous = principal("anon");
const keys: Readonly<Record<string, Principal>> = {
  "anon-key": anonymous,
  "user-key": principal("authenticated"),
  "service-key": principal("service_role"),
};

const find = (key: unknown): Principal => {
  const found = typeof key === "string" ? keys[key] : undefined;
  if (found === undefined) throw new Problem("identity/key-unknown", 401, "Invalid API key");
  return found;
};

/** The keys above; a bearer token that names one of them wins over the key. */
export const testIdentity: Identity = {
  anonymous,
  identifyKey: (headers, query) => find(headers.apikey ?? new URLSearchParams(query).get("apikey")),
  identify(headers, query) {
    const byKey = testIdentity.identifyKey(headers, query);
    const bearer = headers.authorization?.replace(/^Bearer /, "");
    return bearer === undefined ? byKey : find(bearer);
  },
  identifyBearer: ({ authorization }) =>
    authorization === undefined ? anonymous : find(authorization.replace(/^Bearer /, "")),
  verify: find,
  onKeysReplaced: () => () => {},
};

/** A shape no other boundary has, to see whose it was. */
export const testBoundary: Boundary = {
  name: "test",
  render: (problem) => ({
    status: problem.status,
    headers: ["Content-Type", "application/json", ...Object.entries(problem.headers).flat()],
    body: JSON.stringify({ oops: problem.code, message: problem.message }),
  }),
};

export const testGroup = (routes: readonly Route[], mount = "/t/v1"): RouteGroup => ({
  mount,
  boundary: testBoundary,
  cors: gatewayCors,
  routes,
});

/** An open GET route, unless told otherwise. */
export const testRoute = (route: Partial<Route> & Pick<Route, "path" | "handle">): Route => ({
  method: "GET",
  access: "open",
  summary: "For a test.",
  ...route,
});

export async function openTestServer(
  groups: readonly RouteGroup[] | readonly Route[],
  options: {
    readonly settings?: Partial<Values<typeof httpSettings>>;
    readonly isReady?: () => Readiness;
    readonly wants?: Observe["wants"];
    readonly internal?: Internal;
  } = {},
): Promise<TestServer> {
  const observations: Observation[] = [];
  const observe: Observe = Object.assign(
    (observation: Observation) => void observations.push(observation),
    options.wants === undefined ? {} : { wants: options.wants },
  );
  const server = await openHttpServer({
    groups: isGroups(groups) ? groups : [testGroup(groups)],
    identity: testIdentity,
    observe,
    settings: { ...readSettings(httpSettings, { env: {} }).values, port: 0, drainMs: 2000, ...options.settings },
    isReady: options.isReady ?? (() => ({ parts: { database: "ok" } })),
    ...(options.internal === undefined ? {} : { internal: options.internal }),
  });
  return { ...server, observations };
}

const isGroups = (list: readonly RouteGroup[] | readonly Route[]): list is readonly RouteGroup[] =>
  list.every((entry) => "mount" in entry);

/** Sends bytes as they are and gives everything that comes back until the connection closes. */
export async function exchange(port: number, bytes: string): Promise<string> {
  const socket = await open(port);
  const closed = readAll(socket);
  socket.write(bytes, "latin1");
  return closed;
}

export const open = (port: number): Promise<Socket> =>
  new Promise((resolve, reject) => {
    const socket = connect(port, "127.0.0.1", () => resolve(socket));
    socket.once("error", reject);
  });

/** Everything a socket says until it closes, however it closes. */
export const readAll = (socket: Socket): Promise<string> =>
  new Promise((resolve) => {
    let text = "";
    socket.setEncoding("latin1");
    socket.on("data", (chunk) => {
      text += chunk;
    });
    socket.on("error", () => {});
    socket.on("close", () => resolve(text));
  });

/** The status codes of the replies in a raw text, in order. */
export const statusesOf = (text: string): number[] =>
  [...text.matchAll(/HTTP\/1\.1 (\d{3}) /g)].map((match) => Number(match[1]));

/** Resolves when the condition holds; the test's own timeout is the bound. */
export async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 5));
}

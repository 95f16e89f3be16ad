import { afterEach, describe, expect, test } from "vitest";
import type { Principal } from "../../kernel/principal.ts";
import { Problem } from "../../kernel/problem.ts";
import { empty, json, type Route } from "../../kernel/route.ts";
import { givenIn } from "../identity/given.ts";
import type { Identity } from "../identity/types.ts";
import type { Observation } from "../observe/observation.ts";
import { createInternal, depthOf, type Internal, type InternalReply } from "./internal.ts";
import { openTestServer, principal, type TestServer, testGroup, testIdentity, testRoute } from "./test-server.ts";

/** Who is given counts, as with the real one; the keys of the test server besides. */
const identity: Identity = {
  ...testIdentity,
  identify: (headers, query) => givenIn(headers) ?? testIdentity.identify(headers, query),
  identifyKey: (headers, query) =>
    givenIn(headers) ? testIdentity.anonymous : testIdentity.identifyKey(headers, query),
};

let server: TestServer | null = null;
let internal: Internal;
let observations: Observation[] = [];
afterEach(() => server?.stop());

async function start(routes: readonly Route[], requestTimeoutMs = 10_000): Promise<void> {
  observations = [];
  internal = createInternal({
    identity,
    observe: (observation) => void observations.push(observation),
    settings: { urlLimitBytes: 500, headersLimitCount: 20, requestTimeoutMs },
    depthLimits: new Map([["/t/v1", 3]]),
  });
  server = await openTestServer([testGroup(routes)], { internal, settings: { urlLimitBytes: 500 } });
}

interface Ask {
  readonly method?: string;
  readonly headers?: readonly string[];
  readonly body?: string | AsyncIterable<Uint8Array> | null;
  readonly signal?: AbortSignal;
  readonly depth?: number;
}

const ask = (target: string, who: Principal | null = principal("authenticated"), given: Ask = {}) =>
  internal.call(
    {
      id: "request-1",
      method: given.method ?? "GET",
      target: `/t/v1${target}`,
      headers: given.headers ?? [],
      body: typeof given.body === "string" ? Buffer.from(given.body) : (given.body ?? null),
      origin: "http://project.test",
      signal: given.signal ?? new AbortController().signal,
      depth: given.depth ?? 0,
    },
    who,
  );

async function textOf({ body }: InternalReply): Promise<string> {
  if (body === null) return "";
  if (Buffer.isBuffer(body)) return body.toString();
  let text = "";
  for await (const chunk of body) text += chunk.toString();
  return text;
}

const headerOf = ({ headers }: InternalReply, name: string): string | null => {
  const at = headers.findIndex((text, index) => index % 2 === 0 && text.toLowerCase() === name);
  return at === -1 ? null : headers[at + 1]!;
};

const echo = testRoute({
  method: ["GET", "POST", "PUT"],
  path: "/echo/:name",
  access: "caller",
  bodyLimitBytes: 10,
  async handle(call) {
    const { method, path, query, params, origin, id } = call;
    return json({ method, path, query, params, origin, id, role: call.who.role, body: String(await call.body()) }, 201);
  },
});

describe("answers as a socket would", () => {
  const routes = [
    echo,
    testRoute({ path: "/nothing", handle: () => empty(204, ["X-A", "b"]) }),
    testRoute({
      path: "/text",
      handle: () => ({ status: 200, headers: ["Content-Type", "text/plain"], body: "grüße" }),
    }),
    testRoute({
      path: "/stream",
      handle: () => ({
        status: 200,
        headers: ["Content-Type", "text/plain"],
        body: (async function* () {
          yield "one ";
          yield Buffer.from("two");
        })(),
      }),
    }),
    testRoute({
      path: "/stream/broken",
      handle: () => ({
        status: 200,
        headers: [],
        // biome-ignore lint/correctness/useYield: it fails before its first
        body: (async function* () {
          throw new Problem("t/refused", 409, "Not like this.");
        })(),
      }),
    }),
    testRoute({ path: "/refused", handle: () => Promise.reject(new Problem("t/refused", 409, "Not like this.")) }),
    testRoute({
      path: "/bug",
      handle: () => {
        throw new Error("a secret of ours");
      },
    }),
    testRoute({ path: "/service", access: "service", handle: () => json("in") }),
  ];
  const keys = { apikey: "anon-key", authorization: "Bearer user-key" };

  test.each([
    ["GET", "/echo/a%20b?x=1&y=%2F", null],
    ["POST", "/echo/x", "0123456789"],
    ["POST", "/echo/x", "01234567890"],
    ["PUT", "/echo/x", ""],
    ["DELETE", "/echo/x", null],
    ["GET", "/echo/%zz", null],
    ["GET", "/absent", null],
    ["GET", `/echo/${"a".repeat(600)}`, null],
    ["GET", "/nothing", null],
    ["GET", "/text", null],
    ["HEAD", "/text", null],
    ["GET", "/stream", null],
    ["HEAD", "/stream", null],
    ["GET", "/stream/broken", null],
    ["GET", "/refused", null],
    ["GET", "/bug", null],
    ["GET", "/service", null],
    ["OPTIONS", "/echo/x", null],
  ])("%s %s", async (method, target, body) => {
    await start(routes);
    const over = await fetch(`${server!.url}/t/v1${target}`, { method, headers: keys, body });
    const within = await ask(target, principal("authenticated"), { method, body });
    expect(within.status).toBe(over.status);
    const differs = new Set(["connection", "date", "keep-alive", "transfer-encoding", "x-request-id"]);
    const names = [...over.headers.keys()].filter((name) => !differs.has(name));
    for (const name of names) {
      if (name === "content-length" && over.headers.get("content-type")?.includes("json")) continue; // ids and origins differ
      expect([name, headerOf(within, name)]).toEqual([name, over.headers.get(name)]);
    }
    const strip = (text: string): string =>
      text.replaceAll(server!.url, "http://project.test").replaceAll(/"id":"[^"]*"/g, '"id":"request-1"');
    expect(strip(await textOf(within))).toBe(strip(await over.text()));
    expect(headerOf(within, "x-request-id")).toBe("request-1");
  });

  test("a bug of ours is reported whole and shown as one", async () => {
    await start(routes);
    const reply = await ask("/bug");
    expect(await textOf(reply)).not.toContain("secret");
    expect(observations).toMatchObject([{ kind: "request.failed", id: "request-1" }]);
  });
});

describe("who it is from", () => {
  const who = (access: Route["access"]) =>
    testRoute({ path: `/${access}`, access, handle: (call) => json(call.who.role) });
  const all = [who("open"), who("key"), who("caller"), who("service")];

  test.each([
    ["open", "authenticated", '"authenticated"'],
    ["key", "authenticated", '"anon"'],
    ["caller", "authenticated", '"authenticated"'],
    ["caller", "anon", '"anon"'],
    ["service", "authenticated", "http/service-only"],
    ["service", "anon", "http/service-only"],
    ["service", "service_role", '"service_role"'],
  ])("%s as %s: %s", async (path, role, expected) => {
    await start(all);
    // Whatever a client library sends along counts for nothing.
    const headers = ["apikey", "service-key", "Authorization", "Bearer service-key"];
    expect(await textOf(await ask(`/${path}`, principal(role), { headers }))).toContain(expected);
  });

  test("without one, whom the headers name, as over a socket", async () => {
    await start(all);
    expect(await textOf(await ask("/service", null, { headers: ["apikey", "service-key"] }))).toBe('"service_role"');
    expect(await textOf(await ask("/service", null, { headers: ["apikey", "anon-key"] }))).toContain("service-only");
    expect(await textOf(await ask("/caller", null))).toContain("key-unknown");
  });
});

describe("limits", () => {
  test("X12 depth: what calls itself ends", async () => {
    await start([
      testRoute({
        path: "/self",
        handle: async (call) =>
          ask("/self", null, { depth: depthOf(call) }).then(async (reply) => json(await textOf(reply), reply.status)),
      }),
    ]);
    const reply = await ask("/self", null);
    expect(reply.status).toBe(508);
    expect(await textOf(reply)).toContain("http/too-deep");
  });

  test("the deadline answers for a route that does not, and tells it", async () => {
    let reason: unknown = null;
    await start(
      [
        testRoute({
          path: "/never",
          handle: (call) =>
            new Promise((_, reject) => {
              call.signal.addEventListener("abort", () => {
                reason = call.signal.reason;
                reject(new Error("late"));
              });
            }),
        }),
      ],
      30,
    );
    const reply = await ask("/never");
    expect(reply.status).toBe(504);
    expect(reason).toMatchObject({ code: "http/deadline" });
  });

  test("a streamed body is held to the route's limit", async () => {
    await start([echo]);
    let pulled = 0;
    const body = (async function* () {
      for (; pulled < 100; pulled++) yield Buffer.from("12345");
    })();
    expect((await ask("/echo/x", principal("anon"), { method: "POST", body })).status).toBe(413);
    expect(pulled).toBeLessThan(5);
  });

  test("a streamed body is held to the length it announces", async () => {
    await start([echo]);
    const ask10 = (length: string) =>
      ask("/echo/x", principal("anon"), {
        method: "POST",
        headers: ["Content-Length", length],
        body: (async function* () {
          yield Buffer.from("12345");
        })(),
      });
    expect((await ask10("5")).status).toBe(201);
    expect(await textOf(await ask10("6"))).toContain("http/body-incomplete");
    expect(await textOf(await ask10("4"))).toContain("http/malformed-request");
    expect((await ask10("11")).status).toBe(413);
    expect((await ask10("five")).status).toBe(201);
  });

  test("too many headers, and one that must be single twice", async () => {
    await start([echo]);
    const many = Array.from({ length: 42 }, (_, i) => `x-${i}`);
    expect((await ask("/echo/x", principal("anon"), { headers: many })).status).toBe(431);
    const twice = ["Content-Type", "text/plain", "content-type", "application/json"];
    expect((await ask("/echo/x", principal("anon"), { headers: twice })).status).toBe(400);
  });
});

describe("a stream", () => {
  test("that is left early tells its source", async () => {
    const gone = Promise.withResolvers<string>();
    await start([
      testRoute({
        path: "/endless",
        handle: (call) => ({
          status: 200,
          headers: [],
          body: (async function* () {
            call.signal.addEventListener("abort", () => gone.resolve("told"));
            for (;;) yield "x";
          })(),
        }),
      }),
    ]);
    const reply = await ask("/endless");
    for await (const chunk of reply.body as AsyncIterable<Buffer>) {
      expect(chunk.toString()).toBe("x");
      break;
    }
    expect(await gone.promise).toBe("told");
  });

  test("that is not as long as it says fails, and is never taken for the whole", async () => {
    await start([
      testRoute({
        path: "/short",
        handle: () => ({
          status: 200,
          headers: [],
          lengthBytes: 10,
          body: (async function* () {
            yield "12345";
          })(),
        }),
      }),
    ]);
    const reply = await ask("/short");
    expect(headerOf(reply, "content-length")).toBe("10");
    await expect(textOf(reply)).rejects.toThrow("ended after 5");
    expect(observations).toMatchObject([{ kind: "request.failed" }]);
  });

  test("a caller who has left is told to the route", async () => {
    const controller = new AbortController();
    await start([
      testRoute({
        path: "/waits",
        handle: (call) =>
          new Promise((resolve) => call.signal.addEventListener("abort", () => resolve(json("left")), { once: true })),
      }),
    ]);
    const reply = ask("/waits", principal("anon"), { signal: controller.signal });
    setImmediate(() => controller.abort());
    expect(await textOf(await reply)).toBe('"left"');
  });
});

test("waits for the server, unless its caller does not", async () => {
  internal = createInternal({
    identity,
    observe: () => {},
    settings: { urlLimitBytes: 500, headersLimitCount: 20, requestTimeoutMs: 1_000 },
    depthLimits: new Map(),
  });
  const early = ask("/echo/early");
  const controller = new AbortController();
  const leaves = ask("/echo/left", principal("anon"), { signal: controller.signal });
  controller.abort();
  await expect(leaves).rejects.toMatchObject({ code: "http/caller-left" });
  server = await openTestServer([testGroup([echo])], { internal });
  expect((await early).status).toBe(201);
});

import { afterEach, describe, expect, test } from "vitest";
import { Problem } from "../../kernel/problem.ts";
import { json, type Reply } from "../../kernel/route.ts";
import type { HttpCall } from "./call.ts";
import { exchange, openTestServer, statusesOf, type TestServer, testGroup, testRoute } from "./test-server.ts";

let server: TestServer;
afterEach(() => server.stop());

const get = (path: string, init?: RequestInit) => fetch(server.url + path, init);
const echo = testRoute({
  path: "/echo/:name",
  handle: ({ method, path, query, params, id }) => json({ method, path, query, params, id }),
});

describe("routing", () => {
  test("gives path and query as sent, and params decoded once", async () => {
    server = await openTestServer([echo]);
    const seen = (await (await get("/t/v1/echo/a%2Fb%2520c%3F%C3%A9?select=*&x=%20+y&x=;1")).json()) as Record<
      string,
      unknown
    >;
    expect(seen).toMatchObject({
      path: "/t/v1/echo/a%2Fb%2520c%3F%C3%A9",
      query: "select=*&x=%20+y&x=;1",
      params: { name: "a/b%20c?é" },
    });
  });

  test("a mount is the same place with and without its slash", async () => {
    server = await openTestServer([testRoute({ path: "/", handle: () => json("root") })]);
    expect(await (await get("/t/v1")).json()).toBe("root");
    expect(await (await get("/t/v1/?x=1")).json()).toBe("root");
  });

  test("a final * takes the rest, with its slashes", async () => {
    server = await openTestServer([testRoute({ path: "/files/*", handle: ({ params }) => json(params["*"]) })]);
    expect(await (await get("/t/v1/files/a/b/c%20d")).json()).toBe("a/b/c d");
  });

  test("B12 params inherit nothing, whatever they are called", async () => {
    let isPolluted = true;
    server = await openTestServer([
      testRoute({
        path: "/:__proto__/:constructor",
        handle({ params, headers }) {
          isPolluted = "toString" in params || "polluted" in headers || "polluted" in {};
          return json(Object.entries(params));
        },
      }),
    ]);
    const response = await exchange(
      server.port,
      'GET /t/v1/x/y?__proto__[polluted]=1 HTTP/1.1\r\nHost: x\r\n__proto__: {"polluted":1}\r\nConnection: close\r\n\r\n',
    );
    expect(response).toContain('[["__proto__","x"],["constructor","y"]]');
    expect(isPolluted).toBe(false);
  });

  test("what a mount does not serve is refused in its shape, and elsewhere as problem+json", async () => {
    server = await openTestServer([echo]);
    const inside = await get("/t/v1/nothing/there");
    expect([inside.status, await inside.json()]).toMatchObject([404, { oops: "http/not-found" }]);
    const outside = await get("/t/v10");
    expect(outside.headers.get("content-type")).toBe("application/problem+json; charset=utf-8");
    expect([outside.status, await outside.json()]).toMatchObject([404, { code: "http/not-found", status: 404 }]);
  });

  test.each(["DELETE", "POST", "PUT", "PROPFIND", "QUERY", "TRACE"])(
    "%s on a path that is only for GET is 405 with Allow",
    async (method) => {
      server = await openTestServer([echo]);
      const text = await exchange(
        server.port,
        `${method} /t/v1/echo/a HTTP/1.1\r\nHost: x\r\nContent-Type: nonsense\r\nConnection: close\r\n\r\n`,
      );
      expect(statusesOf(text)).toEqual([405]);
      expect(text).toContain("\r\nAllow: GET, HEAD\r\n");
      expect(text).toContain('"oops":"http/method-not-allowed"');
    },
  );

  test("OPTIONS that is no preflight names the methods", async () => {
    server = await openTestServer([echo]);
    const response = await get("/t/v1/echo/a", { method: "OPTIONS" });
    expect([response.status, response.headers.get("allow")]).toEqual([204, "GET, HEAD, OPTIONS"]);
  });

  test("two routes for one method and path do not start", async () => {
    await expect(openTestServer([echo, echo])).rejects.toThrow();
    server = await openTestServer([echo]);
  });

  test("the absolute form is understood, and its authority is not", async () => {
    server = await openTestServer([echo]);
    const text = await exchange(
      server.port,
      "GET http://elsewhere/t/v1/echo/a?b=c HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
    );
    expect(text).toContain('"path":"/t/v1/echo/a","query":"b=c"');
  });
});

describe("replies", () => {
  const bodies: Readonly<Record<string, Reply>> = {
    ascii: { status: 200, headers: [], body: "plain" },
    unicode: { status: 200, headers: [], body: "naïve – 日本語 🎒" },
    latin: { status: 200, headers: [], body: "é" },
    small: { status: 201, headers: [], body: Buffer.from([0, 255, 128, 10]) },
    large: { status: 200, headers: [], body: Buffer.alloc(100_000, 200) },
    nothing: { status: 200, headers: [], body: null },
    noContent: { status: 204, headers: [], body: "not to be sent" },
    notModified: { status: 304, headers: [], body: Buffer.from("not to be sent") },
    named: { status: 418, statusText: "Short and stout", headers: ["X-Pot", "yes"], body: null },
  };
  const routes = [testRoute({ path: "/:name", handle: ({ params }) => bodies[params.name!]! })];

  test.each(["ascii", "unicode", "latin", "small", "large", "nothing"])(
    "%s arrives whole, with its length",
    async (name) => {
      server = await openTestServer(routes);
      const response = await get(`/t/v1/${name}`);
      const expected = Buffer.from((bodies[name]!.body as string | Buffer) ?? "");
      expect(Buffer.from(await response.arrayBuffer())).toEqual(expected);
      expect(response.headers.get("content-length")).toBe(String(expected.length));
    },
  );

  test.each(["ascii", "large"])("HEAD of %s has the length and no body", async (name) => {
    server = await openTestServer(routes);
    const text = await exchange(server.port, `HEAD /t/v1/${name} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`);
    expect(text.toLowerCase()).toContain(`content-length: ${Buffer.from(bodies[name]!.body as string).length}\r\n`);
    expect(text.endsWith("\r\n\r\n")).toBe(true);
  });

  test.each(["noContent", "notModified"])("%s has neither body nor length", async (name) => {
    server = await openTestServer(routes);
    const text = await exchange(server.port, `GET /t/v1/${name} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`);
    expect(text.toLowerCase()).not.toContain("content-length");
    expect(text.endsWith("\r\n\r\n")).toBe(true);
  });

  test("a reason phrase of the route's own is sent", async () => {
    server = await openTestServer(routes);
    expect((await get("/t/v1/named")).statusText).toBe("Short and stout");
  });

  test("S05 a header no one may write becomes an error, not a second header", async () => {
    server = await openTestServer([
      testRoute({ path: "/", handle: () => ({ status: 200, headers: ["X-Name", "a\r\nSet-Cookie: b=c"], body: "x" }) }),
      testRoute({ path: "/phrase", handle: () => ({ status: 200, statusText: "a\r\nX: y", headers: [], body: "x" }) }),
    ]);
    for (const path of ["/t/v1/", "/t/v1/phrase"]) {
      const response = await get(path);
      expect(response.status).toBe(500);
      expect(response.headers.get("set-cookie")).toBeNull();
      expect(response.headers.get("x")).toBeNull();
    }
    expect(server.observations.filter(({ kind }) => kind === "request.failed")).toHaveLength(2);
  });

  test.each(["ascii", "unicode", "small"])("%s leaves in one write, head and body together", async (name) => {
    const writes: number[] = [];
    server = await openTestServer([
      testRoute({
        path: "/",
        handle(call) {
          const { socket } = (call as HttpCall).response;
          const write = socket!.write.bind(socket) as (...args: unknown[]) => boolean;
          socket!.write = (...args: unknown[]) => {
            writes.push((args[0] as string | Buffer).length);
            return write(...args);
          };
          return bodies[name]!;
        },
      }),
    ]);
    await (await get("/t/v1/")).arrayBuffer();
    expect(writes.filter((length) => length > 0)).toHaveLength(1);
  });

  test("a reply shared by many requests stays as it was", async () => {
    const shared: Reply = Object.freeze({ status: 200, headers: Object.freeze(["X-A", "b"]), body: "x" });
    server = await openTestServer([testRoute({ path: "/", handle: () => shared })]);
    await get("/t/v1/");
    await get("/t/v1/");
    expect(shared.headers).toEqual(["X-A", "b"]);
  });
});

describe("failures", () => {
  const secret = "password=hunter2";
  const failing = [
    testRoute({
      path: "/sync",
      handle: () => {
        throw new TypeError(secret);
      },
    }),
    testRoute({ path: "/async", handle: () => Promise.reject(new TypeError(secret)) }),
    testRoute({ path: "/odd", handle: () => Promise.reject(secret) }),
    testRoute({
      path: "/problem",
      handle: () => {
        throw new Problem("test/refused", 409, "No.", { headers: { "Retry-After": "7" } });
      },
    }),
  ];

  test("a Problem is rendered by its boundary, with its headers", async () => {
    server = await openTestServer(failing);
    const response = await get("/t/v1/problem");
    expect([response.status, response.headers.get("retry-after"), await response.json()]).toEqual([
      409,
      "7",
      { oops: "test/refused", message: "No." },
    ]);
    expect(server.observations.some(({ kind }) => kind === "request.failed")).toBe(false);
  });

  test.each(["sync", "async", "odd"])("B07 anything else (%s) is internal, and reported whole", async (name) => {
    server = await openTestServer(failing);
    const response = await get(`/t/v1/${name}`);
    const text = await response.text();
    expect([response.status, JSON.parse(text).oops]).toEqual([500, "internal"]);
    expect(text).not.toContain("hunter2");
    const reported = server.observations.find((observation) => observation.kind === "request.failed");
    expect(reported).toMatchObject({ id: response.headers.get("x-request-id") });
    expect(String(reported?.error)).toContain(secret);
  });

  test("a boundary that fails does not take the request with it", async () => {
    const group = testGroup([...failing]);
    const boundary = {
      name: "broken",
      render: () => {
        throw new Error("broken boundary");
      },
    };
    server = await openTestServer([{ ...group, boundary }]);
    expect(await (await get("/t/v1/problem")).json()).toMatchObject({ code: "internal", status: 500 });
  });
});

describe("request ids", () => {
  test("are ours, and differ", async () => {
    server = await openTestServer([echo]);
    const ids = await Promise.all([1, 2, 3].map(async () => (await get("/t/v1/echo/a")).headers.get("x-request-id")));
    expect(new Set(ids).size).toBe(3);
  });

  test("are the sender's when they look like one", async () => {
    server = await openTestServer([echo]);
    const ask = async (id: string) => {
      const response = await get("/t/v1/echo/a", { headers: { "x-request-id": id } });
      return [response.headers.get("x-request-id"), ((await response.json()) as { id: string }).id];
    };
    const uuid = "0192f0c1-5f0e-7000-8000-3a5c0a2f9b11";
    expect(await ask(uuid)).toEqual([uuid, uuid]);
    for (const forged of ["short", "a b c d e f g h i j k l", '{"level":"error"}:::::', "x".repeat(65)]) {
      expect(await ask(forged)).not.toContain(forged);
    }
  });

  test("are a trusted proxy's in any visible form", async () => {
    server = await openTestServer([echo], { settings: { trustedProxies: ["loopback"] } });
    const response = await get("/t/v1/echo/a", { headers: { "x-request-id": "Root=1-67891233" } });
    expect(response.headers.get("x-request-id")).toBe("Root=1-67891233");
  });
});

describe("observation", () => {
  test("every reply is reported once", async () => {
    server = await openTestServer([echo]);
    await get("/t/v1/echo/a?apikey=hidden");
    await get("/t/v1/missing");
    const finished = server.observations.filter(({ kind }) => kind === "request.finished");
    expect(finished).toMatchObject([
      { method: "GET", path: "/t/v1/echo/a", status: 200 },
      { method: "GET", path: "/t/v1/missing", status: 404 },
    ]);
    expect(JSON.stringify(finished)).not.toContain("hidden");
  });

  test("nothing is built when nobody reads it", async () => {
    server = await openTestServer([echo], { wants: (kind) => kind !== "request.finished" });
    await get("/t/v1/echo/a");
    expect(server.observations.map(({ kind }) => kind)).toEqual(["server.listening"]);
  });
});

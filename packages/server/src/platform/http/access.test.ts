import { afterEach, describe, expect, test } from "vitest";
import { empty, json, type Route } from "../../kernel/route.ts";
import { openTestServer, type TestServer, testRoute } from "./test-server.ts";

let server: TestServer;
afterEach(() => server.stop());

const who = (access: Route["access"]) =>
  testRoute({ path: `/${access}`, access, handle: (call) => json(call.who.role) });
const start = async () => {
  server = await openTestServer([
    who("open"),
    who("key"),
    who("caller"),
    who("service"),
    testRoute({ path: "/indifferent", handle: () => json("same for all") }),
    testRoute({
      path: "/cached",
      access: "caller",
      handle: () => json("x", 200, ["cache-control", "public, max-age=600"]),
    }),
    testRoute({ path: "/cookie", handle: () => empty(204, ["Set-Cookie", "a=b"]) }),
  ]);
};
const get = (path: string, headers: Record<string, string> = {}) => fetch(`${server.url}/t/v1/${path}`, { headers });
const outcome = async (path: string, headers: Record<string, string> = {}) => {
  const response = await get(path, headers);
  const body = (await response.json()) as string | { oops: string };
  return typeof body === "string" ? body : `${response.status} ${body.oops}`;
};

const anon = { apikey: "anon-key" };
const user = { ...anon, authorization: "Bearer user-key" };
const expired = { ...anon, authorization: "Bearer expired" };
const service = { apikey: "service-key" };

describe("access", () => {
  test.each([
    ["open", {}, "anon"],
    ["open", anon, "anon"],
    ["open", user, "authenticated"],
    ["open", expired, "anon"], // R01: never more, and never a refusal
    ["key", {}, "401 identity/key-unknown"],
    ["key", anon, "anon"],
    ["key", expired, "anon"], // signing in must work with an old token around
    ["caller", {}, "401 identity/key-unknown"],
    ["caller", user, "authenticated"],
    ["caller", expired, "401 identity/key-unknown"],
    ["service", {}, "401 identity/key-unknown"],
    ["service", user, "403 http/service-only"],
    ["service", service, "service_role"],
    ["service", { ...service, authorization: "Bearer user-key" }, "403 http/service-only"],
  ] as const)("%s with %j is %s", async (path, headers, expected) => {
    await start();
    expect(await outcome(path, headers)).toBe(expected);
  });

  test("the key may come in the query", async () => {
    await start();
    expect(await outcome("caller?x=1&apikey=anon-key")).toBe("anon");
  });

  test("refuses before it reads the body", async () => {
    let isHandled = false;
    server = await openTestServer([
      testRoute({
        method: "POST",
        path: "/up",
        access: "caller",
        async handle(call) {
          isHandled = true;
          return json((await call.body()).length);
        },
      }),
    ]);
    const response = await fetch(`${server.url}/t/v1/up`, { method: "POST", body: Buffer.alloc(2_000_000) });
    expect([response.status, isHandled]).toEqual([401, false]);
  });
});

describe("X06 shared caches", () => {
  test.each([
    ["key", anon, "private, no-store"],
    ["caller", anon, "private, no-store"],
    ["caller", user, "private, no-store"],
    ["caller", {}, "private, no-store"], // the refusal too
    ["service", service, "private, no-store"],
    ["open", user, "private, no-store"], // open, but it looked who asks
    ["open", {}, null],
    ["indifferent", user, null],
    ["cached", user, "public, max-age=600"], // what a route says counts, once
    ["cookie", {}, "private, no-store"],
  ] as const)("X06 %s asked with %j says %s", async (path, headers, expected) => {
    await start();
    expect((await get(path, headers)).headers.get("cache-control")).toBe(expected);
  });
});

describe("A13 call.address", () => {
  const route = testRoute({ path: "/address", handle: (call) => json(call.address) });
  const forged = { "x-forwarded-for": "6.6.6.6, 203.0.113.9", "x-real-ip": "6.6.6.6", forwarded: "for=6.6.6.6" };

  test("A13 is the socket's when nobody is trusted", async () => {
    server = await openTestServer([route]);
    expect(await outcome("address", forged)).toBe("127.0.0.1");
  });

  test("A13 is the rightmost untrusted hop behind our proxy", async () => {
    server = await openTestServer([route], { settings: { trustedProxies: ["127.0.0.0/8"] } });
    expect(await outcome("address", forged)).toBe("203.0.113.9");
  });

  test("A13 a network that is none does not start", async () => {
    await expect(openTestServer([route], { settings: { trustedProxies: ["10.0.0.0/99"] } })).rejects.toThrow(
      "10.0.0.0/99",
    );
    server = await openTestServer([route]);
  });
});

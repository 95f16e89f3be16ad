import { afterEach, describe, expect, test } from "vitest";
import { json } from "../../kernel/route.ts";
import { openTestServer, type TestServer, testRoute } from "./test-server.ts";

let server: TestServer;
afterEach(() => server.stop());

const origin = "https://app.example.com";
const start = async (corsOrigins: readonly string[] = ["*"]) => {
  server = await openTestServer(
    [
      testRoute({ path: "/", access: "caller", handle: () => json("ok") }),
      testRoute({ method: "OPTIONS", path: "/", access: "caller", handle: () => json("own options") }),
      testRoute({
        path: "/fails",
        handle: () => {
          throw new Error("x");
        },
      }),
    ],
    { settings: { corsOrigins } },
  );
};
const ask = (path: string, method: string, headers: Record<string, string>) =>
  fetch(`${server.url}/t/v1${path}`, { method, headers });
const corsOf = (response: Response) =>
  Object.fromEntries([...response.headers].filter(([name]) => name.startsWith("access-control-") || name === "vary"));
const preflight = { origin, "access-control-request-method": "PATCH" };

describe("CORS", () => {
  test("is silent without an origin", async () => {
    await start();
    expect(corsOf(await ask("/", "GET", { apikey: "anon-key" }))).toEqual({});
  });

  test("lets every origin read, without credentials", async () => {
    await start();
    const response = await ask("/", "GET", { apikey: "anon-key", origin });
    expect(corsOf(response)).toEqual({
      "access-control-allow-origin": "*",
      "access-control-expose-headers": "X-Request-Id, Retry-After",
    });
  });

  test.each(["/", "/fails", "/missing", "/%zz"])("lets a page read the refusal of %s", async (path) => {
    await start();
    const response = await ask(path, "GET", { origin });
    expect(response.ok).toBe(false);
    expect(response.headers.get("access-control-allow-origin")).toBe("*");
  });

  test.each(["/", "/fails", "/missing"])("answers a preflight of %s without a key", async (path) => {
    await start();
    const response = await ask(path, "OPTIONS", {
      ...preflight,
      "access-control-request-headers": "apikey,x-anything-new",
    });
    expect(response.status).toBe(204);
    expect(corsOf(response)).toMatchObject({
      "access-control-allow-origin": "*",
      "access-control-allow-methods": "GET, POST, PUT, PATCH, DELETE, OPTIONS, HEAD",
      "access-control-max-age": "86400",
    });
    const allowed = response.headers.get("access-control-allow-headers") ?? "";
    expect(allowed).toContain("authorization, apikey, x-client-info, content-type");
    expect(allowed.endsWith(", apikey,x-anything-new")).toBe(true);
  });

  test.each(["a b", "a;b", "x".repeat(5000)])("does not echo a list of headers that is none", async (requested) => {
    await start();
    const response = await ask("/", "OPTIONS", { ...preflight, "access-control-request-headers": requested });
    expect(response.headers.get("access-control-allow-headers")).not.toContain(requested);
  });

  test("leaves an OPTIONS that is no preflight to its route", async () => {
    await start();
    expect(await (await ask("/", "OPTIONS", { origin, apikey: "anon-key" })).json()).toBe("own options");
    expect((await ask("/", "OPTIONS", { origin })).status).toBe(401);
  });

  test("names a listed origin, and allows it credentials", async () => {
    await start(["https://other.example.com", origin]);
    const granted = {
      "access-control-allow-origin": origin,
      "access-control-allow-credentials": "true",
      vary: "Origin",
    };
    expect(corsOf(await ask("/", "GET", { apikey: "anon-key", origin }))).toMatchObject(granted);
    expect(corsOf(await ask("/", "OPTIONS", preflight))).toMatchObject(granted);
  });

  test.each(["https://evil.example", "https://app.example.com.evil.example", "null", "http://app.example.com"])(
    "gives %s nothing when it is not listed",
    async (stranger) => {
      await start([origin]);
      const plain = await ask("/", "GET", { apikey: "anon-key", origin: stranger });
      expect(corsOf(plain)).toEqual({ vary: "Origin" });
      expect(corsOf(await ask("/", "OPTIONS", { ...preflight, origin: stranger }))).toEqual({ vary: "Origin" });
    },
  );
});

import { createHash, randomBytes } from "node:crypto";
import { request } from "node:http";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type FunctionsApp, openFunctionsApp } from "./app.testing.ts";

let app: FunctionsApp;
beforeAll(async () => {
  app = await openFunctionsApp({
    "hello.ts": `export default () => new Response("hello");`,
    "echo.ts": `
      Deno.serve(async (request) => {
        const { pathname, search } = new URL(request.url);
        const body = await request.text();
        return Response.json({ method: request.method, pathname, search, body, type: request.headers.get("content-type") });
      });`,
    "open.ts": `import { serve } from "@mainstay/functions";
      export default serve({ verifyJwt: false }, (_, { user }) => Response.json({ user }));`,
    "size.ts": `export default async (request) => {
        let bytes = 0;
        for await (const chunk of request.body) bytes += chunk.length;
        return Response.json({ bytes });
      };`,
    "back.ts": `export default (request) => new Response(request.body, { headers: { "content-type": "application/octet-stream" } });`,
    "sse.ts": `export default () => {
        let n = 0;
        const body = new ReadableStream({
          async pull(controller) {
            await new Promise((resolve) => setTimeout(resolve, 150));
            controller.enqueue(new TextEncoder().encode("data: " + n + "\\n\\n"));
            if (++n === 3) controller.close();
          },
        });
        return new Response(body, { headers: { "content-type": "text/event-stream" } });
      };`,
    "heads.ts": `export default (request) => {
        const headers = new Headers({ "x-own": "1", connection: "upgrade", "transfer-encoding": "chunked", "content-length": "5000" });
        headers.append("set-cookie", "a=1");
        headers.append("set-cookie", "b=2");
        return new Response(request.headers.get("x-forwarded-for"), { headers });
      };`,
    "empty.ts": `export default () => new Response(null, { status: 204 });`,
    "throws.ts": `export default () => { throw new Error("a secret of the author"); };`,
    "nothing.ts": `export default () => 42;`,
    "cors.ts": `import { serve } from "@mainstay/functions";
      export default serve({ ownsPreflight: true, verifyJwt: false }, (request) =>
        new Response(request.method, { headers: { "access-control-allow-origin": "https://own.example" } }));`,
    "broken.ts": `throw new Error("not today");`,
    "later.ts": `import { serve } from "@mainstay/functions";
      export default serve((_, { waitUntil }) => {
        waitUntil(new Promise((resolve) => setTimeout(resolve, 200)).then(() => console.log("afterwards")));
        return new Response("at once");
      });`,
  });
});
afterAll(() => app?.stop());

describe("an endpoint", () => {
  test("answers who has a key", async () => {
    const response = await app.call("hello");
    expect([response.status, await response.text()]).toEqual([200, "hello"]);
    expect(response.headers.get("cache-control")).toBe("private, no-store");
  });

  test("gets method, path, query and body", async () => {
    const response = await app.call("echo/a/b?x=1&y=%20", { method: "POST", body: "some text" });
    expect(await response.json()).toEqual({
      method: "POST",
      pathname: "/echo/a/b",
      search: "?x=1&y=%20",
      body: "some text",
      type: "text/plain;charset=UTF-8",
    });
    for (const method of ["PUT", "PATCH", "DELETE", "OPTIONS", "GET"]) {
      expect(await (await app.call("echo", { method })).json()).toMatchObject({ method });
    }
    const head = await app.call("hello", { method: "HEAD" });
    expect([head.status, await head.text()]).toEqual([200, ""]);
  });

  test("is refused without a key, and asked without one where it wants none", async () => {
    const refused = await fetch(`${app.url}/functions/v1/hello`);
    expect([refused.status, refused.headers.get("x-relay-error")]).toEqual([401, "true"]);
    expect(await refused.json()).toMatchObject({ code: "UNAUTHORIZED", message: expect.any(String) });
    const forged = await app.call("hello", { headers: { authorization: "Bearer a.b.c" } });
    expect(forged.status).toBe(401);
    const byKey = await fetch(`${app.url}/functions/v1/hello`, { headers: { apikey: app.publishableKey } });
    expect(await byKey.text()).toBe("hello");
    const open = await fetch(`${app.url}/functions/v1/open`);
    expect(await open.json()).toEqual({ user: null });
  });

  test("that is not there, or could not be loaded, is told from one that fails", async () => {
    const missing = await app.call("missing");
    expect([missing.status, missing.headers.get("x-relay-error")]).toEqual([404, "true"]);
    expect(await missing.json()).toMatchObject({ code: "NOT_FOUND" });
    const broken = await app.call("broken");
    expect([broken.status, broken.headers.get("x-relay-error")]).toEqual([503, "true"]);
    expect(await broken.json()).toMatchObject({ code: "BOOT_ERROR" });
    for (const name of ["throws", "nothing"]) {
      const failed = await app.call(name);
      expect([failed.status, failed.headers.get("x-relay-error")], name).toEqual([500, null]);
      const text = await failed.text();
      expect(JSON.parse(text)).toMatchObject({ code: "INTERNAL_ERROR" });
      expect(text).not.toContain("secret");
    }
  });

  test("gives headers as they may leave", async () => {
    const response = await app.call("heads", { headers: { "x-forwarded-for": "6.6.6.6" } });
    expect(await response.text()).toBe("127.0.0.1");
    expect(response.headers.getSetCookie()).toEqual(["a=1", "b=2"]);
    expect(response.headers.get("x-own")).toBe("1");
    expect(response.headers.get("content-length")).toBe("9");
    const none = await app.call("empty");
    expect([none.status, none.headers.get("content-length"), await none.text()]).toEqual([204, null, ""]);
  });

  test("lets pages call, or says itself which", async () => {
    const preflight = { origin: "https://a.example", "access-control-request-method": "POST" };
    const ours = await fetch(`${app.url}/functions/v1/hello`, { method: "OPTIONS", headers: preflight });
    expect([ours.status, ours.headers.get("access-control-allow-origin")]).toEqual([204, "*"]);
    expect(
      (await app.call("hello", { headers: { origin: "https://a.example" } })).headers.get(
        "access-control-allow-origin",
      ),
    ).toBe("*");
    const own = await fetch(`${app.url}/functions/v1/cors`, { method: "OPTIONS", headers: preflight });
    expect([own.status, await own.text()]).toEqual([200, "OPTIONS"]);
    expect(own.headers.get("access-control-allow-origin")).toBe("https://own.example");
  });

  test("goes on after its answer where it says so", async () => {
    const response = await app.call("later");
    expect(await response.text()).toBe("at once");
    const said = () => app.observations.find((one) => one.kind === "functions.log" && one.message === "afterwards");
    expect(said()).toBeUndefined();
    await expect.poll(said, { timeout: 5_000 }).toMatchObject({ functionName: "later", level: "info" });
  });
});

describe("bodies that stream", () => {
  test("reach a function to the last byte, and come back", async () => {
    const bytes = randomBytes(3_000_000);
    const counted = await app.call("size", { method: "POST", body: bytes });
    expect(await counted.json()).toEqual({ bytes: bytes.length });
    const back = await app.call("back", { method: "POST", body: bytes });
    expect(sha(Buffer.from(await back.arrayBuffer()))).toBe(sha(bytes));
  });

  test("leave piece by piece, each at once", async () => {
    const response = await app.call("sse");
    expect(response.headers.get("content-type")).toBe("text/event-stream");
    const pieces: string[] = [];
    for await (const chunk of response.body!) pieces.push(Buffer.from(chunk).toString());
    expect(pieces).toEqual(["data: 0\n\n", "data: 1\n\n", "data: 2\n\n"]);
  });

  test("are not read from faster than a function reads", async () => {
    // The function answers with what it is sent; nobody reads the answer: the sender comes to a halt.
    const { hostname, port } = new URL(app.url);
    const sent = await new Promise<number>((resolve, reject) => {
      const outgoing = request({
        hostname,
        port,
        path: "/functions/v1/back",
        method: "POST",
        headers: { authorization: `Bearer ${app.anonKey}`, "content-length": "100000000" },
      });
      outgoing.on("response", (response) => response.pause());
      outgoing.on("error", reject);
      let bytes = 0;
      const chunk = randomBytes(65_536);
      const push = (): void => {
        while (outgoing.write(chunk)) bytes += chunk.length;
        bytes += chunk.length;
      };
      outgoing.on("drain", push);
      push();
      setTimeout(() => {
        outgoing
          .off("error", reject)
          .on("error", () => {})
          .destroy();
        resolve(bytes);
      }, 2_000);
    });
    expect(sent).toBeLessThan(30_000_000);
  });
});

const sha = (bytes: Buffer): string => createHash("sha256").update(bytes).digest("hex");

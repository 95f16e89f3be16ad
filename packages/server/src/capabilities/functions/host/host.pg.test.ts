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
  });
});
afterAll(() => app?.stop());

describe("an endpoint", () => {
  test("answers who has a key", async () => {
    const response = await app.call("hello");
    expect([response.status, await response.text()]).toEqual([200, "hello"]);
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
  });
});

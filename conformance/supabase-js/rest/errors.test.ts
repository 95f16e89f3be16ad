import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type App, mint, startApp, userToken } from "../app.ts";

let app: App;
beforeAll(async () => {
  app = await startApp();
});
afterAll(() => app.stop());

const user = userToken("6f0c8d2e-0000-4000-8000-0000000000aa");

describe("rest: shape of an error", () => {
  it("always has the four keys, as JSON, and a Proxy-Status", async () => {
    for (const path of [
      "/nothing_here",
      "/films?id=x.1",
      "/films?nope=eq.1",
      "/rpc/nothing",
      "/a/b",
      "/films?select=nowhere(id)",
    ]) {
      const answer = await app.rest(path);
      expect(Object.keys(answer.json as object).sort()).toEqual(["code", "details", "hint", "message"]);
      expect(answer.headers.get("content-type")).toBe("application/json; charset=utf-8");
      expect(answer.headers.get("proxy-status")).toBe(`PostgREST; error=${(answer.json as { code: string }).code}`);
    }
  });

  it("an error has no body on HEAD", async () => {
    expect(await app.rest("/nothing_here", { method: "HEAD" })).toMatchObject({ status: 404, text: "" });
  });

  it("carries PostgreSQL's detail and hint", async () => {
    expect(await app.rest("/products", { method: "POST", body: { sku: "A-1" } })).toMatchObject({
      status: 409,
      json: { code: "23505", details: "Key (sku)=(A-1) already exists.", hint: null },
    });
    expect(await app.rest("/rpc/fail_plainly", { method: "POST", body: {} })).toMatchObject({
      status: 400,
      json: { code: "P0001", message: "plain failure", details: "the detail", hint: "the hint" },
    });
  });
});

describe("rest: tokens that are refused", () => {
  const as = (token: string) => app.rest("/letters?limit=1", { as: token });

  it.each([
    ["an expired one", mint({ role: "authenticated", exp: 1_000_000_000 })],
    ["one not valid yet", mint({ role: "authenticated", nbf: 4_000_000_000 })],
    ["one issued in the future", mint({ role: "authenticated", iat: 4_000_000_000, exp: 4_000_000_300 })],
    ["one whose expiry is no number", mint({ role: "authenticated", exp: "soon" })],
  ])("%s is 401 PGRST303", async (_what, token) => {
    const answer = await as(token);
    expect(answer).toMatchObject({ status: 401, json: { code: "PGRST303" } });
    expect(answer.headers.get("www-authenticate")).toMatch(/^Bearer error="invalid_token", error_description="/);
  });

  it.each([
    ["signed by somebody else", mint({ role: "service_role" }, "another-secret-of-at-least-thirty-two-bytes")],
    ["of two parts", "eyJhbGciOiJIUzI1NiJ9.e30"],
    [
      "without a signature",
      `${Buffer.from('{"alg":"none"}').toString("base64url")}.${Buffer.from('{"role":"service_role"}').toString("base64url")}.`,
    ],
    ["of nonsense", "a.b.c"],
  ])("A03 a token %s is 401 PGRST301", async (_what, token) => {
    const answer = await as(token);
    expect(answer).toMatchObject({ status: 401, json: { code: "PGRST301" } });
    expect(answer.headers.get("www-authenticate")).toMatch(/^Bearer error="invalid_token"/);
  });

  it("thirty seconds of leeway", async () => {
    expect((await as(mint({ role: "anon", exp: Math.floor(Date.now() / 1000) - 5 }))).status).toBe(200);
  });

  it("a role that does not exist is refused", async () => {
    const { status } = await as(mint({ role: "nobody_of_that_name" }));
    expect([401, 403]).toContain(status);
  });

  it("a role that exists and is not ours to take is refused", async () => {
    expect((await as(mint({ role: "postgres" }))).status).toBeGreaterThanOrEqual(400);
    expect((await as(mint({ role: "pg_read_all_data" }))).status).toBeGreaterThanOrEqual(400);
  });
});

describe("rest: SQLSTATE to status", () => {
  it.each([
    ["08006", 503],
    ["09000", 500],
    ["0L000", 403],
    ["0P000", 403],
    ["21000", 500],
    ["22023", 400],
    ["22P02", 400],
    ["23502", 400],
    ["23503", 409],
    ["23505", 409],
    ["23514", 400],
    ["25006", 405],
    ["25000", 500],
    ["28000", 403],
    ["2D000", 500],
    ["38000", 500],
    ["39000", 500],
    ["3B000", 500],
    ["40001", 500],
    ["40P01", 500],
    ["42501", 401],
    ["42601", 400],
    ["42703", 400],
    ["42883", 404],
    ["42P01", 404],
    ["42P17", 500],
    ["53400", 500],
    ["53300", 503],
    ["54000", 500],
    ["55000", 500],
    ["57P01", 503],
    ["57014", 500],
    ["58000", 500],
    ["F0000", 500],
    ["HV000", 500],
    ["P0001", 400],
    ["P0002", 500],
    ["XX000", 500],
    ["PT402", 402],
    ["PT404", 404],
    ["ZZZZZ", 400],
  ])("%s is %i", async (state, status) => {
    const answer = await app.rest("/rpc/fail_with", { method: "POST", body: { state } });
    expect(answer).toMatchObject({ status, json: { code: state, message: "asked to fail" } });
  });

  it("no right is 401 for the anonymous, with WWW-Authenticate, and 403 with a user's token", async () => {
    const anonymous = await app.rest("/staff_only");
    expect(anonymous).toMatchObject({ status: 401, json: { code: "42501" } });
    expect(anonymous.headers.get("www-authenticate")).toBe("Bearer");
    const known = await app.rest("/staff_only", { as: user });
    expect(known).toMatchObject({ status: 403, json: { code: "42501" } });
    expect(known.headers.get("www-authenticate")).toBeNull();
    expect((await app.rest("/staff_only", { as: app.serviceRoleKey })).status).toBe(200);
  });

  it("the constraints of a table", async () => {
    const insert = async (path: string, body: object) => {
      const { status, json } = await app.rest(path, { method: "POST", body });
      return [status, (json as { code: string }).code];
    };
    expect(await insert("/products", { sku: "A-1" })).toEqual([409, "23505"]);
    expect(await insert("/orders", { id: 1, product_id: 999 })).toEqual([409, "23503"]);
    expect(await insert("/products", { sku: null })).toEqual([400, "23502"]);
    expect(await insert("/products", { sku: "neg", quantity: -1 })).toEqual([400, "23514"]);
    expect(await insert("/types", { id: 99, kind: "western" })).toEqual([400, "22P02"]);
    expect(await insert("/notes", { body: "as nobody" })).toEqual([401, "42501"]);
  });

  it("PTnnn takes its reason phrase from the message", async () => {
    const response = await fetch(`${app.url}/rest/v1/rpc/fail_with`, {
      method: "POST",
      headers: { apikey: app.anonKey, "Content-Type": "application/json" },
      body: '{"state":"PT402"}',
    });
    expect([response.status, response.statusText]).toEqual([402, "asked to fail"]);
  });

  it("RAISE SQLSTATE 'PGRST' controls everything", async () => {
    const answer = await app.rest("/rpc/fail_with_everything", { method: "POST", body: {} });
    expect(answer).toMatchObject({
      status: 418,
      json: { code: "OWN1", message: "my message", details: "my details", hint: "my hint" },
    });
    expect(answer.headers.get("x-own")).toBe("yes");
  });

  it("RAISE SQLSTATE 'PGRST' with something else than JSON is 500 PGRST121", async () => {
    expect(await app.rest("/rpc/fail_with_garbage", { method: "POST", body: {} })).toMatchObject({
      status: 500,
      json: { code: "PGRST121" },
    });
  });
});

describe("rest: errors leak nothing", () => {
  it("B07 a forbidden schema answers as one that does not exist", async () => {
    const ask = async (schema: string) => {
      const { status, json } = await app.rest("/secrets", { headers: { "Accept-Profile": schema } });
      return JSON.stringify([status, json]).replaceAll(schema, "…");
    };
    expect(await ask("hidden")).toBe(await ask("absent"));
  });

  it("B07 hints name nothing the caller may not see", async () => {
    for (const path of ["/staff_onl", "/drop_boxx", "/secretss"]) {
      const { text } = await app.rest(path);
      expect(text).not.toMatch(/staff_only|drop_box"|hidden/);
    }
  });

  it("B01 values and names never become SQL", async () => {
    const hostile = ["1;select 1", "1' or '1'='1", "1)--", '"; drop table letters; --', "1::text", "\\x00", "$1"];
    for (const text of hostile) {
      for (const query of [
        `id=eq.${encodeURIComponent(text)}`,
        `select=${encodeURIComponent(text)}`,
        `order=${encodeURIComponent(text)}`,
        `${encodeURIComponent(text)}=eq.1`,
      ]) {
        const { status } = await app.rest(`/letters?${query}`);
        expect([200, 400, 404]).toContain(status);
      }
    }
    expect((await app.rest("/letters?select=id")).json).toHaveLength(5);
  });
});

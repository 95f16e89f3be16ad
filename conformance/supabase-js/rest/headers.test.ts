import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type App, startApp } from "../app.ts";

let app: App;
beforeAll(async () => {
  app = await startApp();
});
afterAll(() => app.stop());

const preferred = (value: string) => ({ headers: { Prefer: value } });

describe("rest: request headers", () => {
  it("takes the key from ?apikey= and keeps it out of the filters", async () => {
    const response = await fetch(`${app.url}/rest/v1/letters?id=eq.1&apikey=${app.anonKey}`);
    expect(response.status).toBe(200);
    expect(await response.json()).toEqual([{ id: 1, letter: "a" }]);
  });

  it("takes a publishable key, alone or as a bearer token", async () => {
    for (const headers of [
      { apikey: app.publishableKey },
      { apikey: app.publishableKey, Authorization: `Bearer ${app.publishableKey}` },
    ]) {
      const response = await fetch(`${app.url}/rest/v1/letters?id=eq.1`, {
        headers: headers as Record<string, string>,
      });
      expect(response.status).toBe(200);
    }
  });

  it("refuses a request without a key, and one with an unknown key", async () => {
    expect((await fetch(`${app.url}/rest/v1/letters`)).status).toBe(401);
    expect((await fetch(`${app.url}/rest/v1/letters`, { headers: { apikey: "sb_publishable_unknown" } })).status).toBe(
      401,
    );
  });

  it("reads another schema by Accept-Profile, and says which it was", async () => {
    const answer = await app.rest("/widgets?select=name&order=id", { headers: { "Accept-Profile": "extra" } });
    expect(answer).toMatchObject({ status: 200, json: [{ name: "sprocket" }, { name: "flange" }] });
    expect(answer.headers.get("content-profile")).toBe("extra");
  });

  it("names the default schema too when several are exposed", async () => {
    expect((await app.rest("/letters?limit=1")).headers.get("content-profile")).toBe("public");
  });

  it("writes and calls in another schema by Content-Profile", async () => {
    const headers = { "Content-Profile": "extra" };
    expect(await app.rest("/rpc/greet", { method: "POST", body: { name: "you" }, headers })).toMatchObject({
      status: 200,
      json: "hello you",
    });
    expect((await app.rest("/widgets", { method: "POST", body: { id: 3, name: "gear" }, headers })).status).toBe(201);
    expect((await app.rest("/widgets?id=eq.3", { method: "DELETE", headers })).status).toBe(204);
  });

  it("finds a table of another schema only there", async () => {
    expect(await app.rest("/widgets")).toMatchObject({ status: 404, json: { code: "PGRST205" } });
  });

  it.each(["hidden", "nope", "pg_catalog"])(
    "refuses the schema %s with PGRST106 and names the exposed ones",
    async (schema) => {
      const answer = await app.rest("/secrets", { headers: { "Accept-Profile": schema } });
      expect(answer).toMatchObject({ status: 406, json: { code: "PGRST106" } });
      const { message, hint } = answer.json as { message: string; hint: string };
      expect(`${message} ${hint}`).toContain("public");
      expect(`${message} ${hint}`).toContain("extra");
    },
  );

  it("accepts an empty Prefer and headers it does not know", async () => {
    const headers = {
      Prefer: "",
      "X-Client-Info": "supabase-kt/3",
      "X-Retry-Count": "2",
      traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
      tracestate: "a=b",
      baggage: "c=d",
      "X-Supabase-Api-Version": "2024-01-01",
      "Content-Type": "application/json",
    };
    expect((await app.rest("/letters?limit=1", { headers })).status).toBe(200);
  });

  it.each([
    ["text/csv;q=0.4, application/json;q=0.9", "application/json; charset=utf-8"],
    ["application/json;q=0.4, text/csv;q=0.9", "text/csv; charset=utf-8"],
    ["image/png, */*", "application/json; charset=utf-8"],
    ["APPLICATION/JSON", "application/json; charset=utf-8"],
    ["text/html, text/csv", "text/csv; charset=utf-8"],
  ])("Accept: %s gives %s", async (accept, type) => {
    const answer = await app.rest("/letters?limit=1", { headers: { Accept: accept } });
    expect(answer.status).toBe(200);
    expect(answer.headers.get("content-type")).toBe(type);
  });
});

describe("rest: Prefer", () => {
  const product = (sku: string) => ({ method: "POST", body: { sku } });

  it("return=minimal, the default, answers without a body", async () => {
    const answer = await app.rest("/products", { ...product("pref-1"), ...preferred("return=minimal") });
    expect(answer).toMatchObject({ status: 201, text: "" });
    expect(answer.headers.get("preference-applied")).toBe("return=minimal");
    expect(answer.headers.get("content-type")).toBeNull();
    const silent = await app.rest("/products", product("pref-2"));
    expect(silent).toMatchObject({ status: 201, text: "" });
    expect(silent.headers.get("preference-applied")).toBeNull();
    expect(silent.headers.get("location")).toBeNull();
  });

  it("return=representation answers with the rows, shaped by select", async () => {
    const answer = await app.rest("/products?select=sku,name", {
      ...product("pref-3"),
      ...preferred("return=representation"),
    });
    expect(answer).toMatchObject({ status: 201, json: [{ sku: "pref-3", name: "unnamed" }] });
    expect(answer.headers.get("preference-applied")).toBe("return=representation");
  });

  it("return=headers-only answers with the row's location", async () => {
    const answer = await app.rest("/pair_key", {
      method: "POST",
      body: { a: 9, b: 9 },
      ...preferred("return=headers-only"),
    });
    expect(answer).toMatchObject({ status: 201, text: "" });
    expect(answer.headers.get("location")).toBe("/pair_key?a=eq.9&b=eq.9");
  });

  it("handling=strict refuses what it does not understand, handling=lenient and nothing at all ignore it", async () => {
    const strict = await app.rest("/letters", preferred("handling=strict, sparkles=on"));
    expect(strict).toMatchObject({ status: 400, json: { code: "PGRST122" } });
    expect((strict.json as { details: string }).details).toContain("sparkles=on");
    expect((await app.rest("/letters", preferred("handling=lenient, sparkles=on"))).status).toBe(200);
    expect((await app.rest("/letters", preferred("return=stripped-nulls"))).status).toBe(200);
  });

  it("max-affected undoes a write of more rows, under handling=strict only", async () => {
    const change = (prefer: string) =>
      app.rest("/letters?id=lte.3", { method: "PATCH", body: { letter: "z" }, ...preferred(prefer) });
    expect(await change("handling=strict, max-affected=2")).toMatchObject({ status: 400, json: { code: "PGRST124" } });
    expect((await app.rest("/letters?letter=eq.z")).json).toEqual([]);
    const allowed = await change("handling=strict, max-affected=3");
    expect(allowed.status).toBe(204);
    expect(allowed.headers.get("preference-applied")).toBe("handling=strict, max-affected=3");
    expect((await change("max-affected=1")).status).toBe(204);
  });

  it("max-affected holds for DELETE", async () => {
    const answer = await app.rest("/letters", { method: "DELETE", ...preferred("handling=strict, max-affected=1") });
    expect(answer).toMatchObject({ status: 400, json: { code: "PGRST124" } });
    expect((await app.rest("/letters?select=id")).json).toHaveLength(5);
  });

  it("max-affected holds for functions that return a set, and is PGRST128 for others", async () => {
    const strict = preferred("handling=strict, max-affected=1");
    expect(await app.rest("/rpc/bump", { method: "POST", body: {}, ...strict })).toMatchObject({
      status: 400,
      json: { code: "PGRST124" },
    });
    expect(await app.rest("/rpc/say_hello", { method: "POST", body: {}, ...strict })).toMatchObject({
      status: 400,
      json: { code: "PGRST128" },
    });
  });

  it("tx=rollback is ignored unless the server allows it", async () => {
    const answer = await app.rest("/products", { ...product("pref-kept"), ...preferred("tx=rollback") });
    expect(answer.status).toBe(201);
    expect(answer.headers.get("preference-applied")).toBeNull();
    expect((await app.rest("/products?sku=eq.pref-kept&select=sku")).json).toHaveLength(1);
  });

  it("timezone holds for the request, and an unknown one is ignored or refused", async () => {
    const zone = async (prefer: string) =>
      ((await app.rest("/rpc/who_am_i", preferred(prefer))).json as { timezone: string }).timezone;
    const usual = await zone("");
    expect(await zone("timezone=America/Los_Angeles")).toBe("America/Los_Angeles");
    expect(await zone("timezone=Middle/Earth")).toBe(usual);
    expect(await app.rest("/types?select=moment&id=eq.1", preferred("timezone=America/Los_Angeles"))).toMatchObject({
      json: [{ moment: "2023-12-31T16:00:00-08:00" }],
    });
    expect(await app.rest("/letters", preferred("handling=strict, timezone=Middle/Earth"))).toMatchObject({
      status: 400,
      json: { code: "PGRST122" },
    });
  });

  it("takes the first of each kind, and whitespace does not count", async () => {
    const answer = await app.rest("/letters?limit=1", preferred("  count=exact ,count=planned"));
    expect(answer.headers.get("preference-applied")).toBe("count=exact");
    expect(answer.headers.get("content-range")).toBe("0-0/5");
  });

  it("lists what was applied in the dialect's order", async () => {
    const answer = await app.rest("/products?on_conflict=sku", {
      method: "POST",
      body: [{ sku: "pref-order" }],
      headers: {
        Prefer:
          "timezone=UTC, handling=strict, count=exact, return=representation, missing=default, resolution=merge-duplicates",
      },
    });
    expect(answer.status).toBe(201);
    expect(answer.headers.get("preference-applied")).toBe(
      "resolution=merge-duplicates, missing=default, return=representation, count=exact, handling=strict, timezone=UTC",
    );
  });

  it("lists nothing that does not apply to the method", async () => {
    const answer = await app.rest(
      "/letters?limit=1",
      preferred("return=representation, resolution=merge-duplicates, missing=default"),
    );
    expect(answer.status).toBe(200);
    expect(answer.headers.get("preference-applied")).toBeNull();
  });
});

describe("rest: Prefer: tx, where the server allows it", () => {
  let generous: App;
  beforeAll(async () => {
    generous = await startApp({ data: { txEnd: "commit-allow-override" } });
  });
  afterAll(() => generous.stop());

  it("tx=rollback answers as if, and keeps nothing", async () => {
    const answer = await generous.rest("/products", {
      method: "POST",
      body: { sku: "never" },
      ...preferred("tx=rollback, return=representation"),
    });
    expect(answer).toMatchObject({ status: 201, json: [{ sku: "never" }] });
    expect(answer.headers.get("preference-applied")).toBe("return=representation, tx=rollback");
    expect((await generous.rest("/products?sku=eq.never")).json).toEqual([]);
  });

  it("tx=commit keeps it", async () => {
    await generous.rest("/products", { method: "POST", body: { sku: "kept" }, ...preferred("tx=commit") });
    expect((await generous.rest("/products?sku=eq.kept&select=sku")).json).toEqual([{ sku: "kept" }]);
  });
});

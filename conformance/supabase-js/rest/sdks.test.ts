import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type App, startApp } from "../app.ts";

let app: App;
beforeAll(async () => {
  app = await startApp();
});
afterAll(() => app.stop());

const json = { "Content-Type": "application/json", Accept: "application/json" };

/** What the clients of other languages send that supabase-js never does, as their sources show. */
describe("rest: supabase-swift", () => {
  it("sends Content-Type and Accept on every request, and no body with a call", async () => {
    expect(await app.rest("/letters?id=eq.1", { headers: json })).toMatchObject({ status: 200, json: [{ id: 1 }] });
    expect(await app.rest("/rpc/say_hello", { method: "POST", headers: json })).toMatchObject({
      status: 200,
      json: 'hello "world"',
    });
  });

  it("maybeSingle reads the number before the word row", async () => {
    const answer = await app.rest("/letters?id=eq.99", {
      headers: { ...json, Accept: "application/vnd.pgrst.object+json" },
    });
    const details = (answer.json as { details: string }).details;
    const words = details.split(" ");
    expect(words[words.findIndex((word) => word.startsWith("row")) - 1]).toBe("0");
  });

  it("stripNulls sends a preference nobody knows", async () => {
    const answer = await app.rest("/letters?id=eq.1", { headers: { ...json, Prefer: "return=stripped-nulls" } });
    expect(answer.status).toBe(200);
  });
});

describe("rest: supabase-kt", () => {
  it("names columns without quotes, and always sends an array", async () => {
    const answer = await app.rest("/products?columns=sku,name&select=sku,name", {
      method: "POST",
      body: [{ sku: "kt-1", name: "k" }],
      headers: { Prefer: "return=representation" },
    });
    expect(answer).toMatchObject({ status: 201, json: [{ sku: "kt-1", name: "k" }] });
  });

  it("always orders with direction and nulls, and sends an empty Prefer and a Content-Type on GET", async () => {
    const answer = await app.rest("/letters?select=id&order=id.desc.nullslast&limit=1", {
      headers: { ...json, Prefer: "" },
    });
    expect(answer).toMatchObject({ status: 200, json: [{ id: 5 }] });
  });

  it("negates logic within an embed from the front", async () => {
    const answer = await app.rest("/directors?select=id,films(id)&id=eq.1&not.films.or=(id.eq.1,id.eq.3)");
    expect(answer.json).toEqual([{ id: 1, films: [{ id: 2 }] }]);
  });
});

describe("rest: supabase-flutter", () => {
  it("posts null to call without arguments", async () => {
    expect(await app.rest("/rpc/say_hello", { method: "POST", body: "null", headers: json })).toMatchObject({
      status: 200,
    });
  });

  it("eq with a list, and in with every element quoted", async () => {
    expect((await app.rest("/films?select=id&tags=eq.{road}")).json).toEqual([{ id: 2 }]);
    expect((await app.rest('/films?select=id&order=id&id=in.("1","3")')).json).toEqual([{ id: 1 }, { id: 3 }]);
  });

  it("counts by HEAD", async () => {
    const answer = await app.rest("/letters", { method: "HEAD", headers: { Prefer: "count=exact" } });
    expect(answer.status).toBe(200);
    expect(answer.headers.get("content-range")).toBe("0-4/5");
  });

  it("appends nulls=stripped to whatever it accepts", async () => {
    const ask = (accept: string) =>
      app.rest("/films?select=id,genre&id=eq.4", { headers: { Accept: `${accept};nulls=stripped` } });
    expect((await ask("application/vnd.pgrst.object+json")).json).toEqual({ id: 4 });
    expect((await ask("application/json")).json).toEqual([{ id: 4, genre: null }]);
  });

  it("ends a media type with a semicolon", async () => {
    const answer = await app.rest("/letters", { headers: { Accept: "application/geo+json;" } });
    expect(answer.status).toBeLessThan(500);
    expect((await app.rest("/letters?limit=1", { headers: { Accept: "application/json;" } })).status).toBe(200);
  });
});

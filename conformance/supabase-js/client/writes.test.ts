import { randomUUID } from "node:crypto";
import type { SupabaseClient } from "@supabase/supabase-js";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type App, startApp } from "../app.ts";

let app: App;
let db: SupabaseClient;
beforeAll(async () => {
  app = await startApp({ data: { txEnd: "commit-allow-override" } });
  db = app.client();
});
afterAll(() => app.stop());

const sku = () => randomUUID();
// A client without generated types does not know which PostgREST it talks to, and its type closes this method; the method itself works.
const atMost = <B extends { maxAffected(rows: number): unknown }>(query: B, rows: number): B =>
  query.maxAffected(rows) as B;

describe("supabase-js insert", () => {
  it("one row, silently", async () => {
    const { data, error, status, statusText } = await db.from("products").insert({ sku: sku() });
    expect([data, error, status, statusText]).toEqual([null, null, 201, "Created"]);
  });

  it("many rows, returned", async () => {
    const [a, b] = [sku(), sku()];
    const { data } = await db
      .from("products")
      .insert([{ sku: a }, { sku: b, name: "b" }])
      .select("sku, name");
    expect(data).toEqual([
      { sku: a, name: null },
      { sku: b, name: "b" },
    ]);
  });

  it("defaultToNull: false takes defaults for what is missing", async () => {
    const [a, b] = [sku(), sku()];
    const { data } = await db
      .from("products")
      .insert([{ sku: a }, { sku: b, quantity: 4 }], { defaultToNull: false })
      .select("sku, quantity");
    expect(data).toEqual([
      { sku: a, quantity: 1 },
      { sku: b, quantity: 4 },
    ]);
  });

  it("count, single, json and arrays", async () => {
    expect((await db.from("products").insert([{ sku: sku() }, { sku: sku() }], { count: "exact" })).count).toBe(2);
    const row = { sku: sku(), attributes: { a: [1, { b: null }] }, labels: ["x", "with, comma", 'quo"te'] };
    const { data } = await db.from("products").insert(row).select("sku, attributes, labels").single();
    expect(data).toEqual(row);
  });

  it("a bigint goes through", async () => {
    const { data, error } = await db
      .from("types")
      .insert({ id: 10, big: 9007199254740993n })
      .select("big::text")
      .single();
    expect([error, data]).toEqual([null, { big: "9007199254740993" }]);
  });

  it("a duplicate is 409 23505 with details", async () => {
    const { error, status } = await db.from("products").insert({ sku: "A-1" });
    expect(status).toBe(409);
    expect(error).toMatchObject({ code: "23505", details: "Key (sku)=(A-1) already exists." });
  });
});

describe("supabase-js upsert", () => {
  it("merges by primary key", async () => {
    const { data, status } = await db
      .from("products")
      .upsert({ id: 1, sku: "A-1", name: "merged" })
      .select("id, name, quantity");
    expect([status, data]).toEqual([200, [{ id: 1, name: "merged", quantity: 10 }]]);
  });

  it("merges by onConflict", async () => {
    const { data } = await db
      .from("products")
      .upsert([{ sku: "B-2", name: "bell two" }], { onConflict: "sku", count: "exact" })
      .select("id, name");
    expect(data).toEqual([{ id: 2, name: "bell two" }]);
  });

  it("ignoreDuplicates keeps what is there", async () => {
    const fresh = sku();
    const { data } = await db
      .from("products")
      .upsert(
        [
          { sku: "C-3", name: "no" },
          { sku: fresh, name: "yes" },
        ],
        { onConflict: "sku", ignoreDuplicates: true },
      )
      .select("sku");
    expect(data).toEqual([{ sku: fresh }]);
    expect((await db.from("products").select("name").eq("sku", "C-3").single()).data).toEqual({ name: "Cog" });
  });

  it("by several columns, and with defaultToNull: false", async () => {
    const { data, error } = await db
      .from("pair_key")
      .upsert(
        [
          { a: 1, b: 1, note: "first" },
          { a: 7, b: 7 },
        ],
        { onConflict: "a,b", defaultToNull: false },
      )
      .select();
    expect(error).toBeNull();
    expect(data).toEqual([
      { a: 1, b: 1, note: "first" },
      { a: 7, b: 7, note: null },
    ]);
  });
});

describe("supabase-js update and delete", () => {
  it("update returns rows, a count, or nothing", async () => {
    expect((await db.from("products").update({ quantity: 5 }).eq("id", 3).select("id, quantity")).data).toEqual([
      { id: 3, quantity: 5 },
    ]);
    const counted = await db.from("products").update({ quantity: 6 }, { count: "exact" }).in("id", [1, 3]);
    expect([counted.count, counted.data, counted.status]).toEqual([2, null, 204]);
    expect((await db.from("products").update({ quantity: 7 }).eq("id", 999).select()).data).toEqual([]);
  });

  it("update().single() of several undoes all", async () => {
    const { error } = await db.from("products").update({ name: "several" }).in("id", [1, 2]).select().single();
    expect(error?.code).toBe("PGRST116");
    expect((await db.from("products").select("id").eq("name", "several")).data).toEqual([]);
  });

  it("maxAffected undoes what touches more", async () => {
    const refused = await atMost(db.from("letters").update({ letter: "m" }).lte("id", 3), 2);
    expect([refused.status, refused.error?.code]).toEqual([400, "PGRST124"]);
    expect((await atMost(db.from("letters").update({ letter: "m" }).lte("id", 3), 3)).error).toBeNull();
    expect((await atMost(db.from("letters").delete().gte("id", 1), 1)).error?.code).toBe("PGRST124");
    expect((await db.from("letters").select("*", { count: "exact", head: true })).count).toBe(5);
  });

  it("rollback answers as if, and keeps nothing", async () => {
    const gone = sku();
    expect((await db.from("products").insert({ sku: gone }).select("sku").rollback()).data).toEqual([{ sku: gone }]);
    expect((await db.from("products").select().eq("sku", gone)).data).toEqual([]);
  });

  it("delete returns rows, a count, or nothing", async () => {
    await db.from("letters").insert([
      { id: 21, letter: "x" },
      { id: 22, letter: "y" },
      { id: 23, letter: "z" },
    ]);
    expect((await db.from("letters").delete().eq("id", 21).select()).data).toEqual([{ id: 21, letter: "x" }]);
    expect((await db.from("letters").delete({ count: "exact" }).gte("id", 22)).count).toBe(2);
    expect((await db.from("letters").delete().eq("id", 99)).status).toBe(204);
  });

  it("csv and stripNulls of what was written", async () => {
    const one = sku();
    const { data } = await db.from("products").insert({ sku: one }).select("sku,attributes").csv();
    expect(data?.trim()).toBe(`sku,attributes\n${one},`);
    expect(
      (await db.from("products").update({ quantity: 2 }).eq("sku", one).select("sku, attributes").stripNulls()).data,
    ).toEqual([{ sku: one }]);
  });
});

describe("supabase-js rpc", () => {
  it("POST with and without arguments", async () => {
    expect((await db.rpc("add_them", { a: 1, b: 2 })).data).toBe(3);
    expect((await db.rpc("say_hello")).data).toBe('hello "world"');
    const none = await db.rpc("no_answer");
    expect([none.data, none.error, none.status]).toEqual([null, null, 204]);
  });

  it("get, with arrays and without what is undefined", async () => {
    expect((await db.rpc("total", { parts: [1, 2, 3] }, { get: true })).data).toBe(6);
    expect((await db.rpc("add_them", { a: 1, b: undefined }, { get: true })).data).toBe(11);
  });

  it("head and count", async () => {
    const head = await db.rpc("all_films", {}, { head: true, count: "exact" });
    expect([head.count, head.data, head.error]).toEqual([5, null, null]);
    const withObject = await db.rpc("keys_of", { doc: { a: 1 } }, { head: true });
    expect([withObject.data, withObject.error]).toEqual([null, null]);
    expect((await db.rpc("all_films", {}, { count: "exact" }).limit(1)).count).toBe(5);
  });

  it("select, filters, order, limit, single on what it returns", async () => {
    const { data } = await db
      .rpc("all_films")
      .select("id, directors(last_name)")
      .lt("year", 1960)
      .order("year")
      .limit(1)
      .single();
    expect(data).toEqual({ id: 5, directors: null });
    expect((await db.rpc("film_by_id", { film: 1 }).select("title")).data).toEqual({ title: "Cléo from 5 to 7" });
  });

  it("maxAffected", async () => {
    const { error } = await atMost(db.rpc("bump", { step: 1 }), 1);
    expect(error?.code).toBe("PGRST124");
  });

  it("a function that reads only cannot be made to write by get", async () => {
    const { error, status } = await db.rpc("add_letter", { letter_id: 66 }, { get: true });
    expect([status, error?.code]).toEqual([405, "25006"]);
  });

  it("an unknown one is PGRST202", async () => {
    expect((await db.rpc("nothing_here", { a: 1 })).error?.code).toBe("PGRST202");
  });
});

describe("supabase-js against keys", () => {
  it("publishable and service role keys", async () => {
    expect((await app.client(app.publishableKey).from("letters").select("id").eq("id", 1)).data).toEqual([{ id: 1 }]);
    expect((await app.client(app.serviceRoleKey).from("staff_only").select()).error).toBeNull();
    expect((await db.from("staff_only").select()).error?.code).toBe("42501");
  });

  it("an unknown key is 401", async () => {
    const { status, error } = await app.client("sb_publishable_unknown").from("letters").select();
    expect(status).toBe(401);
    expect(error?.message).toBeTruthy();
  });
});

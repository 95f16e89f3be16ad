import type { SupabaseClient } from "@supabase/supabase-js";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type App, startApp } from "../app.ts";

let app: App;
let db: SupabaseClient;
beforeAll(async () => {
  app = await startApp({ data: { planEnabled: true } });
  db = app.client();
});
afterAll(() => app.stop());

const idsOf = (data: unknown) => (data as { id: number }[]).map((row) => row.id);

describe("supabase-js filters", () => {
  // One line per method of PostgrestFilterBuilder; `films` builds the request, the ids are what it must keep.
  const films = () => db.from("films").select("id").order("id");
  type Films = ReturnType<typeof films>;
  const cases: [method: string, build: (query: Films) => Films, expected: number[]][] = [
    ["eq", (q) => q.eq("id", 3), [3]],
    ["neq", (q) => q.neq("id", 3), [1, 2, 4, 5]],
    ["gt", (q) => q.gt("year", 1962), [2]],
    ["gte", (q) => q.gte("year", 1962), [1, 2]],
    ["lt", (q) => q.lt("year", 1952), [5]],
    ["lte", (q) => q.lte("year", 1952), [4, 5]],
    ["like", (q) => q.like("title", "%a%"), [2, 3]],
    ["likeAllOf", (q) => q.likeAllOf("title", ["V%", "%d"]), [2]],
    ["likeAnyOf", (q) => q.likeAnyOf("title", ["V%", "I%"]), [2, 4]],
    ["ilike", (q) => q.ilike("title", "%SAMURAI"), [3]],
    ["ilikeAllOf", (q) => q.ilikeAllOf("title", ["v%", "%D"]), [2]],
    ["ilikeAnyOf", (q) => q.ilikeAnyOf("title", ["v%", "i%"]), [2, 4]],
    ["regexMatch", (q) => q.regexMatch("title", "^[CV]"), [1, 2]],
    ["regexIMatch", (q) => q.regexIMatch("title", "^ik"), [4]],
    ["is null", (q) => q.is("director_id", null), [5]],
    ["is true", (q) => q.is("is_restored", true), [1, 3]],
    ["isDistinct", (q) => q.isDistinct("director_id", 1), [3, 4, 5]],
    ["in", (q) => q.in("id", [1, 3, 3]), [1, 3]],
    ["in with reserved characters", (q) => q.in("title", ["Cléo from 5 to 7", "a,b", "(c)"]), [1]],
    ["notIn", (q) => q.notIn("id", [1, 2]), [3, 4, 5]],
    ["contains an array", (q) => q.contains("tags", ["black-and-white"]), [1, 3]],
    ["contains an object", (q) => q.contains("details", { lang: "fr", cast: { lead: "Corinne" } }), [1]],
    ["contains a range", (q) => q.contains("on_show", "[2026-01-20,2026-01-25)"), [1, 3]],
    ["containedBy an array", (q) => q.containedBy("tags", ["road", "lost"]), [2, 4, 5]],
    ["containedBy an object", (q) => q.containedBy("details", { lang: "ja", score: null, more: 1 }), [4]],
    ["containedBy a range", (q) => q.containedBy("on_show", "[2026-01-01,2026-03-01)"), [1, 2]],
    ["rangeGt", (q) => q.rangeGt("on_show", "[2025-12-01,2026-01-10)"), [2, 3]],
    ["rangeGte", (q) => q.rangeGte("on_show", "[2026-01-15,2026-02-01)"), [2, 3]],
    ["rangeLt", (q) => q.rangeLt("on_show", "[2026-02-01,2026-03-01)"), [1]],
    ["rangeLte", (q) => q.rangeLte("on_show", "[2026-01-01,2026-03-01)"), [1, 2]],
    ["rangeAdjacent", (q) => q.rangeAdjacent("on_show", "[2026-02-01,2026-03-01)"), [1]],
    ["overlaps an array", (q) => q.overlaps("tags", ["road", "epic"]), [2, 3]],
    ["overlaps a range", (q) => q.overlaps("on_show", "[2026-02-10,2026-02-20]"), [2, 3]],
    ["textSearch", (q) => q.textSearch("summary", "winter | clerk"), [2, 4]],
    ["textSearch with a configuration", (q) => q.textSearch("summary", "roads", { config: "english" }), [2]],
    ["textSearch plain", (q) => q.textSearch("summary", "seven bandits", { type: "plain" }), [3]],
    ["textSearch phrase", (q) => q.textSearch("summary", "seven samurai", { type: "phrase" }), [3]],
    [
      "textSearch websearch",
      (q) => q.textSearch("summary_tsv", "winter or clerk", { type: "websearch", config: "english" }),
      [2, 4],
    ],
    ["match", (q) => q.match({ genre: "drama", director_id: 2, year: undefined }), [3]],
    ["not", (q) => q.not("id", "in", "(1,2)"), [3, 4, 5]],
    ["not is null", (q) => q.not("director_id", "is", null), [1, 2, 3, 4]],
    ["or", (q) => q.or("id.eq.5,and(year.lt.1960,genre.eq.drama)"), [3, 5]],
    ["filter", (q) => q.filter("tags", "cs", "{epic}"), [3]],
    ["filter with not", (q) => q.filter("id", "not.in", "(1,2,3)"), [4, 5]],
    ["filter on a JSON path", (q) => q.eq("details->>lang", "ja"), [3, 4]],
    ["several", (q) => q.gte("year", 1950).lt("year", 1960).eq("genre", "drama"), [3]],
  ];

  it.each(cases)("%s", async (_method, build, expected) => {
    const { data, error, status } = await build(films());
    expect([error, status]).toEqual([null, 200]);
    expect(idsOf(data)).toEqual(expected);
  });

  it("or and order and limit and range of a referenced table", async () => {
    const base = () => db.from("directors").select("id, films(id)").eq("id", 2);
    expect((await base().or("id.eq.3,year.eq.1900", { referencedTable: "films" })).data).toEqual([
      { id: 2, films: [{ id: 3 }] },
    ]);
    expect((await base().order("year", { referencedTable: "films" })).data).toEqual([
      { id: 2, films: [{ id: 4 }, { id: 3 }] },
    ]);
    expect(
      (await base().order("id", { referencedTable: "films", ascending: false }).limit(1, { referencedTable: "films" }))
        .data,
    ).toEqual([{ id: 2, films: [{ id: 4 }] }]);
    expect(
      (await base().order("id", { referencedTable: "films" }).range(1, 1, { referencedTable: "films" })).data,
    ).toEqual([{ id: 2, films: [{ id: 4 }] }]);
    expect((await base().eq("films.year", 1954)).data).toEqual([{ id: 2, films: [{ id: 3 }] }]);
  });
});

describe("supabase-js select", () => {
  it("columns, aliases, casts, JSON, embeds, spreads, with whitespace and line breaks", async () => {
    const { data, error } = await db
      .from("films")
      .select(
        `
        id,
        name: title,
        year::text,
        lead: details->cast->>lead,
        director: directors!inner ( last_name ),
        actors ( name ),
        ...technical_specs ( camera )
      `,
      )
      .eq("id", 1);
    expect(error).toBeNull();
    expect(data).toEqual([
      {
        id: 1,
        name: "Cléo from 5 to 7",
        year: "1962",
        lead: "Corinne",
        director: { last_name: "Varda" },
        actors: [{ name: "Corinne Marchand" }],
        camera: "Cameflex",
      },
    ]);
  });

  it("count: exact, planned, estimated, and head", async () => {
    const exact = await db.from("letters").select("*", { count: "exact" }).limit(2);
    expect([exact.count, exact.data?.length, exact.status]).toEqual([5, 2, 206]);
    const head = await db.from("letters").select("*", { count: "exact", head: true });
    expect([head.count, head.data, head.error, head.status]).toEqual([5, null, null, 200]);
    for (const count of ["planned", "estimated"] as const) {
      expect((await db.from("letters").select("*", { count })).count).toBeTypeOf("number");
    }
  });

  it("rel(count)", async () => {
    expect((await db.from("directors").select("id, films(count)").eq("id", 1)).data).toEqual([
      { id: 1, films: [{ count: 2 }] },
    ]);
  });

  it("order, several times, with nulls and by a to-one embed", async () => {
    const nullsFirst = await db
      .from("films")
      .select("id")
      .order("director_id", { nullsFirst: true })
      .order("year", { ascending: false });
    expect(idsOf(nullsFirst.data)).toEqual([5, 2, 1, 3, 4]);
    const byDirector = await db
      .from("films")
      .select("id, directors(last_name)")
      .order("directors(last_name)", { ascending: false, nullsFirst: false })
      .order("id");
    expect(idsOf(byDirector.data)).toEqual([1, 2, 3, 4, 5]);
  });

  it("limit and range", async () => {
    expect(idsOf((await db.from("letters").select("id").order("id").limit(2)).data)).toEqual([1, 2]);
    expect(idsOf((await db.from("letters").select("id").order("id").range(1, 3)).data)).toEqual([2, 3, 4]);
    const beyond = await db.from("letters").select("id", { count: "exact" }).range(100, 110);
    expect([beyond.status, beyond.error?.code]).toEqual([416, "PGRST103"]);
  });

  it("single", async () => {
    expect((await db.from("letters").select().eq("id", 1).single()).data).toEqual({ id: 1, letter: "a" });
    const none = await db.from("letters").select().eq("id", 99).single();
    expect([none.status, none.error?.code, none.data]).toEqual([406, "PGRST116", null]);
    expect((await db.from("letters").select().single()).error?.code).toBe("PGRST116");
  });

  it("maybeSingle", async () => {
    expect((await db.from("letters").select().eq("id", 1).maybeSingle()).data).toEqual({ id: 1, letter: "a" });
    const none = await db.from("letters").select().eq("id", 99).maybeSingle();
    expect([none.data, none.error, none.status]).toEqual([null, null, 200]);
    expect((await db.from("letters").select().maybeSingle()).error?.code).toBe("PGRST116");
  });

  it("csv", async () => {
    expect((await db.from("letters").select().lte("id", 2).order("id").csv()).data?.trim()).toBe("id,letter\n1,a\n2,b");
  });

  it("geojson without PostGIS says so", async () => {
    const { data, error } = await db.from("letters").select().geojson();
    expect(data).toBeNull();
    expect(error?.message).toBeTruthy();
  });

  it("explain, as text and as JSON", async () => {
    const text = await db.from("letters").select().eq("id", 1).explain({ analyze: true, verbose: true });
    expect(text.data).toMatch(/actual time/);
    const json = await db.from("letters").select().explain({ format: "json", settings: true, buffers: true });
    expect(json.data).toEqual([expect.objectContaining({ Plan: expect.any(Object) })]);
  });

  it("stripNulls, on lists and single objects", async () => {
    const query = () => db.from("films").select("id, genre").eq("id", 4);
    expect((await query().stripNulls()).data).toEqual([{ id: 4 }]);
    expect((await query().single().stripNulls()).data).toEqual({ id: 4 });
  });

  it("returns, overrideTypes and throwOnError change types and errors only", async () => {
    const typed = await db.from("letters").select().eq("id", 1).returns<{ id: number; letter: string }[]>();
    expect(typed.data?.[0]?.letter).toBe("a");
    const overridden = await db
      .from("letters")
      .select()
      .eq("id", 1)
      .overrideTypes<{ id: number; letter: string }[], { merge: false }>();
    expect(overridden.data?.[0]?.letter).toBe("a");
    await expect(db.from("nothing_here").select().throwOnError()).rejects.toMatchObject({ code: "PGRST205" });
  });

  it("abortSignal", async () => {
    const controller = new AbortController();
    controller.abort();
    const { data, error } = await db.from("letters").select().abortSignal(controller.signal);
    expect(data).toBeNull();
    expect(error?.message).toMatch(/abort/i);
  });

  it("setHeader and retry", async () => {
    const { data } = await db.rpc("who_am_i").setHeader("X-Shoe-Size", "42").retry(false);
    expect((data as { headers: Record<string, string> }).headers["x-shoe-size"]).toBe("42");
  });

  it("schema()", async () => {
    expect((await db.schema("extra").from("widgets").select("name").order("id")).data).toEqual([
      { name: "sprocket" },
      { name: "flange" },
    ]);
    expect((await db.schema("extra").rpc("greet", { name: "js" })).data).toBe("hello js");
    const refused = await db.schema("hidden").from("secrets").select();
    expect([refused.status, refused.error?.code]).toEqual([406, "PGRST106"]);
  });

  it("names with spaces and quotes", async () => {
    const { data, error } = await db.from("Strange names").select('"with space", "dot.ted"').eq('"with space"', "s");
    expect([error, data]).toEqual([null, [{ "with space": "s", "dot.ted": "d" }]]);
  });

  it("an error is a PostgrestError with the server's four words", async () => {
    const { error, status, data } = await db.from("films").select("nope");
    expect([status, data]).toEqual([400, null]);
    expect(error).toMatchObject({ code: "42703", message: expect.stringContaining("nope") });
  });
});

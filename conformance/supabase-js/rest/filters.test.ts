import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type App, startApp } from "../app.ts";

let app: App;
beforeAll(async () => {
  app = await startApp();
});
afterAll(() => app.stop());

/** The ids of the rows that `query` keeps, in order of id. */
async function ids(relation: string, query: string): Promise<unknown> {
  const { status, json } = await app.rest(`/${relation}?select=id&order=id&${query}`);
  return status === 200 ? (json as { id: number }[]).map((row) => row.id) : { status, json };
}
const encoded = encodeURIComponent;

describe("rest: query string", () => {
  it.each([
    ["+ means space", "phrases", "text=eq.with+(parens)", [3]],
    ["percent-encoding", "phrases", `text=eq.${encoded("with, comma")}`, [2]],
    ["a parameter without = is no filter", "letters", "letter&id=eq.1", [1]],
    ["a quoted column", "Strange%20names", `${encoded('"with space"')}=eq.s`, [1]],
    ["an unquoted column with an inner space", "Strange%20names", "with%20space=eq.s", [1]],
    ["a quoted column with a dot", "Strange%20names", `${encoded('"dot.ted"')}=eq.d`, [1]],
    ["a quoted column with a comma", "Strange%20names", `${encoded('"a,b"')}=eq.c`, [1]],
    ["a quoted column with parentheses", "Strange%20names", `${encoded('"(paren)"')}=eq.p`, [1]],
    ["a quoted column with an escaped quote", "Strange%20names", `${encoded('"quo\\"te"')}=eq.q`, [1]],
    ["a hyphen and a letter beyond ASCII", "Strange%20names", `${encoded("naïve-col")}=eq.n`, [1]],
    ["a JSON key with ->>", "films", "details->>lang=eq.ja", [3, 4]],
    ["a JSON path with -> and ->>", "films", "details->cast->>lead=eq.Toshiro", [3]],
    ["a JSON array index", "films", "details->awards->>0=eq.cannes", [1]],
    ["a negative JSON array index", "films", "details->awards->>-1=eq.syndicat", [1]],
    ["a JSON path on an array column", "films", "tags->>0=eq.road", [2]],
    ["a JSON path on a composite column", "films", "frame->>width=eq.137", [3]],
    ["the same key twice is AND", "films", "year=gte.1950&year=lt.1960", [3, 4]],
  ])("%s", async (_rule, relation, query, expected) => {
    expect(await ids(relation, query)).toEqual(expected);
  });

  it("takes the first select of two", async () => {
    expect((await app.rest("/letters?select=id&select=letter&id=eq.1")).json).toEqual([{ id: 1 }]);
  });
});

describe("rest: filters", () => {
  it.each([
    ["eq", "id=eq.3", [3]],
    ["neq", "id=neq.3", [1, 2, 4, 5]],
    ["gt", "year=gt.1962", [2]],
    ["gte", "year=gte.1962", [1, 2]],
    ["lt", "year=lt.1952", [5]],
    ["lte", "year=lte.1952", [4, 5]],
    ["like", "title=like.*a*", [2, 3]],
    ["like is case-sensitive", "title=like.*samurai", []],
    ["like with %", `title=like.${encoded("Sev%")}`, [3]],
    ["ilike", "title=ilike.*SAMURAI", [3]],
    ["match", `title=match.${encoded("^[CV]")}`, [1, 2]],
    ["imatch", `title=imatch.${encoded("^ik")}`, [4]],
    ["in", "id=in.(1,3)", [1, 3]],
    ["in with nothing", "id=in.()", []],
    ["is null", "director_id=is.null", [5]],
    ["is not_null", "director_id=is.not_null", [1, 2, 3, 4]],
    ["is true", "is_restored=is.true", [1, 3]],
    ["is false", "is_restored=is.false", [4]],
    ["is unknown", "is_restored=is.unknown", [2, 5]],
    ["is in capitals", "director_id=is.NULL", [5]],
    ["isdistinct keeps null", "director_id=isdistinct.1", [3, 4, 5]],
    ["fts", "summary=fts.winter", [2]],
    ["fts with operators", `summary=fts.${encoded("winter | clerk")}`, [2, 4]],
    ["fts with a configuration", "summary=fts(english).roads", [2]],
    ["fts with another configuration", "summary=fts(simple).road", []],
    ["plfts", "summary=plfts.seven%20bandits", [3]],
    ["phfts", "summary=phfts.seven%20samurai", [3]],
    ["phfts wants the order", "summary=phfts.samurai%20seven", []],
    ["wfts", `summary=wfts.${encoded("winter or clerk")}`, [2, 4]],
    ["fts on a tsvector column", "summary_tsv=fts.singer", [1]],
    ["not fts", "summary=not.fts.winter", [1, 3, 4]],
    ["cs on an array", "tags=cs.{black-and-white}", [1, 3]],
    ["cs on an array, all of them", "tags=cs.{black-and-white,epic}", [3]],
    ["cd on an array", "tags=cd.{road,lost}", [2, 4, 5]],
    ["ov on an array", "tags=ov.{road,epic}", [2, 3]],
    ["cs on json", `details=cs.${encoded('{"lang":"fr"}')}`, [1, 2]],
    ["cs on a range", "on_show=cs.[2026-01-20,2026-01-25)", [1, 3]],
    ["cd on a range", "on_show=cd.[2026-01-01,2026-03-01)", [1, 2]],
    ["ov on a range", "on_show=ov.[2026-02-10,2026-02-20]", [2, 3]],
    ["sl", "on_show=sl.[2026-02-01,2026-03-01)", [1]],
    ["sr", "on_show=sr.[2025-12-01,2026-01-10)", [2, 3]],
    ["nxr", "on_show=nxr.[2026-01-01,2026-03-01)", [1, 2]],
    ["nxl", "on_show=nxl.[2026-01-15,2026-02-01)", [2, 3]],
    ["adj", "on_show=adj.[2026-02-01,2026-03-01)", [1]],
    ["not.eq", "id=not.eq.3", [1, 2, 4, 5]],
    ["not.in", "id=not.in.(1,2)", [3, 4, 5]],
    ["not.is.null", "director_id=not.is.null", [1, 2, 3, 4]],
    ["not.like", "title=not.like.*a*", [1, 4, 5]],
    ["eq(any)", "id=eq(any).{1,5}", [1, 5]],
    ["gt(all)", "year=gt(all).{1950,1960}", [1, 2]],
    ["like(all)", "title=like(all).{V*,*d}", [2]],
    ["like(any)", "title=like(any).{V*,I*}", [2, 4]],
    ["ilike(any)", "title=ilike(any).{v*,i*}", [2, 4]],
    ["not.like(any)", "title=not.like(any).{V*,I*}", [1, 3, 5]],
    ["match(any)", "title=match(any).{^V,^I}", [2, 4]],
    ["an enum", "genre=eq.drama", [1, 2, 3]],
    ["a domain", "length=gte.143", [3, 4]],
    ["numeric", "rating=gte.8.3", [3, 4]],
  ])("%s", async (_operator, query, expected) => {
    expect(await ids("films", query)).toEqual(expected);
  });

  it.each([
    ["a comma, quoted", 'text=in.("with, comma",plain)', [1, 2]],
    ["parentheses, quoted", 'text=in.("with (parens)")', [3]],
    ["escaped quotes", 'text=in.("with \\"quotes\\"")', [4]],
    ["an escaped backslash", 'text=in.("back\\\\slash")', [5]],
    ["the empty string", 'text=in.("")', [10]],
    ["dots in a value", "text=eq.dot.dot", [6]],
    ["quotes in a plain value are part of it", 'text=eq.with "quotes"', [4]],
    ["an empty value", "text=eq.", [10]],
    ["a value that looks like an operator", "text=eq.eq.plain", []],
    ["a literal percent in eq", "text=eq.100%25", [7]],
    ["a literal star in eq", "text=eq.a*b", [8]],
  ])("values: %s", async (_what, query, expected) => {
    const [column, value = ""] = query.split(/=(.*)/s);
    const sent = query.includes("%25") ? value : encoded(value);
    expect(await ids("phrases", `${column}=${sent}`)).toEqual(expected);
  });

  it.each([
    ["-> compares json", "details->score=eq.9", [1]],
    ["-> compares numbers as numbers", "details->score=gt.8", [1, 3]],
    ["->> compares text", "details->>score=eq.10", [3]],
    ["a JSON null under -> is a value", "details->score=eq.null", [4]],
    ["->> of a JSON null is NULL", "details->>score=is.null", [4, 5]],
  ])("JSON: %s", async (_rule, query, expected) => {
    expect(await ids("films", query)).toEqual(expected);
  });

  it("reads big integers, dates and uuids as their column does", async () => {
    expect(await ids("types", "big=eq.9007199254740993")).toEqual([1]);
    expect(await ids("types", "day=gte.2026-02-28&day=lt.2026-03-01")).toEqual([1]);
    expect(await ids("types", "moment=eq.2024-01-01T01:00:00%2B01:00")).toEqual([1]);
    expect(await ids("types", "uid=eq.6f0c8d2e-0000-4000-8000-000000000001")).toEqual([1]);
    expect(await ids("types", "ints=cs.{2,3}")).toEqual([1]);
    expect(await ids("types", "span=cs.[2,4)")).toEqual([1]);
    expect(await ids("types", "kind=eq.comedy&duration=eq.5&bytes=eq.%5Cxdeadbeef")).toEqual([1]);
  });

  it.each([
    ["a bad number", "id=eq.three", "22P02"],
    ["a bad date in a range", "on_show=cs.[nonsense", "22P02"],
    ["an unknown column", "nope=eq.1", "42703"],
    ["an operator the type lacks", "id=like.1", "42883"],
  ])("%s is PostgreSQL's own error", async (_what, query, code) => {
    const answer = await app.rest(`/films?${query}`);
    expect(answer).toMatchObject({ status: code === "42883" ? 404 : 400, json: { code } });
  });

  it.each([
    ["an unknown operator", "id=equals.1"],
    ["no operator", "id=1"],
    ["is with another word", "director_id=is.something"],
    ["in without parentheses", "id=in.1,2"],
    ["neq does not quantify", "id=neq(any).{1}"],
  ])("%s is PGRST100 with the place", async (_what, query) => {
    const answer = await app.rest(`/films?${query}`);
    expect(answer).toMatchObject({ status: 400, json: { code: "PGRST100" } });
    expect((answer.json as { message: string }).message).toMatch(/\(line 1, column \d+\)/);
    expect((answer.json as { details: string }).details).toBeTruthy();
  });
});

describe("rest: filters of embedded resources", () => {
  it("restrict the embedded rows and keep the parents", async () => {
    const toOne = await app.rest(
      "/films?select=id,directors(last_name)&directors.last_name=eq.Varda&order=id&id=lte.3",
    );
    expect(toOne.json).toEqual([
      { id: 1, directors: { last_name: "Varda" } },
      { id: 2, directors: { last_name: "Varda" } },
      { id: 3, directors: null },
    ]);
    const toMany = await app.rest("/directors?select=id,films(id)&films.year=gt.1960&order=id&films.order=id");
    expect(toMany.json).toEqual([
      { id: 1, films: [{ id: 1 }, { id: 2 }] },
      { id: 2, films: [] },
      { id: 3, films: [] },
    ]);
  });

  it("go by the alias when there is one", async () => {
    const answer = await app.rest("/films?select=id,by:directors(last_name)&by.last_name=eq.Varda&id=eq.3");
    expect(answer.json).toEqual([{ id: 3, by: null }]);
  });

  it("drop parents together with !inner", async () => {
    expect(await app.rest("/films?select=id,actors!inner(id)&actors.id=eq.1")).toMatchObject({
      json: [{ id: 1, actors: [{ id: 1 }] }],
    });
  });

  it("reach through several levels", async () => {
    const answer = await app.rest(
      "/directors?select=id,films(id,actors(name))&films.actors.name=like.Tak*&films.id=in.(3,4)&id=eq.2&films.order=id",
    );
    expect(answer.json).toEqual([
      {
        id: 2,
        films: [
          { id: 3, actors: [{ name: "Takashi Shimura" }] },
          { id: 4, actors: [{ name: "Takashi Shimura" }] },
        ],
      },
    ]);
  });

  it("test an embed for null: anti and semi join", async () => {
    expect((await app.rest("/films?select=id,trailers()&trailers=is.null&order=id")).json).toEqual([
      { id: 3 },
      { id: 4 },
      { id: 5 },
    ]);
    expect((await app.rest("/films?select=id,trailers()&trailers=not.is.null&order=id")).json).toEqual([
      { id: 1 },
      { id: 2 },
    ]);
    expect((await app.rest("/films?select=id,actors()&actors=is.null&order=id")).json).toEqual([{ id: 5 }]);
    expect((await app.rest("/films?select=id,actors()&actors.name=like.Cor*&actors=not.is.null")).json).toEqual([
      { id: 1 },
    ]);
  });

  it("test an embed for null inside or", async () => {
    const answer = await app.rest("/films?select=id,trailers()&or=(trailers.not.is.null,year.eq.1931)&order=id");
    expect(answer.json).toEqual([{ id: 1 }, { id: 2 }, { id: 5 }]);
  });

  it("anything but a null test is PGRST120", async () => {
    expect(await app.rest("/films?select=id,trailers(id)&trailers=eq.1")).toMatchObject({
      status: 400,
      json: { code: "PGRST120" },
    });
  });

  it("something that is not selected is PGRST108", async () => {
    for (const query of ["trailers.id=eq.1", "trailers.order=id", "trailers.limit=1", "trailers.or=(id.eq.1)"]) {
      expect(await app.rest(`/films?select=id&${query}`)).toMatchObject({ status: 400, json: { code: "PGRST108" } });
    }
  });
});

describe("rest: logic", () => {
  it.each([
    ["or", "or=(id.eq.1,id.eq.4)", [1, 4]],
    ["and", "and=(id.gte.2,id.lt.4)", [2, 3]],
    ["not.or", "not.or=(id.eq.1,id.eq.4)", [2, 3, 5]],
    ["not.and", "not.and=(id.gte.2,id.lt.4)", [1, 4, 5]],
    ["nesting", "or=(id.eq.5,and(year.lt.1960,genre.eq.drama))", [3, 5]],
    ["not inside", "or=(id.eq.5,not.and(year.lt.1970,year.gt.1940))", [2, 5]],
    ["not before an operator", "or=(id.not.in.(1,2,3),title.eq.Vagabond)", [2, 4, 5]],
    ["in keeps its parentheses", 'or=(id.in.(1,2),title.in.("Ikiru"))', [1, 2, 4]],
    ["array literals", "or=(tags.cs.{paris},tags.cs.{black-and-white,epic})", [1, 3]],
    ["a quoted value", 'or=(title.eq."Cléo from 5 to 7",id.eq.5)', [1, 5]],
    ["json", "or=(details->>lang.eq.ja,details->score.eq.9)", [1, 3, 4]],
    ["is", "or=(director_id.is.null,is_restored.is.false)", [4, 5]],
    ["full text", "or=(summary.fts.clerk,summary.plfts(english).biopsy)", [1, 4]],
    ["any", "or=(title.like(any).{V*,I*},id.eq.5)", [2, 4, 5]],
    ["whitespace around", "or=( id.eq.1 , id.eq.4 )", [1, 4]],
    ["two ors are ANDed", "or=(id.eq.1,id.eq.3)&or=(year.eq.1954,year.eq.1985)", [3]],
    ["or and a plain filter", "or=(id.eq.1,id.eq.3)&year=lt.1960", [3]],
  ])("%s", async (_rule, query, expected) => {
    expect(await ids("films", query.replaceAll(" ", "%20"))).toEqual(expected);
  });

  it("applies within an embed, with the negation on either side", async () => {
    const base = "/directors?select=id,films(id)&id=eq.2&films.order=id";
    expect((await app.rest(`${base}&films.or=(id.eq.3,year.eq.1900)`)).json).toEqual([{ id: 2, films: [{ id: 3 }] }]);
    for (const key of ["films.not.and", "not.films.and"]) {
      expect((await app.rest(`${base}&${key}=(id.gt.3,year.gt.1900)`)).json).toEqual([{ id: 2, films: [{ id: 3 }] }]);
    }
  });

  it.each(["or=()", "or=(id.eq.1", "or=id.eq.1", "or=(id.1)", "and=(or(id.eq.1)"])("%s is PGRST100", async (query) => {
    expect(await app.rest(`/films?${query}`)).toMatchObject({ status: 400, json: { code: "PGRST100" } });
  });
});

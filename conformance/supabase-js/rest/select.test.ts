import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type App, startApp } from "../app.ts";

let app: App;
beforeAll(async () => {
  app = await startApp();
});
afterAll(() => app.stop());

const film = async (select: string, id = 1) => {
  const answer = await app.rest(`/films?id=eq.${id}&select=${encodeURIComponent(select)}`);
  return answer.status === 200 ? (answer.json as unknown[])[0] : answer;
};

describe("rest: select", () => {
  it("is * when absent, and * is all columns but no computed ones", async () => {
    const [row] = (await app.rest("/directors?id=eq.1")).json as object[];
    expect(row).toEqual({ id: 1, first_name: "Agnès", last_name: "Varda" });
    expect((await app.rest("/directors?id=eq.1&select=*")).json).toEqual([row]);
  });

  it.each([
    ["columns in the order asked for", "year,id", { year: 1962, id: 1 }],
    ["an alias", "name:title", { name: "Cléo from 5 to 7" }],
    ["a quoted alias", '"the name":title', { "the name": "Cléo from 5 to 7" }],
    ["a cast", "year::text", { year: "1962" }],
    ["an alias and a cast", "y:year::text", { y: "1962" }],
    ["a JSON path with ->", "details->cast", { cast: { lead: "Corinne" } }],
    ["a JSON path with ->>", "details->cast->>lead", { lead: "Corinne" }],
    ["-> yields JSON, ->> text", "a:details->score,b:details->>score", { a: 9, b: "9" }],
    ["an alias for a JSON path", "who:details->cast->>lead", { who: "Corinne" }],
    ["a cast of a JSON path", "details->>score::int", { score: 9 }],
    ["an array index takes the nearest key's name", "details->awards->0", { awards: "cannes" }],
    ["an array index on a column takes the column's name", "tags->0", { tags: "paris" }],
    ["a JSON path on a composite", "frame->width", { width: 166 }],
    ["spaces around items", " id , year ", { id: 1, year: 1962 }],
    ["an enum and a domain", "genre,length", { genre: "drama", length: 90 }],
    ["a missing key", "details->nope", { nope: null }],
  ])("%s", async (_what, select, expected) => {
    expect(await film(select)).toEqual(expected);
  });

  it("keeps the keys in the order asked for", async () => {
    const { text } = await app.rest("/films?id=eq.1&select=year,id,title");
    expect(text.replaceAll(/\s/g, "")).toBe('[{"year":1962,"id":1,"title":"Cléofrom5to7"}]');
  });

  it("selects computed columns, filters by them and orders by them", async () => {
    expect((await app.rest("/directors?select=id,full_name&id=eq.1")).json).toEqual([
      { id: 1, full_name: "Agnès Varda" },
    ]);
    expect((await app.rest("/directors?select=id&full_name=eq.Akira%20Kurosawa")).json).toEqual([{ id: 2 }]);
    expect((await app.rest("/directors?select=id&order=full_name.desc")).json).toEqual([
      { id: 3 },
      { id: 2 },
      { id: 1 },
    ]);
    expect((await app.rest("/directors?select=*,full_name&id=eq.2")).json).toEqual([
      { id: 2, first_name: "Akira", last_name: "Kurosawa", full_name: "Akira Kurosawa" },
    ]);
  });

  it("selects strange names, quoted", async () => {
    const select = encodeURIComponent('"with space","dot.ted","a,b","(paren)","quo\\"te",naïve-col,order');
    expect((await app.rest(`/Strange%20names?select=${select}`)).json).toEqual([
      { "with space": "s", "dot.ted": "d", "a,b": "c", "(paren)": "p", 'quo"te': "q", "naïve-col": "n", order: "o" },
    ]);
  });

  it("gives empty objects for an empty select", async () => {
    expect(await app.rest("/letters?select=&limit=2")).toMatchObject({ status: 200, json: [{}, {}] });
  });

  it("lets a column the caller may not read fail, as SQL does", async () => {
    expect((await app.rest("/partly_open?select=id,name")).json).toEqual([{ id: 1, name: "shown" }]);
    for (const query of ["select=*", "select=secret", "select=id&secret=eq.hidden", "select=id&order=secret"]) {
      expect(await app.rest(`/partly_open?${query}`)).toMatchObject({ status: 401, json: { code: "42501" } });
    }
  });

  it.each([
    ["an unknown column", "nope", "42703"],
    ["a bad cast", "title::int", "22P02"],
    ["an unknown type", "title::nope", "42704"],
  ])("%s is PostgreSQL's own error", async (_what, select, code) => {
    expect(await film(select)).toMatchObject({ status: 400, json: { code } });
  });

  it.each(["id,,year", "id:", "details->", "actors(id", "id)", "...id"])("%s is PGRST100", async (select) => {
    expect(await film(select)).toMatchObject({ status: 400, json: { code: "PGRST100" } });
  });
});

describe("rest: relationships", () => {
  const rows = async (path: string) => (await app.rest(path)).json;

  it("many-to-one is an object or null", async () => {
    expect(await rows("/films?select=id,directors(last_name)&id=in.(1,5)&order=id")).toEqual([
      { id: 1, directors: { last_name: "Varda" } },
      { id: 5, directors: null },
    ]);
  });

  it("one-to-many is an array", async () => {
    expect(await rows("/directors?select=id,films(id)&films.order=id&order=id")).toEqual([
      { id: 1, films: [{ id: 1 }, { id: 2 }] },
      { id: 2, films: [{ id: 3 }, { id: 4 }] },
      { id: 3, films: [] },
    ]);
  });

  it("one-to-one by primary key is an object, both ways", async () => {
    expect(await rows("/films?select=id,technical_specs(camera)&id=in.(1,2)&order=id")).toEqual([
      { id: 1, technical_specs: { camera: "Cameflex" } },
      { id: 2, technical_specs: null },
    ]);
    expect(await rows("/technical_specs?select=camera,films(title)&film_id=eq.3")).toEqual([
      { camera: "Mitchell", films: { title: "Seven Samurai" } },
    ]);
  });

  it("one-to-one by unique constraint is an object, both ways", async () => {
    expect(await rows("/films?select=id,trailers(id)&id=in.(2,3)&order=id")).toEqual([
      { id: 2, trailers: { id: 11 } },
      { id: 3, trailers: null },
    ]);
    expect(await rows("/trailers?select=id,films(title)&id=eq.10")).toEqual([
      { id: 10, films: { title: "Cléo from 5 to 7" } },
    ]);
  });

  it("many-to-many goes through a junction whose primary key holds both foreign keys", async () => {
    expect(await rows("/films?select=id,actors(name)&id=eq.3&actors.order=name")).toEqual([
      { id: 3, actors: [{ name: "Takashi Shimura" }, { name: "Toshiro Mifune" }] },
    ]);
    expect(await rows("/actors?select=name,films(id)&id=eq.4&films.order=id")).toEqual([
      { name: "Takashi Shimura", films: [{ id: 3 }, { id: 4 }] },
    ]);
  });

  it("the junction itself can be embedded", async () => {
    expect(await rows("/films?select=id,roles(character,actors(name))&id=eq.1")).toEqual([
      { id: 1, roles: [{ character: "Cléo", actors: { name: "Corinne Marchand" } }] },
    ]);
  });

  it("views inherit the foreign keys of the columns they select, through other views too", async () => {
    expect(await rows("/film_titles?select=title,directors(last_name)&id=eq.3")).toEqual([
      { title: "Seven Samurai", directors: { last_name: "Kurosawa" } },
    ]);
    expect(await rows("/short_titles?select=shouted,directors(last_name)&id=eq.4")).toEqual([
      { shouted: "IKIRU", directors: { last_name: "Kurosawa" } },
    ]);
    expect(await rows("/directors?select=id,film_titles(id)&id=eq.1&film_titles.order=id")).toEqual([
      { id: 1, film_titles: [{ id: 1 }, { id: 2 }] },
    ]);
    expect(await rows("/film_titles?select=id,actors(name)&id=eq.1")).toEqual([
      { id: 1, actors: [{ name: "Corinne Marchand" }] },
    ]);
  });

  it("computed relationships are named by their function: SETOF is an array, ROWS 1 an object", async () => {
    expect(await rows("/directors?select=id,filmography(id)&id=eq.1&filmography.order=id.desc")).toEqual([
      { id: 1, filmography: [{ id: 2 }, { id: 1 }] },
    ]);
    expect(await rows("/directors?select=id,debut(title)&order=id")).toEqual([
      { id: 1, debut: { title: "Cléo from 5 to 7" } },
      { id: 2, debut: { title: "Ikiru" } },
      { id: 3, debut: null },
    ]);
  });

  it("a foreign key's constraint or single column names the target", async () => {
    const expected = [{ id: 1, by: { last_name: "Varda" } }];
    expect(await rows("/films?select=id,by:films_director_fkey(last_name)&id=eq.1")).toEqual(expected);
    expect(await rows("/films?select=id,by:director_id(last_name)&id=eq.1")).toEqual(expected);
    expect(await rows("/films?select=id,director_id(last_name)&id=eq.1")).toEqual([
      { id: 1, director_id: { last_name: "Varda" } },
    ]);
  });

  it("a hint is a constraint, a column of either side, or a junction", async () => {
    for (const hint of ["films_director_fkey", "director_id"]) {
      expect(await rows(`/films?select=id,directors!${hint}(last_name)&id=eq.1`)).toEqual([
        { id: 1, directors: { last_name: "Varda" } },
      ]);
    }
    expect(await rows("/directors?select=id,films!director_id(id)&id=eq.1&films.order=id")).toEqual([
      { id: 1, films: [{ id: 1 }, { id: 2 }] },
    ]);
    expect(await rows("/films?select=id,actors!roles(id)&id=eq.1")).toEqual([{ id: 1, actors: [{ id: 1 }] }]);
    expect(
      await rows(
        "/best_friends?select=owner:users!best_friends_owner_fkey(name),second:users!second_id(name)&order=id",
      ),
    ).toEqual([
      { owner: { name: "Ann" }, second: { name: "Cid" } },
      { owner: { name: "Bob" }, second: null },
    ]);
  });

  it("a self-referencing FK: the table's name gives the children, the column's the parent", async () => {
    expect(await rows("/employees?select=name,employees(name)&id=eq.2&employees.order=name")).toEqual([
      { name: "Lead", employees: [{ name: "Dev" }, { name: "Ops" }] },
    ]);
    expect(await rows("/employees?select=name,boss:supervisor_id(name)&order=id&id=lte.2")).toEqual([
      { name: "Chief", boss: null },
      { name: "Lead", boss: { name: "Chief" } },
    ]);
    expect(await rows("/employees?select=name,reports:employees!supervisor_id(name)&id=eq.1")).toEqual([
      { name: "Chief", reports: [{ name: "Lead" }] },
    ]);
    expect(await app.rest("/employees?select=name,employees!employees_supervisor_fkey(name)")).toMatchObject({
      status: 400,
      json: { code: "PGRST200" },
    });
  });

  it("no candidate is PGRST200", async () => {
    for (const path of [
      "/films?select=id,letters(id)",
      "/films?select=id,nowhere(id)",
      "/films?select=id,directors!wrong(id)",
      "/films?select=id,widgets(id)",
    ]) {
      expect(await app.rest(path)).toMatchObject({ status: 400, json: { code: "PGRST200" } });
    }
  });

  it("several candidates are 300 PGRST201, with every choice", async () => {
    const answer = await app.rest("/best_friends?select=users(*)");
    expect(answer).toMatchObject({ status: 300, json: { code: "PGRST201" } });
    const { details, hint } = answer.json as { details: object[]; hint: string };
    expect(details).toHaveLength(3);
    expect(details).toContainEqual({
      cardinality: "many-to-one",
      embedding: "best_friends with users",
      relationship: "best_friends_first_fkey using best_friends(first_id) and users(id)",
    });
    expect(hint).toContain("'users!best_friends_second_fkey'");
  });

  it("embeds in what a write returns", async () => {
    const answer = await app.rest("/films?id=eq.1&select=id,directors(last_name),actors(name)", {
      method: "PATCH",
      body: { is_restored: true },
      headers: { Prefer: "return=representation" },
    });
    expect(answer).toMatchObject({
      status: 200,
      json: [{ id: 1, directors: { last_name: "Varda" }, actors: [{ name: "Corinne Marchand" }] }],
    });
  });

  it("embeds in what a function returns", async () => {
    const answer = await app.rest("/rpc/all_films?select=id,directors(last_name)&id=eq.3");
    expect(answer).toMatchObject({ status: 200, json: [{ id: 3, directors: { last_name: "Kurosawa" } }] });
  });

  it("nests, orders, limits and offsets at every level", async () => {
    expect(
      await rows(
        "/directors?select=last_name,films(title,actors(name))&order=id.desc&limit=1&offset=1" +
          "&films.order=year.desc&films.limit=1&films.actors.order=name&films.actors.limit=1&films.actors.offset=1",
      ),
    ).toEqual([{ last_name: "Kurosawa", films: [{ title: "Seven Samurai", actors: [{ name: "Toshiro Mifune" }] }] }]);
  });

  it("an embed may be empty, and the same table embedded twice under aliases", async () => {
    expect(await rows("/films?select=id,directors()&id=eq.1")).toEqual([{ id: 1 }]);
    expect(
      await rows("/directors?select=id,old:films(id),new:films(id)&old.year=lt.1970&new.year=gte.1970&id=eq.1"),
    ).toEqual([{ id: 1, old: [{ id: 1 }], new: [{ id: 2 }] }]);
  });
});

describe("rest: join types", () => {
  it("!inner keeps parents with a child only", async () => {
    const { json } = await app.rest("/films?select=id,trailers!inner(id)&order=id");
    expect(json).toEqual([
      { id: 1, trailers: { id: 10 } },
      { id: 2, trailers: { id: 11 } },
    ]);
  });

  it("!inner counts the filtered children, and propagates from within", async () => {
    const { json } = await app.rest(
      "/directors?select=id,films!inner(id,actors!inner(name))&films.actors.name=eq.Takashi%20Shimura&films.order=id",
    );
    expect(json).toEqual([
      {
        id: 2,
        films: [
          { id: 3, actors: [{ name: "Takashi Shimura" }] },
          { id: 4, actors: [{ name: "Takashi Shimura" }] },
        ],
      },
    ]);
  });

  it("!left is the default, and goes with a hint in any order", async () => {
    expect((await app.rest("/films?select=id,trailers!left(id)&id=eq.5")).json).toEqual([{ id: 5, trailers: null }]);
    for (const modifiers of ["!director_id!inner", "!inner!director_id"]) {
      expect((await app.rest(`/films?select=id,directors${modifiers}(id)&id=gte.4`)).json).toEqual([
        { id: 4, directors: { id: 2 } },
      ]);
    }
  });

  it("!inner counts towards the total", async () => {
    const answer = await app.rest("/films?select=id,trailers!inner(id)", { headers: { Prefer: "count=exact" } });
    expect(answer.headers.get("content-range")).toBe("0-1/2");
  });
});

describe("rest: spread", () => {
  it("a to-one spread merges the columns into the parent", async () => {
    expect(
      (await app.rest("/films?select=title,...directors(director_name:last_name)&id=in.(3,5)&order=id")).json,
    ).toEqual([
      { title: "Seven Samurai", director_name: "Kurosawa" },
      { title: "Lost Reel", director_name: null },
    ]);
  });

  it("spreads nest, and hold embeds", async () => {
    expect(
      (await app.rest("/quotes?select=text,...films(film:title,...directors(by:last_name),trailers(id))&id=eq.1")).json,
    ).toEqual([{ text: "Again we are defeated.", film: "Seven Samurai", by: "Kurosawa", trailers: null }]);
  });

  it("a to-many spread gives an array per column, in one order", async () => {
    const { json } = await app.rest(
      "/directors?select=id,...films(titles:title,years:year)&id=in.(2,3)&films.order=year&order=id",
    );
    expect(json).toEqual([
      { id: 2, titles: ["Ikiru", "Seven Samurai"], years: [1952, 1954] },
      { id: 3, titles: [], years: [] },
    ]);
  });

  it("a many-to-many spread does too", async () => {
    expect((await app.rest("/films?select=id,...actors(name)&id=eq.3&actors.order=name")).json).toEqual([
      { id: 3, name: ["Takashi Shimura", "Toshiro Mifune"] },
    ]);
  });

  it("takes !inner, hints and filters", async () => {
    expect(
      (
        await app.rest(
          "/films?select=id,...directors!director_id!inner(last_name)&directors.last_name=eq.Varda&order=id",
        )
      ).json,
    ).toEqual([
      { id: 1, last_name: "Varda" },
      { id: 2, last_name: "Varda" },
    ]);
  });
});

import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { anon, type DataUnderTest, openDataUnderTest } from "./testing/data.ts";
import { filmSchema } from "./testing/films.ts";

let data: DataUnderTest;
beforeAll(async () => {
  data = await openDataUnderTest(filmSchema, { aggregatesEnabled: true });
});
afterAll(() => data.close());

const get = async (path: string, headers: Record<string, string> = {}) => {
  const answer = await data.request("GET", path, { headers });
  return { status: answer.status, headers: answer.headers, body: answer.json() };
};

describe("reading", () => {
  it("returns every column of a row by key", async () => {
    const { status, headers, body } = await get("/films?select=*&id=eq.1");
    expect(status).toBe(200);
    expect(body).toEqual([
      {
        id: 1,
        title: "Alien",
        year: 1979,
        director_id: 1,
        data: { lang: "en", a: { b: 1 } },
        tags: ["space", "horror"],
      },
    ]);
    expect(headers).toMatchObject({
      "content-type": "application/json; charset=utf-8",
      "content-range": "0-0/*",
      "content-location": "/films?id=eq.1&select=*",
    });
  });

  it.each<readonly [string, unknown]>([
    ["/films?select=id&year=gt.1990&order=id", [{ id: 3 }, { id: 4 }]],
    ["/films?select=id&title=like.*lien*", [{ id: 1 }]],
    ["/films?select=id&title=ilike(any).{a*,h*}&order=id", [{ id: 1 }, { id: 3 }]],
    ["/films?select=id&id=in.(1,3)&order=id", [{ id: 1 }, { id: 3 }]],
    ['/films?select=id&title=in.("Heat","a,b")', [{ id: 3 }]],
    ["/films?select=id&id=in.()", []],
    ["/films?select=id&id=not.in.(1,2)&order=id", [{ id: 3 }, { id: 4 }]],
    ["/films?select=id&director_id=is.null", [{ id: 4 }]],
    ["/films?select=id&director_id=not.is.null&order=id", [{ id: 1 }, { id: 2 }, { id: 3 }]],
    ["/films?select=id&year=isdistinct.1979&order=id", [{ id: 2 }, { id: 3 }, { id: 4 }]],
    ["/films?select=id&tags=cs.{space}", [{ id: 1 }]],
    ["/films?select=id&tags=ov.{crime,none}", [{ id: 3 }]],
    ["/films?select=id&title=fts.alien", [{ id: 1 }]],
    ["/films?select=id&title=wfts(english).aliens", [{ id: 1 }]],
    [
      '/films?select=id&or=(id.eq.1,and(year.gt.1990,title.not.in.(X,"y,z")))&order=id',
      [{ id: 1 }, { id: 3 }, { id: 4 }],
    ],
    ["/films?select=id&not.or=(id.eq.1,id.eq.2)&order=id", [{ id: 3 }, { id: 4 }]],
    ["/films?select=id&data->>lang=eq.en", [{ id: 1 }]],
    ["/films?select=id&data->a->b=eq.1", [{ id: 1 }]],
    ["/films?select=data->a->b,x:data->>lang::text&id=eq.1", [{ b: 1, x: "en" }]],
    ["/films?select=y:year::text&id=eq.1", [{ y: "1979" }]],
    ["/films?select=tags->0&id=eq.1", [{ tags: "space" }]],
    ["/films?select=id,shout&id=eq.1", [{ id: 1, shout: "ALIEN!" }]],
    ["/films?select=id&shout=eq.HEAT!", [{ id: 3 }]],
    ["/films?select=&id=eq.1", [{}]],
    ["/films?select=count", [{ count: 4 }]],
    ["/films?select=id&order=director_id.desc.nullslast,id&limit=2", [{ id: 3 }, { id: 1 }]],
    ["/films?select=id&order=id&limit=2&offset=1", [{ id: 2 }, { id: 3 }]],
    ["/films?select=id&order=id&limit=0", []],
  ])("GET %s", async (path, expected) => {
    expect(await get(path)).toMatchObject({ status: 200, body: expected });
  });

  it.each<readonly [string, unknown]>([
    ["/films?select=title,directors(name)&id=eq.1", [{ title: "Alien", directors: { name: "Scott" } }]],
    ["/films?select=title,directors(name)&id=eq.4", [{ title: "Nobody", directors: null }]],
    ["/films?select=d:director_id(name)&id=eq.1", [{ d: { name: "Scott" } }]],
    ["/films?select=d:directors!director_fk(name)&id=eq.1", [{ d: { name: "Scott" } }]],
    [
      "/directors?select=name,films(title)&order=id&films.order=title.desc",
      [
        { name: "Scott", films: [{ title: "Blade Runner" }, { title: "Alien" }] },
        { name: "Mann", films: [{ title: "Heat" }] },
        { name: "Unknown", films: [] },
      ],
    ],
    [
      "/directors?select=name,films(title)&films.limit=1&films.order=id&id=eq.1",
      [{ name: "Scott", films: [{ title: "Alien" }] }],
    ],
    [
      "/directors?select=name,films(count)&order=id",
      [
        { name: "Scott", films: [{ count: 2 }] },
        { name: "Mann", films: [{ count: 1 }] },
        { name: "Unknown", films: [{ count: 0 }] },
      ],
    ],
    [
      "/films?select=id,owner:directors(name)&owner.name=eq.Mann&order=id&id=lt.4",
      [
        { id: 1, owner: null },
        { id: 2, owner: null },
        { id: 3, owner: { name: "Mann" } },
      ],
    ],
    ["/films?select=id,directors!inner(name)&directors.name=eq.Mann", [{ id: 3, directors: { name: "Mann" } }]],
    ["/films?select=id,actors!inner(id)&actors.id=eq.1&order=id", [{ id: 1, actors: [{ id: 1 }] }]],
    [
      "/films?select=id,actors(name)&order=id&limit=2&actors.order=id",
      [
        { id: 1, actors: [{ name: "Weaver" }, { name: "Hurt" }] },
        { id: 2, actors: [{ name: "Ford" }] },
      ],
    ],
    ["/directors?select=name,films()&films=is.null", [{ name: "Unknown" }]],
    ["/directors?select=name,films()&films=not.is.null&order=id", [{ name: "Scott" }, { name: "Mann" }]],
    [
      "/directors?select=name,films()&or=(name.eq.Unknown,films.not.is.null)&order=id",
      [{ name: "Scott" }, { name: "Mann" }, { name: "Unknown" }],
    ],
    ["/films?select=title,...directors(director_name:name)&id=eq.1", [{ title: "Alien", director_name: "Scott" }]],
    [
      "/directors?select=name,...films(titles:title)&films.order=id&id=eq.1",
      [{ name: "Scott", titles: ["Alien", "Blade Runner"] }],
    ],
    [
      "/films?select=title,directors()&order=directors(name).desc.nullslast,id",
      [{ title: "Alien" }, { title: "Blade Runner" }, { title: "Heat" }, { title: "Nobody" }],
    ],
    [
      "/films?select=title,directors(name)&order=directors(name),id&limit=1",
      [{ title: "Heat", directors: { name: "Mann" } }],
    ],
    ["/people?select=name,people(name)&id=eq.1", [{ name: "Root", people: [{ name: "Child" }] }]],
    ["/people?select=name,parent_id(name)&id=eq.2", [{ name: "Child", parent_id: { name: "Root" } }]],
    ["/people?select=name,kids:people!parent_id(name)&id=eq.1", [{ name: "Root", kids: [{ name: "Child" }] }]],
    ["/films?select=title,sequels(title)&id=eq.1", [{ title: "Alien", sequels: [{ title: "Blade Runner" }] }]],
    [
      "/directors?select=name,films(title,actors(name))&id=eq.2",
      [{ name: "Mann", films: [{ title: "Heat", actors: [] }] }],
    ],
  ])("embeds %s", async (path, expected) => {
    expect(await get(path)).toMatchObject({ status: 200, body: expected });
  });

  it.each<readonly [string, unknown]>([
    [
      "/films?select=director_id,count()&order=director_id",
      [
        { director_id: 1, count: 2 },
        { director_id: 2, count: 1 },
        { director_id: null, count: 1 },
      ],
    ],
    ["/films?select=year.max(),first:year.min()::text", [{ max: 2020, first: "1979" }]],
    ["/films?select=year.sum(),...directors(name)&director_id=eq.1", [{ sum: 3961, name: "Scott" }]],
    ["/directors?select=...films(year)&id=eq.1", [{ year: [1979, 1982] }]],
    ["/films?select=...directors(n:id.count())&director_id=not.is.null", [{ n: 3 }]],
    ["/films?select=year.max(),directors(name)&director_id=eq.1", [{ max: 1982, directors: { name: "Scott" } }]],
  ])("aggregates %s", async (path, expected) => {
    expect(await get(path)).toMatchObject({ status: 200, body: expected });
  });
});

describe("pages and counts", () => {
  it.each<readonly [string, Record<string, string>, number, string]>([
    ["/films?select=id&order=id&limit=2&offset=1", { prefer: "count=exact" }, 206, "1-2/4"],
    ["/films?select=id", { prefer: "count=exact" }, 200, "0-3/4"],
    ["/films?select=id&limit=10", { prefer: "count=exact" }, 200, "0-3/4"],
    ["/films?select=id&offset=2", { prefer: "count=exact" }, 206, "2-3/4"],
    ["/films?select=id&limit=0", { prefer: "count=exact" }, 206, "*/4"],
    ["/films?select=id&offset=100", {}, 200, "*/*"],
    ["/films?select=id&id=eq.99", { prefer: "count=exact" }, 200, "*/0"],
    ["/films?select=id", { range: "1-2" }, 200, "1-2/*"],
    ["/films?select=id", { range: "1-", prefer: "count=exact" }, 206, "1-3/4"],
    ["/films?select=id&limit=1", { prefer: "count=estimated" }, 206, "0-0/4"],
    ["/films?select=id,directors!inner()&limit=1", { prefer: "count=exact" }, 206, "0-0/3"],
  ])("%s %o is %i with %s", async (path, headers, status, range) => {
    const answer = await data.request("GET", path, { headers });
    expect([answer.status, answer.headers["content-range"]]).toEqual([status, range]);
  });

  it("refuses an offset beyond the end when it knows the end", async () => {
    const { status, headers, body } = await get("/films?offset=100", { prefer: "count=exact" });
    expect(status).toBe(416);
    expect(headers["content-range"]).toBe("*/4");
    expect(body).toMatchObject({
      code: "PGRST103",
      details: "An offset of 100 was requested, but there are only 4 rows.",
    });
  });

  it("refuses negative limits and backward ranges", async () => {
    expect(await get("/films?limit=-1")).toMatchObject({ status: 416, body: { code: "PGRST103" } });
    expect(await get("/films", { range: "5-2" })).toMatchObject({ status: 416, body: { code: "PGRST103" } });
  });

  it("asks the planner for a planned count", async () => {
    const answer = await data.request("HEAD", "/films?select=id", { headers: { prefer: "count=planned" } });
    expect(answer.headers["content-range"]).toMatch(/^0-3\/\d+$/);
    expect(answer.headers["preference-applied"]).toBe("count=planned");
    expect(answer.text).toBe("");
  });

  it("caps pages and embedded lists at max-rows", async () => {
    const capped = data.withSettings({ maxRows: 1 });
    const answer = await capped.request("GET", "/directors?select=films(id)&id=eq.1&films.order=id");
    expect(answer.json()).toEqual([{ films: [{ id: 1 }] }]);
    expect((await capped.request("GET", "/films?limit=3")).json()).toHaveLength(1);
  });
});

describe("formats", () => {
  it("answers one object, and refuses any other number", async () => {
    const accept = "application/vnd.pgrst.object+json";
    expect(await get("/films?select=id&id=eq.1", { accept })).toMatchObject({ status: 200, body: { id: 1 } });
    expect(await get("/films?select=id&id=eq.999", { accept })).toMatchObject({
      status: 406,
      body: { code: "PGRST116", details: "The result contains 0 rows", hint: null },
    });
    expect(await get("/films?select=id", { accept })).toMatchObject({
      status: 406,
      body: { details: "The result contains 4 rows" },
    });
  });

  it("strips nulls when asked", async () => {
    const accept = "application/vnd.pgrst.array+json;nulls=stripped";
    expect((await get("/films?select=id,director_id&id=eq.4", { accept })).body).toEqual([{ id: 4 }]);
  });

  it("writes CSV that reads back", async () => {
    const { text, headers } = await data.request("GET", "/odd?select=*&order=id", { headers: { accept: "text/csv" } });
    expect(headers["content-type"]).toBe("text/csv; charset=utf-8");
    expect(text).toBe('id,text\n1,"a,b"\n2,"say ""hi"""\n3,"back\\slash"\n4,""\n5,');
  });

  it("has no GeoJSON without PostGIS, and no plan unless allowed", async () => {
    expect(await get("/films", { accept: "application/geo+json;" })).toMatchObject({
      status: 406,
      body: { code: "PGRST107" },
    });
    const accept = 'application/vnd.pgrst.plan+json; for="application/json"; options=verbose;';
    expect(await get("/films", { accept })).toMatchObject({ status: 406, body: { code: "PGRST107" } });
    const planned = await data
      .withSettings({ planEnabled: true })
      .request("GET", "/films?id=eq.1", { headers: { accept } });
    expect(planned.headers["content-type"]).toContain("application/vnd.pgrst.plan+json");
    expect(planned.json()).toMatchObject([{ Plan: {} }]);
  });

  it("streams what may be large, with the same bytes", async () => {
    const streaming = data.withSettings({ maxRows: 0, streamAboveRows: 1, streamChunkBytes: 1024 });
    for (const accept of ["application/json", "text/csv"]) {
      const path = "/films?select=*&order=id";
      const streamed = await streaming.reply("GET", path, { headers: { accept } });
      expect(typeof streamed.body === "object" && streamed.body !== null && Symbol.asyncIterator in streamed.body).toBe(
        true,
      );
      const [whole, pieces] = [
        await data.request("GET", path, { headers: { accept } }),
        await streaming.request("GET", path, { headers: { accept } }),
      ];
      expect(pieces.text.replace(/\s+/g, "")).toBe(whole.text.replace(/\s+/g, ""));
      expect(pieces.headers).toEqual(whole.headers);
    }
    expect((await streaming.request("GET", "/films?id=gt.999")).text).toBe("[]");
  });
});

describe("refusals", () => {
  it.each<readonly [string, number, string]>([
    ["/nothing", 404, "PGRST205"],
    ["/films?nothing=eq.1", 400, "42703"],
    ["/films?select=nothing", 400, "42703"],
    ["/films?select=nothing(*)", 400, "PGRST200"],
    ["/films?nothing.id=eq.1", 400, "PGRST108"],
    ["/films?select=directors(*)&directors=eq.1", 400, "PGRST120"],
    ["/directors?select=films(*)&order=films(id)", 400, "PGRST118"],
    ["/films?id=eq.x", 400, "22P02"],
    ["/films?id=like.1*", 404, "42883"],
    ["/films?select=id::nothing", 400, "42704"],
    ["/films?select=title::regclass", 400, "42704"],
    ["/matches?select=teams(*)", 300, "PGRST201"],
    ["/directors?select=...films(year.max())", 400, "PGRST127"],
  ])("GET %s is %i %s", async (path, status, code) => {
    expect(await get(path)).toMatchObject({ status, body: { code } });
  });

  it("lists the choices of an ambiguous embed", async () => {
    const { body } = await get("/matches?select=teams(*)");
    expect(body).toMatchObject({
      details: [
        {
          cardinality: "many-to-one",
          embedding: "matches with teams",
          relationship: "away_fk using matches(away_id) and teams(id)",
        },
        {
          cardinality: "many-to-one",
          embedding: "matches with teams",
          relationship: "home_fk using matches(home_id) and teams(id)",
        },
      ],
      hint: expect.stringContaining("'teams!away_fk'"),
    });
  });

  it("refuses schemas that are not served", async () => {
    expect(await get("/films", { "accept-profile": "nope" })).toMatchObject({
      status: 406,
      body: { code: "PGRST106", hint: "Only the following schemas are exposed: public" },
    });
  });

  it("answers 401 to the anonymous and 403 to others for what they may not read", async () => {
    const denied = await data.request("GET", "/films", { who: anon });
    expect(denied.status).toBe(401);
    expect(denied.headers["www-authenticate"]).toBe("Bearer");
    expect(denied.json()).toMatchObject({ code: "42501" });
  });
});

import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type App, startApp } from "../app.ts";

let app: App;
beforeAll(async () => {
  app = await startApp();
});
afterAll(() => app.stop());

const ids = async (path: string) => {
  const answer = await app.rest(path);
  return answer.status < 300 ? (answer.json as { id: number }[]).map((row) => row.id) : answer;
};

describe("rest: order", () => {
  it.each([
    ["ascending by default", "year", [5, 4, 3, 1, 2]],
    ["asc", "year.asc", [5, 4, 3, 1, 2]],
    ["desc", "year.desc", [2, 1, 3, 4, 5]],
    ["nulls last when ascending", "length", [1, 2, 4, 3, 5]],
    ["nulls first when descending", "length.desc", [5, 3, 4, 2, 1]],
    ["nullsfirst alone", "length.nullsfirst", [5, 1, 2, 4, 3]],
    ["nullslast with desc", "length.desc.nullslast", [3, 4, 2, 1, 5]],
    ["several terms", "director_id.asc.nullsfirst,year.desc", [5, 2, 1, 3, 4]],
    ["a JSON path", "details->>lang.desc.nullslast,id", [3, 4, 1, 2, 5]],
    ["a to-one embed's column", "directors(last_name).asc.nullslast,id", [3, 4, 1, 2, 5]],
  ])("%s", async (_what, order, expected) => {
    const embed = order.includes("(") ? ",directors(last_name)" : "";
    expect(await ids(`/films?select=id${embed}&order=${order}`)).toEqual(expected);
  });

  it("orders parents by an aliased embed", async () => {
    expect(await ids("/films?select=id,by:directors(last_name)&order=by(last_name).desc.nullslast,id")).toEqual([
      1, 2, 3, 4, 5,
    ]);
  });

  it("orders embedded rows", async () => {
    expect((await app.rest("/directors?select=films(id)&id=eq.1&films.order=year.desc")).json).toEqual([
      { films: [{ id: 2 }, { id: 1 }] },
    ]);
  });

  it("by a to-many embed is PGRST118, by what is not embedded PGRST108", async () => {
    expect(await app.rest("/films?select=id,actors(name)&order=actors(name)")).toMatchObject({
      status: 400,
      json: { code: "PGRST118" },
    });
    expect(await app.rest("/films?select=id&order=directors(last_name)")).toMatchObject({
      status: 400,
      json: { code: "PGRST108" },
    });
  });

  it("does not see aliases of columns", async () => {
    expect(await app.rest("/films?select=born:year&order=born")).toMatchObject({
      status: 400,
      json: { code: "42703" },
    });
  });

  it.each(["year.up", "year.asc.nullsnowhere", "year.asc.desc", ",year"])("%s is PGRST100", async (order) => {
    expect(await app.rest(`/films?order=${order}`)).toMatchObject({ status: 400, json: { code: "PGRST100" } });
  });
});

describe("rest: limit and offset", () => {
  it.each([
    ["limit", "limit=2", [1, 2]],
    ["limit and offset", "limit=2&offset=3", [4, 5]],
    ["offset alone", "offset=4", [5]],
    ["limit=0", "limit=0", []],
    ["a limit that is no number is ignored", "limit=many", [1, 2, 3, 4, 5]],
    ["an offset that is no number is ignored", "offset=some&limit=1", [1]],
    ["an offset beyond the end", "offset=100", []],
  ])("%s", async (_what, query, expected) => {
    expect(await ids(`/letters?order=id&${query}`)).toEqual(expected);
  });

  it("a negative limit is 416 PGRST103", async () => {
    expect(await app.rest("/letters?limit=-1")).toMatchObject({ status: 416, json: { code: "PGRST103" } });
  });

  it("limits embeds", async () => {
    expect(
      (await app.rest("/directors?select=id,films(id)&films.order=id&films.limit=1&films.offset=1&id=eq.2")).json,
    ).toEqual([{ id: 2, films: [{ id: 4 }] }]);
  });
});

describe("rest: max-rows", () => {
  let small: App;
  beforeAll(async () => {
    small = await startApp({ data: { maxRows: 1 } });
  });
  afterAll(() => small.stop());

  it("caps reads, embeds and functions, and a higher limit", async () => {
    expect((await small.rest("/letters?select=id&order=id")).json).toEqual([{ id: 1 }]);
    expect((await small.rest("/letters?select=id&order=id&limit=4")).json).toEqual([{ id: 1 }]);
    expect((await small.rest("/letters?select=id&limit=0")).json).toEqual([]);
    expect((await small.rest("/rpc/numbers")).json).toEqual([1]);
    const [embed] = (await small.rest("/rpc/all_films?select=id,screenings(id)&id=eq.1")).json as {
      screenings: unknown[];
    }[];
    expect(embed?.screenings).toHaveLength(1);
  });

  it("does not cap what is counted, and estimates beyond it", async () => {
    const count = async (kind: string) =>
      (await small.rest("/letters?select=id", { headers: { Prefer: `count=${kind}` } })).headers.get("content-range");
    expect(await count("exact")).toBe("0-0/5");
    expect(await count("estimated")).toMatch(/^0-0\/\d+$/);
  });
});

describe("rest: Range", () => {
  const ranged = (range: string, query = "", method = "GET") =>
    app.rest(`/letters?select=id&order=id${query}`, { method, headers: { Range: range, "Range-Unit": "items" } });

  it.each([
    ["0-1", "", [1, 2], "0-1/*"],
    ["3-", "", [4, 5], "3-4/*"],
    ["1-100", "", [2, 3, 4, 5], "1-4/*"],
    ["0-3", "&limit=2", [1, 2], "0-1/*"],
    ["nonsense", "", [1, 2, 3, 4, 5], "0-4/*"],
    ["bytes=0-1", "", [1, 2, 3, 4, 5], "0-4/*"],
  ])("Range: %s%s", async (range, query, expected, contentRange) => {
    const answer = await ranged(range, query);
    expect(answer.status).toBe(200);
    expect((answer.json as { id: number }[]).map((row) => row.id)).toEqual(expected);
    expect(answer.headers.get("content-range")).toBe(contentRange);
  });

  it("upside down is 416 PGRST103", async () => {
    expect(await ranged("3-1")).toMatchObject({ status: 416, json: { code: "PGRST103" } });
  });
});

describe("rest: counting", () => {
  const counted = (path: string, kind = "exact", method = "GET") =>
    app.rest(path, { method, headers: { Prefer: `count=${kind}` } });

  it.each([
    ["all of it is 200", "/letters?order=id", 200, "0-4/5"],
    ["a part is 206", "/letters?limit=2&offset=1", 206, "1-2/5"],
    ["none, and none exist", "/letters?id=eq.99", 200, "*/0"],
    ["the filtered set", "/letters?id=gt.3&limit=1", 206, "0-0/2"],
    ["limit 0", "/letters?limit=0", 206, "*/5"],
  ])("%s", async (_what, path, status, range) => {
    const answer = await counted(path);
    expect(answer.status).toBe(status);
    expect(answer.headers.get("content-range")).toBe(range);
    expect(answer.headers.get("preference-applied")).toBe("count=exact");
  });

  it("an offset beyond a known end is 416 PGRST103", async () => {
    expect(await counted("/letters?offset=100")).toMatchObject({ status: 416, json: { code: "PGRST103" } });
  });

  it("without a count the total is * and the status 200, beyond the end too", async () => {
    const beyond = await app.rest("/letters?offset=100");
    expect(beyond).toMatchObject({ status: 200, json: [] });
    expect(beyond.headers.get("content-range")).toBe("*/*");
    expect((await app.rest("/letters?limit=2")).headers.get("content-range")).toBe("0-1/*");
  });

  it("planned and estimated give a number", async () => {
    await app.sql("analyze public.letters");
    for (const kind of ["planned", "estimated"]) {
      const answer = await counted("/letters", kind);
      expect([200, 206]).toContain(answer.status);
      expect(answer.headers.get("content-range")).toBe("0-4/5");
      expect(answer.headers.get("preference-applied")).toBe(`count=${kind}`);
    }
  });

  it("HEAD gives the same headers and no body", async () => {
    const answer = await counted("/letters?limit=2", "exact", "HEAD");
    expect(answer).toMatchObject({ status: 206, text: "" });
    expect(answer.headers.get("content-range")).toBe("0-1/5");
    expect(answer.headers.get("content-type")).toBe("application/json; charset=utf-8");
  });

  it("counts what functions return", async () => {
    const answer = await counted("/rpc/all_films?limit=2");
    expect(answer.status).toBe(206);
    expect(answer.headers.get("content-range")).toBe("0-1/5");
  });

  it("writes", async () => {
    const write = async (method: string, path: string, body: unknown, prefer = "") => {
      const answer = await app.rest(path, {
        method,
        ...(body === undefined ? {} : { body }),
        headers: { Prefer: prefer },
      });
      return [answer.status, answer.headers.get("content-range")];
    };
    expect(
      await write(
        "POST",
        "/letters",
        [
          { id: 6, letter: "f" },
          { id: 7, letter: "g" },
        ],
        "count=exact",
      ),
    ).toEqual([201, "*/2"]);
    expect(await write("POST", "/letters", { id: 8, letter: "h" })).toEqual([201, "*/*"]);
    expect(await write("PATCH", "/letters?id=gte.6", { letter: "x" }, "count=exact")).toEqual([204, "0-2/3"]);
    expect(await write("PATCH", "/letters?id=gte.6", { letter: "y" })).toEqual([204, "0-2/*"]);
    expect(await write("PATCH", "/letters?id=eq.99", { letter: "y" }, "count=exact")).toEqual([204, "*/0"]);
    expect(await write("PATCH", "/letters?id=eq.99", { letter: "y" })).toEqual([204, "*/*"]);
    expect(await write("PUT", "/letters?id=eq.8", { id: 8, letter: "z" })).toEqual([204, null]);
    expect(await write("DELETE", "/letters?id=gte.7", undefined, "count=exact")).toEqual([204, "*/2"]);
    expect(await write("DELETE", "/letters?id=eq.6", undefined)).toEqual([204, "*/*"]);
  });
});

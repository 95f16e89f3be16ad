import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type App, startApp } from "../app.ts";

describe("rest: aggregates, switched off as by default", () => {
  let app: App;
  beforeAll(async () => {
    app = await startApp();
  });
  afterAll(() => app.stop());

  it.each(["/films?select=count()", "/screenings?select=seats.sum()", "/films?select=id,screenings(seats.max())"])(
    "%s is PGRST123",
    async (path) => {
      expect(await app.rest(path)).toMatchObject({ status: 400, json: { code: "PGRST123" } });
    },
  );

  it("rel(count), the column that is an aggregate, always works", async () => {
    expect((await app.rest("/films?select=id,screenings(count)&order=id&id=lte.3")).json).toEqual([
      { id: 1, screenings: [{ count: 2 }] },
      { id: 2, screenings: [{ count: 0 }] },
      { id: 3, screenings: [{ count: 2 }] },
    ]);
    expect((await app.rest("/films?select=id,actors(count)&id=eq.3")).json).toEqual([
      { id: 3, actors: [{ count: 2 }] },
    ]);
  });

  it("rel(count) counts the filtered rows, and takes an alias", async () => {
    expect((await app.rest("/films?select=id,red:screenings(n:count)&red.hall=eq.red&id=eq.1")).json).toEqual([
      { id: 1, red: [{ n: 1 }] },
    ]);
  });

  it("select=count at the top does too", async () => {
    expect((await app.rest("/films?select=count")).json).toEqual([{ count: 5 }]);
    expect((await app.rest("/films?select=count&year=gt.1960")).json).toEqual([{ count: 2 }]);
  });

  it("no other aggregate gets this treatment", async () => {
    expect(await app.rest("/films?select=id,screenings(sum)")).toMatchObject({ status: 400, json: { code: "42703" } });
  });
});

describe("rest: aggregates, switched on", () => {
  let app: App;
  beforeAll(async () => {
    app = await startApp({ data: { aggregatesEnabled: true } });
  });
  afterAll(() => app.stop());

  it.each([
    ["count()", "/films?select=count()", [{ count: 5 }]],
    ["count() with an alias and a cast", "/films?select=n:count()::text", [{ n: "5" }]],
    ["col.count() leaves nulls out", "/films?select=length.count()", [{ count: 4 }]],
    ["sum", "/screenings?select=seats.sum()", [{ sum: 400 }]],
    ["min, max and an alias", "/screenings?select=least:seats.min(),seats.max()", [{ least: 40, max: 100 }]],
    ["a cast of the result", "/screenings?select=seats.avg()::int", [{ avg: 80 }]],
    ["a cast before aggregating", "/screenings?select=price::int.sum()", [{ sum: 40 }]],
    ["a JSON path", "/films?select=details->>score::int.sum()", [{ sum: 27 }]],
    ["filters come first", "/screenings?select=seats.sum()&hall=eq.blue", [{ sum: 100 }]],
    [
      "other columns group",
      "/screenings?select=hall,seats.sum()&order=hall",
      [
        { hall: "blue", sum: 100 },
        { hall: "red", sum: 300 },
      ],
    ],
    [
      "in an embed",
      "/films?select=id,screenings(seats.sum())&id=in.(1,4)&order=id",
      [
        { id: 1, screenings: [{ sum: 140 }] },
        { id: 4, screenings: [{ sum: 100 }] },
      ],
    ],
    [
      "in an embed, grouped",
      "/films?select=id,screenings(hall,count())&id=eq.1&screenings.order=hall",
      [
        {
          id: 1,
          screenings: [
            { hall: "blue", count: 1 },
            { hall: "red", count: 1 },
          ],
        },
      ],
    ],
    [
      "a to-one spread takes part in the parent's grouping",
      "/screenings?select=seats.sum(),...films(title)&film_id=eq.3",
      [{ sum: 160, title: "Seven Samurai" }],
    ],
  ])("%s", async (_what, path, expected) => {
    expect(await app.rest(path)).toMatchObject({ status: 200, json: expected });
  });

  it("in a to-many spread is PGRST127", async () => {
    expect(await app.rest("/films?select=id,...screenings(seats.sum())")).toMatchObject({
      status: 400,
      json: { code: "PGRST127" },
    });
  });
});

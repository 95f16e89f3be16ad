import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type DataUnderTest, openDataUnderTest } from "./testing/data.ts";
import { filmSchema } from "./testing/films.ts";

const rows = 20_000;
let data: DataUnderTest;
beforeAll(async () => {
  data = await openDataUnderTest(`${filmSchema}
    create table long (id int primary key, text text);
    insert into long select n, repeat('x', 50) from generate_series(1, ${rows}) n;
    grant select on long to service_role;`);
});
afterAll(() => data.close());

describe("B09: amplification", () => {
  it("counts embeds and items of one request", async () => {
    const many = (count: number, item: (at: number) => string) =>
      Array.from({ length: count }, (_, at) => item(at)).join(",");
    const embeds = await data.request("GET", `/films?select=${many(51, (at) => `d${at}:directors(id)`)}`);
    expect(embeds.status).toBe(400);
    expect(embeds.json()).toMatchObject({
      code: "PGRST100",
      message: expect.stringContaining("50 embedded relations"),
    });
    const items = await data.request("GET", `/films?select=${many(600, (at) => `a${at}:id`)}`);
    expect(items.json()).toMatchObject({ code: "PGRST100" });
    expect(data.flights).toHaveLength(0);
  });
});

describe("B11: runaway reads", () => {
  it("caps what one request returns, and puts exact counts where they hinder nobody", async () => {
    const answer = await data.request("GET", "/long?select=id", { headers: { prefer: "count=exact" } });
    expect(answer).toMatchObject({ status: 206, headers: { "content-range": `0-999/${rows}` } });
    expect(data.flights.at(-1)?.lane).toBe("slow");
  });

  it("gives the role's statement_timeout to every flight", async () => {
    const roleSettings = new Map([["service_role", new Map([["statement_timeout", "123ms"]])]]);
    const limited = data.withCatalog({ ...data.catalog.current(), roleSettings });
    await limited.request("GET", "/films?select=id");
    const [context] = data.flights.at(-1)!.prologue;
    const place = /set_config\('statement_timeout', \$(\d+), true\)/.exec(context!.text)?.[1];
    expect(context!.values[Number(place) - 1]).toBe("123ms");
  });
});

describe("large results", () => {
  it("arrive in bounded pieces, whole and in order", async () => {
    const streaming = data.withSettings({ maxRows: 0 });
    const reply = await streaming.reply("GET", "/long?select=*&order=id", { headers: { prefer: "count=exact" } });
    expect(reply.status).toBe(200);
    expect(reply.headers).toEqual(expect.arrayContaining(["Content-Range", `0-${rows - 1}/${rows}`]));
    const pieces: Buffer[] = [];
    if (reply.body === null || typeof reply.body === "string" || Buffer.isBuffer(reply.body))
      throw new Error("not a stream");
    for await (const piece of reply.body) pieces.push(Buffer.from(piece));
    expect(Math.max(...pieces.map((piece) => piece.length))).toBeLessThan(70_000);
    const all = JSON.parse(Buffer.concat(pieces).toString()) as { id: number }[];
    expect(all).toHaveLength(rows);
    expect(all.every(({ id }, at) => id === at + 1)).toBe(true);
  });

  it("are left early without harm", async () => {
    const streaming = data.withSettings({ maxRows: 0 });
    const { body } = await streaming.reply("GET", "/long?select=*");
    if (body === null || typeof body === "string" || Buffer.isBuffer(body)) throw new Error("not a stream");
    for await (const _ of body) break;
    expect((await streaming.request("GET", "/long?select=id&id=eq.7")).json()).toEqual([{ id: 7 }]);
  });

  it("are refused like any other before the first row", async () => {
    const streaming = data.withSettings({ maxRows: 0 });
    expect(await streaming.request("GET", "/long?id=lt.x")).toMatchObject({ status: 400 });
  });
});

describe("the plan cache", () => {
  it("serves a shape again with other values, by the same text", async () => {
    const from = data.flights.length;
    const first = await data.request("GET", "/long?select=id&id=eq.1");
    const second = await data.request("GET", "/long?select=id&id=eq.2");
    expect([first.json(), second.json()]).toEqual([[{ id: 1 }], [{ id: 2 }]]);
    const [a, b] = data.flights.slice(from);
    expect(a!.statement.text).toBe(b!.statement.text);
    expect(a!.statement.values).toEqual(["1"]);
    expect(b!.statement.values).toEqual(["2"]);
  });
});

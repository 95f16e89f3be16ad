import { randomUUID } from "node:crypto";
import { templateDatabase, testDatabase } from "@mainstay/testing";
import { sql } from "pg-sql2";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { type Database, openDatabase } from "../../../../platform/postgres/database.ts";
import { keyOf, readAsk } from "./ask.ts";
import { cacheStore } from "./cache-store.ts";
import { openClient, openWeather, sunny, type TestClient, type Weather } from "./weather.testing.ts";

let database: Database;
let drop: () => Promise<void>;
let weather: Weather;
let nodes: TestClient[] = [];

beforeAll(async () => {
  const made = await testDatabase(await templateDatabase());
  drop = () => made.drop();
  database = openDatabase({ connectionString: made.url });
});
afterAll(async () => {
  await database?.close();
  await drop?.();
});
beforeEach(async () => {
  weather = await openWeather();
  nodes = [openClient(database), openClient(database)];
  await database.query(sql`truncate mainstay.http_cache`);
});
afterEach(async () => {
  await Promise.all(nodes.map((node) => node.close()));
  await weather.stop();
});

const cached = { cacheMs: 60_000 };
const keyFor = (url: string): Buffer => keyOf(readAsk([url]));
const rows = () =>
  database.query<{ size: number }>(sql`select size_bytes as size from mainstay.http_cache where status is not null`);

test("what one node has fetched all have, and after a restart too", async () => {
  expect((await nodes[0]!.ask(weather.url, cached)).source).toBe("network");
  const other = await nodes[1]!.ask(weather.url, cached);
  expect(other).toMatchObject({ source: "cache", status: 200, body: '{"sky":"clear","count":1}' });
  expect(other.headers).toContain("application/json");
  const restarted = openClient(database);
  expect((await restarted.ask(weather.url, cached)).source).toBe("cache");
  await restarted.close();
  expect(weather.asked).toHaveLength(1);
});

test("two nodes that ask at once make one request", async () => {
  weather.answer = (request, response, count) => setTimeout(() => sunny(request, response, count), 50);
  const answers = await Promise.all(Array.from({ length: 20 }, (_, at) => nodes[at % 2]!.ask(weather.url, cached)));
  expect(new Set(answers.map(({ body }) => body))).toEqual(new Set(['{"sky":"clear","count":1}']));
  expect(weather.asked).toHaveLength(1);
});

test("X11 a node that dies with the lease holds up the others until that ends, and no longer", async () => {
  const leased = await cacheStore.lease(database, {
    key: keyFor(weather.url),
    by: randomUUID(),
    leaseMs: 400,
    freshMs: 0,
  });
  expect(leased).toBe(true);
  const asking = nodes[0]!.ask(weather.url, cached);
  await new Promise((resolve) => setTimeout(resolve, 100));
  expect(weather.asked).toHaveLength(0);
  expect(await asking).toMatchObject({ source: "network", status: 200 });
  expect((await nodes[1]!.ask(weather.url, cached)).source).toBe("cache");
});

test("meanwhile who may have it stale has it", async () => {
  await nodes[0]!.ask(weather.url, { cacheMs: 1 });
  await cacheStore.lease(database, { key: keyFor(weather.url), by: randomUUID(), leaseMs: 60_000, freshMs: 0 });
  await new Promise((resolve) => setTimeout(resolve, 5));
  const stale = await nodes[1]!.ask(weather.url, { cacheMs: 1, staleWhileRevalidateMs: 60_000 });
  expect(stale).toMatchObject({ source: "cache", body: '{"sky":"clear","count":1}' });
  expect(weather.asked).toHaveLength(1);
});

test("a service that fails gives the lease back, and what another node has kept is given instead", async () => {
  await nodes[0]!.ask(weather.url, { cacheMs: 1, staleIfErrorMs: 60_000 });
  await new Promise((resolve) => setTimeout(resolve, 5));
  weather.answer = (_, response) => response.writeHead(500).end();
  for (const node of nodes) {
    const answer = await node.ask(weather.url, { cacheMs: 1, staleIfErrorMs: 60_000, retries: 0 });
    expect(answer).toMatchObject({ source: "stale", body: '{"sky":"clear","count":1}' });
  }
  expect(await database.query(sql`select from mainstay.http_cache where fetching_until is not null`)).toEqual([]);
});

test("what was asked with credentials is in no table", async () => {
  await nodes[0]!.ask(weather.url, { ...cached, headers: { authorization: "Bearer alice" } });
  await nodes[0]!.ask(weather.url, { ...cached, headers: { "x-api-key": "k" } });
  expect(await database.query(sql`select from mainstay.http_cache`)).toEqual([]);
  expect((await nodes[0]!.ask(weather.url, { ...cached, headers: { authorization: "Bearer alice" } })).source).toBe(
    "cache",
  );
  expect((await nodes[1]!.ask(weather.url, { ...cached, headers: { authorization: "Bearer alice" } })).source).toBe(
    "network",
  );
});

test("X18 age is PostgreSQL's: an answer that was given long ago is not fresh, whatever a node's clock says", async () => {
  await nodes[0]!.ask(weather.url, cached);
  await database.query(sql`update mainstay.http_cache set fetched_at = fetched_at - interval '2 minutes'`);
  expect((await nodes[1]!.ask(weather.url, cached)).source).toBe("network");
});

test("a slow answer does not replace a newer one", async () => {
  const key = keyFor(weather.url);
  const kept = (body: string, ageMs: number) => ({
    status: 200,
    headers: [],
    body: Buffer.from(body),
    givenAtMs: performance.now() - ageMs,
  });
  await cacheStore.keep(database, key, randomUUID(), kept("new", 0), 60_000);
  await cacheStore.keep(database, key, randomUUID(), kept("old", 10_000), 60_000);
  expect((await cacheStore.find(database, key)).kept?.body.toString()).toBe("new");
});

test("a sweep takes what nobody wants, and keeps to its limits", async () => {
  weather.answer = (_, response) => response.end("x".repeat(1_000));
  for (let i = 0; i < 6; i++) await nodes[0]!.ask(`${weather.url}/${i}`, cached);
  await database.query(
    sql`update mainstay.http_cache set kept_until = now() - interval '1 s' where key = decode(${sql.value(keyFor(`${weather.url}/0`).toString("hex"))}, 'hex')`,
  );
  await cacheStore.sweep(database, { entries: 4, bytes: 1_000_000 });
  expect(await rows()).toHaveLength(4);
  await cacheStore.sweep(database, { entries: 100, bytes: 2 * (await rows())[0]!.size });
  expect(await rows()).toHaveLength(2);
  expect((await openClient(database).ask(`${weather.url}/5`, cached)).source).toBe("cache");
});

import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { fixture, startWatched, type WatchedApp } from "./app.ts";
import { type AskOptions, ask, expectRefusedUnseen, nested, times } from "./ask.ts";
import { send } from "./send.ts";

const lines = `
  create table public.long_lines (id integer primary key, line text not null);
  insert into public.long_lines select n, repeat('a', 40) || '!' from generate_series(1, 3000) n;
  grant all on public.long_lines to anon, authenticated, service_role;
`;

let app: WatchedApp;
beforeAll(async () => {
  app = await startWatched(fixture + lines);
});
afterAll(() => app.stop());

const rest = (path: string, options?: AskOptions) => ask(app, path, options);
const refusedUnseen = (...[path, options, statuses]: [path: string, options?: AskOptions, statuses?: number[]]) =>
  expectRefusedUnseen(app, path, options, statuses);

describe("B08: what is too deep, too wide or too long is refused before PostgreSQL hears of it", () => {
  // Within the length of a URL.
  test.each([
    ["logic 10,000 deep", `/letters?or=${nested("(or", "(id.eq.1)", ")", 10_000).slice(0, 32_000)}`],
    ["logic that never closes", `/letters?or=${"(or".repeat(10_000)}`],
    ["negations without end", `/letters?${"not.".repeat(7_000)}or=(id.eq.1)`],
    ["embeds 2,000 deep", `/employees?select=${nested("employees(", "id", ")", 2_000)}`],
    ["spreads 2,000 deep", `/films?select=${nested("...directors(", "id", ")", 2_000)}`],
    ["5,000 conditions", `/letters?or=(${times(5_000, () => "id.eq")})`],
    ["4,000 conditions that are well formed", `/letters?or=(${times(3_500, () => "id.eq.1")})`],
    ["4,000 parameters", `/letters?${times(4_000, () => "a=eq.1", "&")}`],
    ["a JSON path of 6,000 steps", `/films?select=details${"->a".repeat(6_000)}`],
    ["1,500 order terms", `/letters?order=${times(1_500, () => "id.desc")}`],
    ["5,000 quotes", `/letters?select=${'"'.repeat(5_001)}`],
    ["a list of 15,000", `/letters?id=in.(${times(15_000, () => "1")})`],
    ["an alias of 1,000 letters", `/letters?select=${"a".repeat(1_000)}:id`],
  ])("%s", (_what, path) => refusedUnseen(path));

  test("a URL of 40 KB", () => refusedUnseen(`/letters?select=${"a".repeat(40_000)}`, {}, [400, 414]));

  test("a URL of 1 MB does not get past the reader of HTTP, which knows no dialect", async () => {
    const before = app.relay.messages;
    const answer = await rest(`/letters?select=${"a".repeat(1_000_000)}`);
    expect(answer).toMatchObject({
      status: 431,
      headers: { "content-type": "application/problem+json; charset=utf-8" },
    });
    expect(app.relay.messages).toBe(before);
  });

  test("a body 100,000 deep", async () => {
    await refusedUnseen("/products", { method: "POST", body: `{"attributes": ${nested("[", "", "]", 100_000)}}` });
    await refusedUnseen("/products", { method: "POST", body: `${'{"sku":'.repeat(100_000)}` });
    await refusedUnseen("/rpc/keys_of", { method: "POST", body: `{"doc": ${nested('{"a":', "1", "}", 100_000)}}` });
  });

  test("a body of 100,000 keys", async () => {
    await refusedUnseen("/products", { method: "POST", body: `{${times(100_000, (at) => `"k${at}":1`)}}` });
    await refusedUnseen("/products", { method: "POST", body: `[${times(100_000, (at) => `{"k${at}":1}`)}]` });
    await refusedUnseen("/products", {
      method: "POST",
      body: `${times(100_000, (at) => `k${at}`)}\n${times(100_000, () => "1")}`,
      headers: { "content-type": "text/csv" },
    });
    await refusedUnseen("/products", {
      method: "POST",
      body: times(100_000, (at) => `k${at}=1`, "&"),
      headers: { "content-type": "application/x-www-form-urlencoded" },
    });
  });

  test("wide headers of the dialect", async () => {
    const before = app.relay.messages;
    // Neither is an error: what cannot be understood is passed over, and must not take long to be.
    for (const headers of [
      { prefer: times(4_000, () => "x") },
      { accept: `${times(2_000, () => "a/b;q=0.1")},*/*;q=0` },
      { range: `${"9".repeat(10_000)}-` },
    ] as Record<string, string>[]) {
      expect((await rest("/letters?id=eq.1", { headers })).status).toBeLessThan(500);
    }
    await refusedUnseen("/letters", { headers: { prefer: `handling=strict,${times(4_000, (at) => `x${at}`)}` } });
    expect(app.relay.messages).toBeGreaterThanOrEqual(before);
  });

  describe("with every other limit raised, by the depth and the count alone", () => {
    let wide: WatchedApp;
    beforeAll(async () => {
      wide = await startWatched(fixture, {
        http: { urlLimitBytes: 4_000_000, headersLimitBytes: 8_000_000 },
        queries: { queryBytes: 4_000_000, queryParameters: 1_000_000 },
      });
    });
    afterAll(() => wide.stop());

    test.each([
      ["logic 10,000 deep", `/letters?or=${nested("(or", "(id.eq.1)", ")", 10_000)}`],
      ["logic 100,000 deep", `/letters?or=${nested("(or", "(id.eq.1)", ")", 100_000)}`],
      ["embeds 10,000 deep", `/employees?select=${nested("employees(", "id", ")", 10_000)}`],
      ["a tree of 100,000 conditions", `/letters?or=(${times(100_000, () => "id.eq.1")})`],
      [
        "a bushy tree of 100,000 conditions",
        `/letters?or=(${times(10_000, () => `and(${times(10, () => "id.eq.1")})`)})`,
      ],
      ["a list of 100,000", `/letters?id=in.(${times(100_000, () => "1")})`],
      ["lists of 100,000 in a tree", `/letters?or=(id.in.(${times(100_000, () => "1")}),id.eq.2)`],
      ["100,000 parameters", `/letters?${times(100_000, () => "id=eq.1", "&")}`],
    ])("%s", async (_what, path) => {
      let isHeard = true;
      // The server has questions of its own; one that comes of the request comes each time.
      for (let times = 0; isHeard && times < 5; times++) {
        const before = wide.relay.messages;
        const startMs = performance.now();
        const answer = await send(wide.url, {
          method: "GET",
          target: `/rest/v1${path}`,
          headers: { apikey: wide.anonKey },
          body: null,
        });
        console.info(`${answer.status} in ${(performance.now() - startMs).toFixed(1)} ms`);
        expect(answer).toMatchObject({ status: 400, text: expect.stringContaining('"PGRST100"') });
        isHeard = wide.relay.messages !== before;
      }
      expect(isHeard).toBe(false);
    });
  });

  test("and the server is as well as before", async () => {
    expect(await rest("/letters?id=eq.1")).toMatchObject({ status: 200, text: '[{"id":1,"letter":"a"}]' });
  });
});

describe("B09: one request cannot ask for the work of a thousand", () => {
  test("1,000 aliases of one column, 1,000 of one embed", async () => {
    await refusedUnseen(`/letters?select=${times(1_000, (at) => `a${at}:letter`)}`);
    await refusedUnseen(`/films?select=${times(1_000, (at) => `a${at}:directors(id)`)}`);
    await refusedUnseen(`/films?select=${times(60, (at) => `a${at}:directors(films(id))`)}`);
  });

  test("an embed that multiplies at every level is bounded in how often it may", () =>
    refusedUnseen(
      `/directors?select=${times(20, (at) => `a${at}:films(${times(20, (below) => `b${below}:directors(id)`)})`)}`,
    ));

  test("a batch of 10,000 rows is one statement, all or nothing", async () => {
    const batch = (count: number) => `[${times(count, (at) => `{"id":${1_000_000 + at},"line":"x"}`)}]`;
    expect((await rest("/long_lines", { method: "POST", body: batch(10_000) })).status).toBe(201);
    const spoilt = batch(10_000).replace('"id":1009999', '"id":1');
    expect(
      (await rest("/long_lines", { method: "POST", body: spoilt.replaceAll('"id":100', '"id":200') })).status,
    ).toBe(409);
    const [row] = await app.sql("select count(*)::int as n from public.long_lines where id >= 1000000");
    expect(row).toEqual({ n: 10_000 });
    await app.sql("delete from public.long_lines where id >= 1000000");
  });
});

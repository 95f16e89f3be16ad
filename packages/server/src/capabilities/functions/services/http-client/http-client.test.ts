import { afterEach, beforeEach, describe, expect, onTestFinished, test, vi } from "vitest";
import type { Json } from "../../../../platform/jobs/types.ts";
import { Breaker } from "../../../../platform/outbound/index.ts";
import type { Database } from "../../../../platform/postgres/database.ts";
import { type Ask, hasCredentials, keyOf, readAsk } from "./ask.ts";
import { retryAfterMsOf } from "./attempts.ts";
import { failing, openClient, openWeather, sunny, type TestClient, type Weather } from "./weather.testing.ts";

/** A database that is away: the client must do without. */
const away: Pick<Database, "query" | "execute"> = {
  query: () => Promise.reject(new Error("away")),
  execute: () => Promise.reject(new Error("away")),
};

let weather: Weather;
let client: TestClient;
beforeEach(async () => {
  weather = await openWeather();
  client = openClient(away);
});
afterEach(async () => {
  await client.close();
  await weather.stop();
});

const refusal = (url: string, options: Json = {}): Promise<{ code: string }> =>
  client.ask(url, options).then(
    () => ({ code: "answered" }),
    (error: { code: string }) => error,
  );

describe("a request", () => {
  test("carries what it is given, and brings back what comes", async () => {
    weather.answer = async (request, response) => {
      const chunks: Buffer[] = [];
      for await (const chunk of request) chunks.push(chunk);
      response
        .writeHead(418, { "X-Seen": `${request.method} ${request.headers["x-sent"]}` })
        .end(Buffer.concat(chunks));
    };
    const answer = await client.ask(weather.url, { method: "PATCH", headers: { "X-Sent": "one" }, body: "grüße" });
    expect(answer).toMatchObject({ status: 418, body: "grüße", source: "network" });
    expect(answer.headers).toContain("PATCH one");
    expect((await client.ask(weather.url, { method: "POST", bodyBase64: "AP8=" })).body).toBe(
      Buffer.from([0, 255]).toString(),
    );
  });

  test.each([
    ["ftp://x/", {}],
    ["/relative", {}],
    ["http://x/", { method: "TRACE" }],
    ["http://x/", { headers: { host: "evil" } }],
    ["http://x/", { headers: { "a b": "c" } }],
    ["http://x/", { headers: { a: "b\r\nc: d" } }],
    ["http://x/", { headers: [] }],
    ["http://x/", { body: "x" }],
    ["http://x/", { timeoutMs: -1 }],
    ["http://x/", { retries: 1.5 }],
    ["http://x/", { cacheMs: "long" }],
  ])("%s with %j is refused before anything is sent", async (url, options) => {
    expect((await refusal(url, options as Json)).code).toBe("functions/invalid-argument");
  });
});

describe("X01 where it may go", () => {
  const spellings = [
    "http://127.0.0.1",
    "http://127.1",
    "http://0x7f000001",
    "http://2130706433",
    "http://017700000001",
    "http://0",
    "http://localhost",
    "http://[::1]",
    "http://[::ffff:127.0.0.1]",
    "http://[::ffff:7f00:1]",
    "http://[64:ff9b::7f00:1]",
    "http://169.254.169.254",
    "http://0xa9fea9fe",
    "http://10.0.0.1",
    "http://192.168.0.1",
    "http://172.16.0.1",
    "http://100.64.0.1",
    "http://[fd00::1]",
    "http://[fe80::1]",
    "http://0.0.0.0",
  ];
  test.each(spellings)("%s is not reached", async (origin) => {
    client = openClient(away, {}, []);
    const { port } = new URL(weather.url);
    expect((await refusal(`${origin}:${port}/`, { retries: 0 })).code).toBe("address");
    expect(weather.asked).toHaveLength(0);
  });

  test("every hop is looked at anew", async () => {
    // Allowed by its port, so that the place it sends to is not.
    const { port } = new URL(weather.url);
    const inner = await openWeather();
    client = openClient(away, {}, [`127.0.0.1:${port}`]);
    weather.answer = (_, response) => response.writeHead(302, { Location: inner.url }).end();
    expect((await refusal(weather.url)).code).toBe("address");
    weather.answer = (_, response, count) =>
      count < 4
        ? response.writeHead(307, { Location: `/${count}` }).end()
        : response.writeHead(302, { Location: "http://[::ffff:127.0.0.1]:1/" }).end();
    expect((await refusal(weather.url)).code).toBe("address");
    expect(inner.asked).toHaveLength(0);
    await inner.stop();
  });

  test("redirects: so many, for GET and HEAD, and no secret to another origin", async () => {
    weather.answer = (_, response) => response.writeHead(302, { Location: "/again" }).end();
    expect((await refusal(weather.url)).code).toBe("redirect");
    expect(weather.asked).toHaveLength(6);
    expect((await refusal(weather.url, { method: "POST", body: "x" })).code).toBe("redirect");
    expect(weather.asked).toHaveLength(7);
    weather.answer = (_, response) => response.writeHead(302, { Location: "javascript:alert(1)" }).end();
    expect((await refusal(weather.url)).code).toBe("redirect");

    const other = await openWeather();
    weather.answer = (_, response) => response.writeHead(302, { Location: other.url }).end();
    const headers = { authorization: "Bearer s", cookie: "a=b", "x-api-key": "k", accept: "text/plain" };
    expect((await client.ask(weather.url, { headers })).status).toBe(200);
    expect(other.asked[0]!.headers).toMatchObject({ accept: "text/plain" });
    for (const name of ["authorization", "cookie", "x-api-key"]) expect(other.asked[0]!.headers[name]).toBeUndefined();
    await other.stop();
  });
});

describe("X12 a service that fails", () => {
  test("is asked again, as often as was said", async () => {
    weather.answer = (request, response, count) =>
      count < 3 ? failing(503)(request, response, count) : sunny(request, response, count);
    expect(await client.ask(weather.url)).toMatchObject({ status: 200, body: '{"sky":"clear","count":3}' });
    weather.answer = failing(500);
    expect((await client.ask(weather.url, { retries: 1 })).status).toBe(500);
    expect(weather.asked).toHaveLength(5);
  });

  test("and not what must not be sent twice", async () => {
    weather.answer = failing(500);
    expect((await client.ask(weather.url, { method: "POST", body: "pay" })).status).toBe(500);
    expect(weather.asked).toHaveLength(1);
    await client.ask(weather.url, { method: "POST", body: "pay", headers: { "Idempotency-Key": "1" }, retries: 1 });
    expect(weather.asked).toHaveLength(3);
    weather.answer = failing(404);
    await client.ask(weather.url);
    expect(weather.asked).toHaveLength(4);
  });

  test("cut in the middle, hanging, too large, not there", async () => {
    weather.answer = (_, response) => {
      response.writeHead(200, { "Content-Length": "100" });
      response.write("half");
      setTimeout(() => response.destroy(), 5);
    };
    expect((await refusal(weather.url, { retries: 1 })).code).toBe("network");
    expect(weather.asked).toHaveLength(2);
    weather.answer = () => {};
    expect((await refusal(weather.url, { timeoutMs: 30, retries: 0 })).code).toBe("timeout");
    weather.answer = sunny;
    await client.ask(weather.url);
    await client.close();
    client = openClient(away, { functionsHttpAnswerBytes: 10 });
    expect((await refusal(weather.url, { retries: 2 })).code).toBe("too-large");
    await weather.stop();
    expect((await refusal(weather.url, { retries: 0 })).code).toBe("network");
    weather = await openWeather();
  });

  test("that asks for time gets it: a short one is waited for, a long one is not", async () => {
    weather.answer = (request, response, count) =>
      count === 1 ? failing(429, { "Retry-After": "1" })(request, response, count) : sunny(request, response, count);
    const beganMs = performance.now();
    expect((await client.ask(weather.url)).status).toBe(200);
    expect(performance.now() - beganMs).toBeGreaterThan(990);
    weather.answer = failing(429, { "Retry-After": "3600" });
    expect((await client.ask(weather.url)).status).toBe(429);
    expect((await refusal(weather.url)).code).toBe("open");
    expect(weather.asked).toHaveLength(3);
  });

  test("that asks for time gets all of it, in a process whose timers end early", async () => {
    weather.answer = (request, response, count) =>
      count === 1 ? failing(429, { "Retry-After": "1" })(request, response, count) : sunny(request, response, count);
    // Timers count whole milliseconds, and who is busy looks at them at any part of one: this one ends half of one too early.
    const failed = vi.spyOn(Breaker.prototype, "failed").mockImplementationOnce(function (this: Breaker, retryAfterMs) {
      while ((process.hrtime.bigint() / 100_000n) % 10n !== 5n);
      this.failed(retryAfterMs);
    });
    let isBusy = true;
    const spin = () => isBusy && setImmediate(spin);
    spin();
    onTestFinished(() => {
      isBusy = false;
      failed.mockRestore();
    });
    expect((await client.ask(weather.url)).status).toBe(200);
    expect(failed).toHaveBeenCalled();
  });

  test("is left alone after some failures, then asked once", async () => {
    client = openClient(away, { functionsHttpBreakerFailures: 3, functionsHttpBreakerFirstMs: 100 });
    weather.answer = failing(500);
    for (let i = 0; i < 3; i++) await client.ask(weather.url, { retries: 0 });
    expect((await refusal(`${weather.url}/other/path`)).code).toBe("open");
    expect(weather.asked).toHaveLength(3);
    // Another origin is another service.
    const other = await openWeather();
    expect((await client.ask(other.url)).status).toBe(200);
    await other.stop();
    await new Promise((resolve) => setTimeout(resolve, 120));
    weather.answer = (request, response, count) => setTimeout(() => sunny(request, response, count), 20);
    const both = await Promise.allSettled([
      client.ask(weather.url, { retries: 0 }),
      client.ask(weather.url, { retries: 0 }),
    ]);
    expect(both.map(({ status }) => status).sort()).toEqual(["fulfilled", "rejected"]);
    expect((await client.ask(weather.url)).status).toBe(200);
  });

  test("who leaves waits for nothing", async () => {
    weather.answer = failing(500);
    client = openClient(away, { functionsHttpRetryFirstMs: 5_000 });
    const controller = new AbortController();
    const asking = client.ask(weather.url, {}, controller.signal);
    setTimeout(() => controller.abort(new Error("left")), 30);
    await expect(asking).rejects.toThrow("left");
  });
});

describe("what is kept in memory", () => {
  const cached = { cacheMs: 60_000 };

  test("is given to whoever asks the same, without PostgreSQL too", async () => {
    expect(await client.ask(weather.url, cached)).toMatchObject({ source: "network" });
    expect(await client.ask(weather.url, cached)).toMatchObject({ source: "cache", body: '{"sky":"clear","count":1}' });
    expect(await client.ask(`${weather.url}/?q=1`, cached)).toMatchObject({ source: "network" });
    expect(await client.ask(weather.url)).toMatchObject({ source: "network" });
  });

  test("two users' answers never mix", async () => {
    weather.answer = (request, response) =>
      response.end(String(request.headers.authorization ?? request.headers["x-user"]));
    const as = (headers: Record<string, string>) => client.ask(weather.url, { ...cached, headers });
    expect((await as({ authorization: "alice" })).body).toBe("alice");
    expect((await as({ authorization: "bob" })).body).toBe("bob");
    expect((await as({ Authorization: "alice" })).source).toBe("cache");
    expect((await as({ "x-user": "carol" })).body).toBe("carol");
    expect((await client.ask(weather.url.replace("//", "//alice:pw@"), cached)).body).toBe(`Basic ${btoa("alice:pw")}`);
  });

  test.each([
    ["Cache-Control", "no-store"],
    ["Set-Cookie", "session=1"],
    ["Vary", "*"],
  ])("not an answer that says %s: %s", async (name, value) => {
    weather.answer = (_, response) => response.writeHead(200, { [name]: value }).end("mine");
    await client.ask(weather.url, cached);
    expect((await client.ask(weather.url, cached)).source).toBe("network");
  });

  test("many who ask at once are one request", async () => {
    weather.answer = (request, response, count) => setTimeout(() => sunny(request, response, count), 20);
    const controller = new AbortController();
    const all = Array.from({ length: 20 }, (_, at) =>
      client.ask(weather.url, cached, at === 0 ? controller.signal : undefined),
    );
    // The one it was begun for leaves: the others get it all the same.
    controller.abort(new Error("left"));
    const done = await Promise.allSettled(all);
    expect(done[0]).toMatchObject({ status: "rejected" });
    expect(done.slice(1).every(({ status }) => status === "fulfilled")).toBe(true);
    expect(weather.asked).toHaveLength(1);
  });

  test("stale while it is fetched anew, and while the service fails", async () => {
    const short = { cacheMs: 1, staleWhileRevalidateMs: 60_000, staleIfErrorMs: 60_000, retries: 0 };
    await client.ask(weather.url, short);
    await new Promise((resolve) => setTimeout(resolve, 5));
    expect(await client.ask(weather.url, short)).toMatchObject({ source: "cache", body: '{"sky":"clear","count":1}' });
    await expect.poll(() => weather.asked.length).toBe(2);
    weather.answer = failing(500);
    const strict = { cacheMs: 1, staleIfErrorMs: 60_000, retries: 0 };
    await expect.poll(async () => (await client.ask(weather.url, strict)).source).toBe("stale");
    weather.answer = (_, response) => response.destroy();
    expect(await client.ask(weather.url, strict)).toMatchObject({
      source: "stale",
      body: expect.stringContaining("count"),
    });
    expect(
      (await client.ask(weather.url, { cacheMs: 1, retries: 0 }).catch((error: { code: string }) => error)) as unknown,
    ).toMatchObject({ code: "network" });
  });

  test("what is still good is not sent again", async () => {
    weather.answer = (request, response) => {
      if (request.headers["if-none-match"] === '"v1"') response.writeHead(304, { "X-Checked": "yes" }).end();
      else response.writeHead(200, { ETag: '"v1"', "Last-Modified": "Sun, 22 Nov 2026 00:00:00 GMT" }).end("one");
    };
    await client.ask(weather.url, { cacheMs: 1 });
    await new Promise((resolve) => setTimeout(resolve, 5));
    const again = await client.ask(weather.url, { cacheMs: 1 });
    expect(again).toMatchObject({ status: 200, body: "one", source: "network" });
    expect(again.headers).toContain("x-checked");
    expect(weather.asked[1]!.headers["if-modified-since"]).toBe("Sun, 22 Nov 2026 00:00:00 GMT");
  });

  test("takes no more memory than it may", async () => {
    client = openClient(away, { functionsHttpMemoryBytes: 5_000 });
    weather.answer = (_, response) => response.end("x".repeat(2_000));
    for (let i = 0; i < 5; i++) await client.ask(`${weather.url}/${i}`, cached);
    expect((await client.ask(`${weather.url}/4`, cached)).source).toBe("cache");
    expect((await client.ask(`${weather.url}/0`, cached)).source).toBe("network");
  });
});

test("Retry-After: seconds, a date, or nothing that can be read", () => {
  const of = (value: string) =>
    retryAfterMsOf(
      { status: 429, headers: new Headers({ "retry-after": value }), body: Buffer.alloc(0) },
      Date.UTC(2026, 10, 22),
    );
  expect([
    of("7"),
    of("Sun, 22 Nov 2026 00:00:09 GMT"),
    of("Sat, 21 Nov 2026 00:00:00 GMT"),
    of("soon"),
    of("-1"),
  ]).toEqual([7_000, 9_000, 0, null, null]);
});

test("a key is of the method, the URL and all headers, in whatever order", () => {
  const key = (url: string, headers: Record<string, string>): string =>
    keyOf(readAsk([url, { headers }]) as Ask).toString("hex");
  expect(key("http://x/", { a: "1", B: "2" })).toBe(key("http://x", { b: "2", a: "1" }));
  expect(key("http://x/#part", {})).toBe(key("http://x/", {}));
  expect(key("http://x/", { a: "1" })).not.toBe(key("http://x/", { a: "2" }));
  expect(key("http://x/a", {})).not.toBe(key("http://x/b", {}));
  expect(hasCredentials(readAsk(["http://x/", { headers: { "X-Api-Key": "k" } }]))).toBe(true);
  expect(hasCredentials(readAsk(["http://x/", { headers: { accept: "k" } }]))).toBe(false);
});

import { createHmac } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ann, jwtSecret, mint } from "../app.ts";
import { rawExchange } from "../storage/http.ts";
import { canary, type FunctionsServer, startFunctions } from "./server.ts";

const annId = "6f0c8d2e-0000-4000-8000-00000000000a";
/** As `functions/.env` has it. */
const secret = "hook-secret-of-the-project";

let app: FunctionsServer;
beforeAll(async () => {
  app = await startFunctions({
    "who.ts": `export default (request, ctx) => Response.json({ user: ctx.user?.id ?? null, role: ctx.user?.role ?? null });`,
    "open.ts": `import { serve } from "@mainstay/functions";
      export default serve({ verifyJwt: false }, (request, ctx) => Response.json({ user: ctx.user?.id ?? null, role: ctx.user?.role ?? null }));`,
    "echo.ts": `export default async (request) => Response.json({ url: request.url, headers: Object.fromEntries(request.headers), body: await request.text() });`,
    "keep.ts": `export default (request, ctx) => { console.log("kept"); return new Response("ok"); };`,
    "pay.ts": `import { webhook } from "@mainstay/functions"; webhook({ provider: "stripe", secret: "HOOK_SECRET" }, () => {});`,
    "hub.ts": `import { webhook } from "@mainstay/functions"; webhook({ provider: "github", secret: "HOOK_SECRET" }, () => {});`,
    "plain.ts": `import { webhook } from "@mainstay/functions";
      webhook({ provider: "hmac", secret: "HOOK_SECRET", signature: { header: "x-sign", prefix: "v1=" }, id: { path: "id" } }, () => {});`,
    "unset.ts": `import { webhook } from "@mainstay/functions"; webhook({ provider: "github", secret: "NOT_THERE" }, () => {});`,
  });
  expect((await app.call("who")).status).toBe(200);
});
afterAll(() => app?.stop());

describe("A01 A03 A17 who calls", () => {
  const encode = (value: object): string => Buffer.from(JSON.stringify(value)).toString("base64url");
  const claims = {
    sub: annId,
    role: "authenticated",
    aud: "authenticated",
    exp: Math.floor(Date.now() / 1_000) + 3_600,
  };
  const withHead = (head: object, by = jwtSecret): string => {
    const signed = `${encode(head)}.${encode(claims)}`;
    return `${signed}.${createHmac("sha256", by).update(signed).digest("base64url")}`;
  };
  const forged = (): Readonly<Record<string, string>> => ({
    "of another project": mint({ ...claims, iss: "other" }, "another-secret-of-at-least-thirty-two-bytes-00"),
    ended: mint({ ...claims, exp: Math.floor(Date.now() / 1_000) - 3_600 }),
    "not yet begun": mint({ ...claims, nbf: Math.floor(Date.now() / 1_000) + 3_600 }),
    "without signature": `${encode({ alg: "none", typ: "JWT" })}.${encode(claims)}.`,
    "of none, in other letters": `${encode({ alg: "nOnE", typ: "JWT" })}.${encode(claims)}.`,
    "with another algorithm": withHead({ alg: "HS512", typ: "JWT" }),
    "with a key of its own": withHead({ alg: "HS256", typ: "JWT", jwk: { kty: "oct", k: "AA" } }, ""),
    "with a key elsewhere": withHead({ alg: "HS256", jku: "http://127.0.0.1/keys", kid: "../../x" }, "x"),
    "of the service, made up": mint({ role: "service_role" }, "x"),
    "cut off": ann.slice(0, -4),
    "changed by one letter": ann.replace(/\.(.)/, (_, letter) => `.${letter === "e" ? "f" : "e"}`),
    "with more behind": `${ann}.x`,
    "of two lines": "a.b.c\td.e.f",
    empty: "",
    "a number": "1",
  });

  test("A01 A03 is nobody with a forged, foreign or ended token, and no function runs", async () => {
    for (const [what, token] of Object.entries(forged())) {
      for (const name of ["who", "keep"]) {
        const answer = await app.call(name, { as: token });
        expect.soft([what, answer.status]).toEqual([what, 401]);
        expect.soft(answer.text).not.toContain("user");
      }
      const open = await app.call("open", { as: token });
      // Whoever asks for no token is told of none that counts.
      if (open.status === 200) expect.soft([what, open.text]).toEqual([what, '{"user":null,"role":null}']);
      else expect.soft([what, open.status]).toEqual([what, 401]);
    }
    expect(app.lines().some(({ message }) => message === "kept")).toBe(false);
  });

  test("A17 without any, or with what stands elsewhere, nothing runs either", async () => {
    for (const options of [
      { as: null },
      { as: null, headers: { cookie: `sb-access-token=${ann}` } },
      { as: null, headers: { authorization: `Basic ${Buffer.from(`x:${ann}`).toString("base64")}` } },
      {
        as: null,
        headers: { "x-authorization": `Bearer ${ann}`, "x-forwarded-user": annId, "x-supabase-role": "service_role" },
      },
      { as: null, headers: { apikey: "sb_publishable_forged" } },
      { as: null, headers: { authorization: "Bearer" } },
      { as: null, headers: { authorization: "Digest username=x" } },
    ]) {
      expect.soft([options, (await app.call("keep", options)).status]).toEqual([options, 401]);
    }
    expect((await app.call(`keep?access_token=${ann}`, { as: null })).status).toBe(401);
    expect(app.lines().some(({ message }) => message === "kept")).toBe(false);
  });

  test("A28 no answer has a key in it, also to who puts one into a URL", async () => {
    const answers = [
      await app.call(`who?apikey=${app.serviceRoleKey}`, { as: null }),
      await app.call(`none/${app.serviceRoleKey}`),
      await app.call("who", {
        as: app.secretKey,
        headers: { "user-agent": "Mozilla/5.0", origin: "https://app.example" },
      }),
    ];
    for (const { text, headers } of answers) {
      const said = text + JSON.stringify(headers);
      for (const key of [app.serviceRoleKey, app.secretKey, canary, secret]) {
        expect.soft(said.includes(key), key.slice(0, 12)).toBe(false);
      }
    }
  });
});

describe("X08 names and lines of requests", () => {
  const head = () => `Host: x\r\nAuthorization: Bearer ${app.anonKey}\r\nConnection: close\r\n`;
  const raw = async (bytes: string): Promise<string> => rawExchange(app.url, bytes);

  test("X08 S01 names are what they are: no other spelling, and nothing outside of the folder", async () => {
    for (const target of [
      "WHO",
      "Who",
      "who.ts",
      "who%00",
      "%2e%2e%2fwho",
      "..%2f..%2f.env",
      "..%5cwho",
      ".env",
      "_shared",
      "__proto__",
      "constructor",
      "toString",
      "who%2f..%2fecho",
      "%77%68%6f%00.ts",
      "ｗｈｏ",
      "who;x=1",
      "x".repeat(3_000),
    ]) {
      const { status, text } = await app.call(target);
      expect.soft([target.slice(0, 30), status >= 400 && status < 500]).toEqual([target.slice(0, 30), true]);
      expect.soft(text).not.toMatch(/\/tmp\/|node_modules|ENOENT|\.ts:\d/);
    }
  });

  test("X08 dots and slashes in the path reach the function that was named, or none", async () => {
    for (const target of [
      "/functions/v1//who",
      "/functions//v1/who",
      "/functions/v1/../v1/who",
      "/functions/v1/./who",
      "/functions/v1/echo/../who",
      "/functions/v1/echo/..%2fwho",
      "//functions/v1/who",
      "/functions/v1/who/..;/echo",
    ]) {
      const answer = await raw(`GET ${target} HTTP/1.1\r\n${head()}\r\n`);
      expect.soft(answer, target).toMatch(/^HTTP\/1\.1 (?:2|4)\d\d /);
      if (answer.startsWith("HTTP/1.1 200") && target.includes("echo/")) expect.soft(answer, target).toContain('"url"');
    }
  });

  test("X08 absolute URLs in the line make nothing else of the request", async () => {
    for (const target of [
      "http://169.254.169.254/functions/v1/echo",
      "http://evil.example/functions/v1/echo",
      "https://user:pass@x/functions/v1/echo",
    ]) {
      const answer = await raw(`GET ${target} HTTP/1.1\r\n${head()}\r\n`);
      expect.soft(answer).toMatch(/^HTTP\/1\.1 (?:200|4\d\d) /);
      expect.soft(answer).not.toContain("user:pass");
    }
  });

  test("X08 a body is read in one way, or not at all", async () => {
    const smuggled = "GET /functions/v1/keep HTTP/1.1\r\nHost: x\r\n\r\n";
    const before = app.lines().length;
    for (const fields of [
      "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n",
      "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n",
      "Transfer-Encoding: xchunked\r\n",
      "Transfer-Encoding : chunked\r\n",
      "Content-Length: 4\r\nContent-Length: 5\r\n",
      "Content-Length: +4\r\n",
      "Content-Length: 0x4\r\n",
      "Content-Length: -1\r\n",
      "Content-Length: 4 4\r\n",
    ]) {
      const answer = await raw(`POST /functions/v1/echo HTTP/1.1\r\n${head()}${fields}\r\n0\r\n\r\n${smuggled}`);
      expect.soft(answer.split("\r\n")[0], fields).toMatch(/ 400 | 501 /);
      expect.soft(answer.match(/HTTP\/1\.1 \d/g) ?? [], fields).toHaveLength(1);
    }
    expect(app.lines().length).toBe(before);
  });

  test("X08 fields of the connection are not the function's, and who called is our word", async () => {
    const { text } = await app.call("echo", {
      headers: {
        "x-forwarded-for": "203.0.113.9",
        te: "trailers",
        "proxy-authorization": "Basic x",
        "keep-alive": "x",
        "x-real": "1",
      },
    });
    const { headers } = JSON.parse(text) as { headers: Record<string, string> };
    expect(headers).toMatchObject({ "x-real": "1" });
    for (const name of ["te", "proxy-authorization", "keep-alive", "connection", "transfer-encoding"])
      expect.soft(headers).not.toHaveProperty(name);
    expect(headers["x-forwarded-for"]).not.toContain("203.0.113.9");
  });
});

describe("X03 webhooks that come in", () => {
  const body = JSON.stringify({ id: "evt_1", type: "paid", amount: 100 });
  const nowSeconds = (): number => Math.floor(Date.now() / 1_000);
  const hex = (text: string, by = secret): string => createHmac("sha256", by).update(text).digest("hex");
  const stripe = (text: string, at = nowSeconds(), by = secret): string => `t=${at},v1=${hex(`${at}.${text}`, by)}`;
  const send = (name: string, headers: Readonly<Record<string, string>>, text = body) =>
    app.call(name, {
      as: null,
      method: "POST",
      headers: { "content-type": "application/json", ...headers },
      body: text,
    });
  const events = async (): Promise<number> => (await app.sql("select from mainstay.inbound_events")).length;
  const jobs = async (): Promise<number> =>
    (await app.sql("select from mainstay.jobs where name like 'mainstay.inbound/%'")).length;
  const flip = (text: string, at: number): string =>
    text.slice(0, at) + (text[at] === "0" ? "1" : "0") + text.slice(at + 1);

  test("X03 forgeries, by signature, time, secret and bytes, are refused alike and leave nothing", async () => {
    const right = hex(body);
    const refusals: [string, number, string][] = [];
    const tries: readonly (readonly [string, Readonly<Record<string, string>>, string?])[] = [
      ["pay", {}],
      ["pay", { "stripe-signature": "" }],
      ["pay", { "stripe-signature": stripe(body, nowSeconds(), "another-secret") }],
      ["pay", { "stripe-signature": stripe(body, nowSeconds() - 301) }],
      ["pay", { "stripe-signature": stripe(body, nowSeconds() + 400) }],
      ["pay", { "stripe-signature": stripe(body, nowSeconds() - 1_000).replace(/t=\d+/, `t=${nowSeconds()}`) }],
      ["pay", { "stripe-signature": `t=${nowSeconds()},${stripe(body, nowSeconds() - 1_000)}` }],
      ["pay", { "stripe-signature": stripe(body).replace("v1=", "v0=") }],
      ["pay", { "stripe-signature": stripe(body).slice(0, -1) }],
      ["pay", { "stripe-signature": stripe(`${body} `) }],
      ["pay", { "stripe-signature": stripe(body) }, body.replace("100", "900")],
      ["pay", { "stripe-signature": stripe(body) }, JSON.stringify(JSON.parse(body), null, 1)],
      ["pay", { "stripe-signature": stripe(body) }, JSON.stringify({ type: "paid", id: "evt_1", amount: 100 })],
      ["hub", { "x-hub-signature-256": `sha256=${hex(body, "another-secret")}` }],
      ["hub", { "x-hub-signature-256": right }],
      ["hub", { "x-hub-signature": `sha1=${createHmac("sha1", secret).update(body).digest("hex")}` }],
      ["hub", { "x-hub-signature-256": `sha256=${right}`, "content-encoding": "identity" }, `${body}\n`],
      ["hub", { "x-hub-signature-256": `sha256=${right}${right}` }],
      ["hub", { "x-hub-signature-256": `sha256=${right.slice(2)}` }],
      ["plain", { "x-sign": right }],
      ["plain", { "x-sign": `V1=${right}` }],
      ["plain", { "x-sign": "v1=" }],
      ["plain", { authorization: `Bearer ${app.serviceRoleKey}` }],
      ...Array.from({ length: 64 }, (_, at) => ["plain", { "x-sign": `v1=${flip(right, at)}` }] as const),
      ...Array.from(
        { length: body.length },
        (_, at) => ["hub", { "x-hub-signature-256": `sha256=${right}` }, flip(body, at)] as const,
      ),
    ];
    for (const [name, headers, text] of tries) {
      const { status, text: said } = await send(name, headers, text ?? body);
      refusals.push([name, status, said]);
    }
    expect(new Set(refusals.map(([, status, said]) => `${status} ${said}`)).size).toBe(1);
    expect(refusals[0]![1]).toBe(401);
    expect([await events(), await jobs()]).toEqual([0, 0]);
  });

  test("X03 one field twice is not the better of both", async () => {
    const { hostname } = new URL(app.url);
    const both = (first: string, second: string): Promise<string> =>
      rawExchange(
        app.url,
        `POST /functions/v1/hub HTTP/1.1\r\nHost: ${hostname}\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\nX-Hub-Signature-256: ${first}\r\nX-Hub-Signature-256: ${second}\r\n\r\n${body}`,
      );
    const right = `sha256=${hex(body)}`;
    for (const [first, second] of [
      [right, "sha256=00"],
      ["sha256=00", right],
      [right, right],
    ] as const)
      expect.soft(await both(first, second)).toMatch(/^HTTP\/1\.1 4/);
    expect(await events()).toBe(0);
  });

  test("X03 what is right comes in, and again only as a repetition", async () => {
    const signed = { "stripe-signature": stripe(body) };
    const answers = await Promise.all(Array.from({ length: 20 }, () => send("pay", signed)));
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]));
    // Signed once more, later: the same event.
    expect((await send("pay", { "stripe-signature": stripe(body, nowSeconds() - 2) })).status).toBe(200);
    const keep = { "x-hub-signature-256": `sha256=${hex(body)}` };
    for (const delivery of ["one", "two", "three"])
      expect((await send("hub", { ...keep, "x-github-delivery": delivery })).status).toBe(200);
    expect(
      await app.sql(
        "select function, count(*)::int as n from mainstay.inbound_events where event_id !~ '^sha256' group by 1 order by 1",
      ),
    ).toContainEqual({ function: "pay", n: 1 });
    // GitHub does not sign the id: a delivery under another one is still the same bytes, and is taken once.
    expect(await app.sql("select distinct job_id from mainstay.inbound_events where function = 'hub'")).toHaveLength(1);
  });

  test("X03 X23 bodies that are too large, no JSON, or none, are refused and kept nowhere", async () => {
    // What came before is done, and its jobs are gone.
    await expect.poll(jobs).toBe(0);
    const before = await events();
    const large = JSON.stringify({ id: "big", pad: "x".repeat(2_000_000) });
    expect((await send("hub", { "x-hub-signature-256": `sha256=${hex(large)}` }, large)).status).toBe(413);
    for (const text of ["", "{", "not json", '{"id":1}x', "\uFEFF"]) {
      const { status } = await send("hub", { "x-hub-signature-256": `sha256=${hex(text)}` }, text);
      expect.soft([text, status]).toEqual([text, 400]);
    }
    for (const method of ["GET", "PUT", "DELETE", "PATCH"])
      expect.soft((await app.call("hub", { as: null, method })).status).toBe(405);
    expect([await events(), await jobs()]).toEqual([before, 0]);
  });

  test("X03 without a secret nothing is right, an empty one least of all", async () => {
    for (const by of ["", " ", "undefined", "null", "NOT_THERE"]) {
      expect.soft((await send("unset", { "x-hub-signature-256": `sha256=${hex(body, by)}` })).status).toBe(503);
    }
  });

  test("X03 how much of a signature is right is not told by time", async () => {
    const right = hex(body);
    const wrong = [`${"0".repeat(63)}${right.at(-1) === "0" ? "1" : "0"}`, flip(right, 63)];
    const times: number[][] = [[], []];
    for (let round = 0; round < 40; round++) {
      for (const [at, signature] of wrong.entries()) {
        const startedMs = performance.now();
        await send("plain", { "x-sign": `v1=${signature}` });
        times[at]!.push(performance.now() - startedMs);
      }
    }
    // Of all pairs of one of each, about half are in either order, however busy the machine is (A16 asks by ranks, too).
    let more = 0;
    for (const none of times[0]!) for (const nearly of times[1]!) if (nearly > none) more++;
    expect(more / (40 * 40)).toBeGreaterThan(0.25);
    expect(more / (40 * 40)).toBeLessThan(0.75);
  });
});

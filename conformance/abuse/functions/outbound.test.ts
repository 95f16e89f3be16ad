import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { type FunctionsServer, type Listener, listen, startFunctions } from "./server.ts";

/** Nobody may reach it; whoever is allowed somewhere is sent here by it. */
let inside: Listener;
let allowed: Listener;
let app: FunctionsServer;

const clients = `
import http from "node:http"; import https from "node:https"; import net from "node:net"; import tls from "node:tls";
const said = (emitter, ready) => new Promise((resolve) => {
  emitter.on(ready, () => { resolve("reached"); emitter.destroy(); });
  emitter.on("error", (error) => resolve(error.code ?? error.message));
});
const bare = (host) => host.replace(/^\\[|\\]$/g, "");
const clients = {
  fetch: (host, port) => fetch("http://" + host + ":" + port).then((r) => "reached " + r.status, (e) => e.cause?.code ?? e.code ?? e.message),
  ctxFetch: (host, port, ctx) => ctx.fetch("http://" + host + ":" + port).then((r) => "reached " + r.status, (e) => e.cause?.code ?? e.code ?? e.message),
  ctxHttp: (host, port, ctx) => ctx.http.request("http://" + host + ":" + port, { retries: 0, timeoutMs: 2000 }).then((r) => "reached " + r.status, (e) => e.code ?? e.message),
  http: (host, port) => said(http.get({ host: bare(host), port }), "response"),
  https: (host, port) => said(https.get({ host: bare(host), port, rejectUnauthorized: false }), "response"),
  net: (host, port) => said(net.connect(port, bare(host)), "connect"),
  tls: (host, port) => said(tls.connect({ host: bare(host), port, rejectUnauthorized: false }), "secureConnect"),
};
export default async (request, ctx) => {
  const { client, hosts, port } = await request.json();
  return Response.json(await Promise.all(hosts.map((host) => Promise.resolve().then(() => clients[client](host, port, ctx)).catch((e) => e.code ?? e.message))));
};`;

beforeAll(async () => {
  inside = await listen();
  allowed = await listen();
  app = await startFunctions(
    {
      "reach.ts": clients,
      "follow.ts": `export default async (request, ctx) => {
        const url = await request.json();
        const of = (asked) => asked.then(async (r) => "reached " + r.status + " " + await r.text(), (e) => "no");
        return Response.json([await of(fetch(url)), await of(ctx.fetch(url)), await ctx.http.request(url, { retries: 0 }).then((r) => "reached " + r.status, () => "no")]);
      };`,
    },
    {
      settings: {
        functions: { functionsAllowedHosts: [`127.0.0.1:${allowed.port}`], functionsConcurrency: 4 },
        webhooks: {
          webhookAllowedHosts: [`127.0.0.1:${allowed.port}`],
          webhookMaxAttempts: 1,
          webhookBreakerFailures: 1_000,
          webhookDisableAfterSeconds: 100_000,
        },
      },
      sql: "create table things (id int primary key generated always as identity, note text); grant all on things to service_role",
    },
  );
});
afterAll(async () => {
  await app?.stop();
  await Promise.all([inside?.stop(), allowed?.stop()]);
});
beforeEach(() => {
  inside.heard.length = 0;
});

const spellings = [
  ..."127.0.0.1 127.1 127.0.1 127.0.0.1. 127.0.0.2 127.255.255.254 0x7f.1 0x7f000001 0x7f.0x0.0x0.0x1 2130706433".split(
    " ",
  ),
  ..."017700000001 0177.0.0.1 0177.0x0.0.1 0 0.0.0.0 0x0 localhost LOCALHOST localhost. sub.localhost %6c%6fcalhost".split(
    " ",
  ),
  ..."[::1] [0:0:0:0:0:0:0:1] [0000::0001] [::] [::ffff:127.0.0.1] [::ffff:7f00:1] [::127.0.0.1] [::ffff:0:127.0.0.1]".split(
    " ",
  ),
  ..."[64:ff9b::7f00:1] [64:ff9b::127.0.0.1] [2002:7f00:1::] [2002:7f00:1::1] %31%32%37.0.0.1 １２７.0.0.1 127。0。0。1".split(
    " ",
  ),
  ..."①②⑦.⓪.⓪.① example.com@127.0.0.1 a:b@127.1 169.254.169.254 0xa9fea9fe 2852039166 0251.0376.0251.0376".split(" "),
  ..."169.254.43518 169.16689662 025177524776 0xa9.0xfe.0xa9.0xfe [::ffff:a9fe:a9fe] [64:ff9b::a9fe:a9fe]".split(" "),
  ..."[2002:a9fe:a9fe::] [::a9fe:a9fe] [fd00:ec2::254] 100.100.100.200 10.0.0.1 172.16.0.1 192.168.0.1 198.18.0.1".split(
    " ",
  ),
  ..."[fe80::1] [fc00::1] [ff02::1] 224.0.0.1 255.255.255.255 192.0.0.192 [::ffff:10.0.0.1] 0xc0.0xa8.0.1 192.168.257".split(
    " ",
  ),
];
const refusals =
  /^(?:ERR_ADDRESS_REFUSED|ERR_INVALID_URL|ENOTFOUND|EAI_AGAIN|EAI_FAIL|ERR_INVALID_CHAR|address|network|no|.*(?:invalid|refused|public|credential|URL|address|resolve).*)$/i;

describe("X01 places that are not public", () => {
  test("X01 are spelt in more than sixty ways", () => {
    expect(new Set(spellings).size).toBeGreaterThan(60);
  });

  test.each(["fetch", "ctxFetch", "ctxHttp", "http", "https", "net", "tls"])(
    "X01 are not reached from a function by %s",
    async (client) => {
      const results = await app.ask<string[]>("reach", { client, hosts: spellings, port: inside.port });
      expect(results.flatMap((result, at) => (refusals.test(result) ? [] : [`${spellings[at]}: ${result}`]))).toEqual(
        [],
      );
      expect(inside.heard).toEqual([]);
    },
  );

  test("X01 are not reached by net.http_get, http_post and http_delete, and the database says why", async () => {
    const rows = await app.sql<{ id: string }>(
      `select case n % 3 when 0 then net.http_get(url) when 1 then net.http_post(url) else net.http_delete(url) end as id
        from unnest($1::text[]) with ordinality as given (url, n)`,
      [spellings.filter((host) => !/[%@]/.test(host)).map((host) => `http://${host}:${inside.port}/`)],
    );
    const answers = () =>
      app.sql<{ status_code: number | null; error_msg: string | null }>(
        "select status_code, error_msg from net._http_response",
      );
    await expect.poll(async () => (await answers()).length, { interval: 50 }).toBe(rows.length);
    expect((await answers()).filter(({ status_code, error_msg }) => status_code !== null || !error_msg)).toEqual([]);
    expect(inside.heard).toEqual([]);
  });

  test("X01 are not reached by Supabase's triggers", async () => {
    await app.sql("truncate net._http_response");
    await app.sql(`create trigger hook after insert on things for each row execute function
      supabase_functions.http_request('http://127.0.0.1:${inside.port}/', 'POST', '{}', '{}', '1000')`);
    await app.sql("insert into things (note) values ('trigger')");
    await expect.poll(async () => (await app.sql("select from net._http_response")).length, { interval: 50 }).toBe(1);
    await app.sql("drop trigger hook on things");
    const [answer] = await app.sql("select status_code from net._http_response");
    expect(answer).toEqual({ status_code: null });
    expect(inside.heard).toEqual([]);
  });

  test("X01 are not reached by webhooks, and neither is what an allowed place sends them to", async () => {
    allowed.answer = (_, response) => void response.writeHead(307, { location: `${inside.url}/` }).end();
    const urls = [
      `http://127.0.0.1:${inside.port}/`,
      `http://[::ffff:7f00:1]:${inside.port}/`,
      `http://2130706433:${inside.port}/`,
    ];
    for (const [at, url] of [...urls, `${allowed.url}/`].entries())
      await app.sql(`select mainstay.create_webhook('w${at}', $1, 'things')`, [url]).catch(() => {});
    const [made] = await app.sql<{ count: number }>("select count(*)::int as count from mainstay.webhooks");
    expect(made!.count).toBeGreaterThan(0);
    await expect.poll(() => app.sql("select from mainstay.log_cursors where name = 'webhooks'")).toHaveLength(1);
    const failed = () =>
      app.sql<{ last_error: string }>("select last_error from mainstay.webhook_deliveries where state = 'failed'");
    await expect
      .poll(
        async () => {
          await app.sql("insert into things (note) values ('webhook')");
          return (await failed()).length;
        },
        { interval: 200 },
      )
      .toBeGreaterThanOrEqual(made!.count);
    await app.sql("select mainstay.drop_webhook(name) from mainstay.webhooks");
    expect(inside.heard).toEqual([]);
  });
});

describe("X01 redirects", () => {
  test("X01 of a place that may be asked lead nowhere else, however many there are", async () => {
    for (const target of [
      inside.url,
      `http://localhost:${inside.port}`,
      `http://[::ffff:127.0.0.1]:${inside.port}`,
      "http://169.254.169.254/latest/meta-data/",
    ]) {
      allowed.answer = ({ url }, response) => {
        const hop = Number(url.slice(1) || "0");
        response.writeHead(302, { location: hop < 3 ? `/${hop + 1}` : target }).end();
      };
      expect(await app.ask("follow", `${allowed.url}/0`)).toEqual(["no", "no", "no"]);
    }
    expect(inside.heard).toEqual([]);
  });

  test("X01 are not followed by the database's requests", async () => {
    await app.sql("truncate net._http_response");
    allowed.answer = (_, response) => void response.writeHead(302, { location: inside.url }).end();
    await app.sql("select net.http_get($1)", [allowed.url]);
    await expect.poll(async () => (await app.sql("select from net._http_response")).length, { interval: 50 }).toBe(1);
    expect(inside.heard).toEqual([]);
  });
});

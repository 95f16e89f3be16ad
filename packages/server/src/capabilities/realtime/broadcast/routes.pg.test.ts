import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openTestServer, type TestServer } from "../../../platform/http/test-server.ts";
import { openTestRealtime, type TestClient, type TestRealtime } from "../testing.ts";
import { type Broadcast, createBroadcast } from "./index.ts";

const sql = `
  create policy "read" on realtime.messages for select to authenticated using (true);
  create policy "write" on realtime.messages for insert to authenticated with check (realtime.topic() like 'open%');
  create policy "only send" on realtime.messages for insert to authenticated
    with check (realtime.topic() = 'only-send' and extension = 'broadcast');
`;

interface Site {
  readonly realtime: TestRealtime;
  readonly broadcast: Broadcast;
  readonly server: TestServer;
}

const sites: Site[] = [];
let site: Site;

async function openSite(settings: Parameters<typeof openTestRealtime>[0] = {}): Promise<Site> {
  let broadcast: Broadcast | undefined;
  const realtime = await openTestRealtime({
    ...settings,
    features(context) {
      broadcast = createBroadcast(context);
      return [broadcast];
    },
  });
  const opened = { realtime, broadcast: broadcast!, server: await openTestServer(broadcast!.routes) };
  sites.push(opened);
  return opened;
}

beforeAll(async () => {
  site = await openSite({ sql });
});
afterAll(async () => {
  for (const { server, broadcast } of sites) {
    await server.stop();
    await broadcast.stop();
  }
  for (const { realtime } of sites.reverse()) await realtime.close();
});

const anon = { apikey: "anon-key" };
const user = { ...anon, authorization: "Bearer user-key" };
const service = { apikey: "service-key" };

interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
}

async function post(
  path: string,
  body: unknown,
  headers: Readonly<Record<string, string>> = anon,
  at = site,
): Promise<Answer> {
  const isRaw = typeof body === "string" || body instanceof Uint8Array;
  const reply = await fetch(`${at.server.url}/realtime/v1/api/${path}`, {
    method: "POST",
    headers: { "content-type": "application/json", ...headers },
    body: isRaw ? (body as string) : JSON.stringify(body),
  });
  return { status: reply.status, headers: reply.headers, text: await reply.text() };
}

async function listener(room: string, isPrivate = false, version: "1.0.0" | "2.0.0" = "2.0.0"): Promise<TestClient> {
  const client = site.realtime.connect({ version });
  const joined = await client.join(room, { private: isPrivate }, isPrivate ? site.realtime.token() : null);
  expect(joined.status).toBe("ok");
  return client;
}

const one = (topic: string, more: Readonly<Record<string, unknown>> = {}) => ({
  topic,
  event: "e",
  payload: { n: 1 },
  ...more,
});

describe("a batch over HTTP", () => {
  it("reaches each room, as text for clients of both versions", async () => {
    const [older, newer, other] = [await listener("a", false, "1.0.0"), await listener("a"), await listener("b")];
    const answer = await post("broadcast", { messages: [one("a"), one("b", { event: "f" })] });
    expect(answer).toMatchObject({ status: 202, text: "" });
    for (const client of [older, newer]) {
      expect(client.of("broadcast").map(({ payload }) => payload)).toEqual([
        { type: "broadcast", event: "e", payload: { n: 1 } },
      ]);
    }
    expect(other.of("broadcast").map(({ payload }) => payload)).toMatchObject([{ event: "f" }]);
  });

  it("R06, R07: leaves out what the caller may not write, without a word", async () => {
    const [open, closed, publicOne] = [
      await listener("open", true),
      await listener("closed", true),
      await listener("open"),
    ];
    const messages = [one("open", { private: true }), one("closed", { private: true })];
    expect((await post("broadcast", { messages }, anon)).status).toBe(202);
    expect(open.of("broadcast")).toHaveLength(0);
    expect((await post("broadcast", { messages }, user)).status).toBe(202);
    expect(open.of("broadcast")).toHaveLength(1);
    expect(closed.of("broadcast")).toHaveLength(0);
    expect((await post("broadcast", { messages }, service)).status).toBe(202);
    expect([open, closed, publicOne].map((client) => client.of("broadcast").length)).toEqual([2, 1, 0]);
  });

  it("is refused whole when a part is wrong, field by field", async () => {
    const client = await listener("whole");
    const answer = await post("broadcast", { messages: [one("whole"), one("whole", { event: "" })] });
    expect(answer.status).toBe(422);
    expect(JSON.parse(answer.text)).toEqual({ errors: { messages: [{}, { event: ["can't be blank"] }] } });
    expect((await post("broadcast", "{")).status).toBe(422);
    expect(client.of("broadcast")).toEqual([]);
  });
});

describe("a single broadcast over HTTP", () => {
  it("carries JSON and bytes as they are, in the form of a frame", async () => {
    const [newer, older] = [await listener("ü/1"), await listener("ü/1", false, "1.0.0")];
    expect((await post("broadcast/%C3%BC%2F1/events/a%20b", '{ "big": 12345678901234567890 }')).status).toBe(202);
    const headers = { ...anon, "content-type": "application/octet-stream" };
    expect((await post("broadcast/%C3%BC%2F1/events/raw", new Uint8Array([0, 255]), headers)).status).toBe(202);
    expect(
      newer.of("broadcast").map(({ broadcast }) => [broadcast?.event, broadcast?.payload.toString("latin1")]),
    ).toEqual([
      ["a b", '{ "big": 12345678901234567890 }'],
      ["raw", "\x00\xff"],
    ]);
    expect(older.of("broadcast").map(({ payload }) => (payload as { event: string }).event)).toEqual(["a b"]);
  });

  it("R07: is refused on a private channel without the right to write", async () => {
    const [open, closed] = [await listener("open", true), await listener("closed", true)];
    const denied = await post("broadcast/closed/events/e?private=true", {}, user);
    expect(denied.status).toBe(403);
    expect(JSON.parse(denied.text)).toEqual({ message: expect.stringContaining("permissions") });
    expect((await post("broadcast/open/events/e?private=true", {}, anon)).status).toBe(403);
    expect((await post("broadcast/open/events/e?private=true", {}, user)).status).toBe(202);
    expect([open, closed].map((client) => client.of("broadcast").length)).toEqual([1, 0]);
  });

  it.each([
    [415, { "content-type": "text/plain" }, "x", "error"],
    [422, {}, "{", "errors"],
    [401, { apikey: "unknown" }, "{}", "message"],
    [401, { apikey: "anon-key", authorization: "Bearer expired" }, "{}", "message"],
  ])("R01: is refused with %i: %j %s", async (status, headers, body, key) => {
    const client = await listener("refused");
    const answer = await post("broadcast/refused/events/e", body, { ...anon, ...headers });
    expect(answer.status).toBe(status);
    expect(Object.keys(JSON.parse(answer.text) as object)).toEqual([key]);
    expect(client.of("broadcast")).toEqual([]);
  });

  it("is refused under a name no frame has room for", async () => {
    const answer = await post(`broadcast/a/events/${"x".repeat(256)}`, {});
    expect(answer.status).toBe(422);
    expect(JSON.parse(answer.text)).toEqual({ errors: { event: ["should be at most 255 byte(s)"] } });
  });
});

describe("a single broadcast that is to be stored", () => {
  const storing = (query: string, body: unknown = { n: 1 }, headers: Readonly<Record<string, string>> = user) =>
    post(`broadcast/open-store/events/e?private=true&${query}`, body, headers);
  const rows = () =>
    site.realtime.sql(
      "select id::text, payload, binary_payload as bytes, extract(epoch from expires_at - inserted_at)::int as seconds from realtime.messages where topic = 'open-store' order by inserted_at",
    );

  it("is stored as its caller, then sent, by the id it is stored under", async () => {
    const client = await listener("open-store", true);
    const bytes = { ...user, "content-type": "application/octet-stream" };
    expect(await storing("persist=true")).toMatchObject({ status: 202, text: "" });
    expect((await storing("persist%5Bttl%5D=60", new Uint8Array([0, 255]), bytes)).status).toBe(202);
    expect((await storing("persist=false")).status).toBe(202);
    const stored = await rows();
    expect(stored).toMatchObject([
      { payload: { n: 1 }, bytes: null, seconds: null },
      { payload: null, bytes: Buffer.from([0, 255]), seconds: 60 },
    ]);
    expect(client.of("broadcast").map(({ broadcast }) => broadcast?.metadata)).toEqual([
      ...stored.map(({ id }) => JSON.stringify({ id })),
      "",
    ]);
  });

  it.each([
    [422, "persist=yes", {}, { persist: [expect.stringContaining("259200")] }],
    [422, "persist[ttl]=0", {}, { persist: [expect.stringContaining("1 to")] }],
    [422, "persist=true", '"\\u0000"', { persist: [expect.stringContaining("U+0000")] }],
  ])("is refused with %i for %s: %j", async (status, query, body, errors) => {
    const before = await rows();
    const answer = await storing(query, body);
    expect(answer.status).toBe(status);
    expect(JSON.parse(answer.text)).toEqual({ errors, message: errors.persist[0] });
    expect(await rows()).toEqual(before);
  });

  it("is refused on a public channel, and without the right to send or to store", async () => {
    const [open, only] = [await listener("open-public"), await listener("only-send", true)];
    const refused = await post("broadcast/open-public/events/e?persist=true", {}, user);
    expect([refused.status, JSON.parse(refused.text)]).toEqual([
      422,
      {
        message: "persist can only be used on private channels",
        errors: { persist: ["persist can only be used on private channels"] },
      },
    ]);
    expect((await storing("persist=true", {}, anon)).status).toBe(403);
    expect((await post("broadcast/only-send/events/e?private=true", {}, user)).status).toBe(202);
    const unstored = await post("broadcast/only-send/events/e?private=true&persist=true", {}, user);
    expect([unstored.status, JSON.parse(unstored.text)]).toEqual([403, { message: expect.stringContaining("store") }]);
    expect([open, only].map((client) => client.of("broadcast").length)).toEqual([0, 1]);
  });
});

describe("paths beside these", () => {
  it("are refused in the same shape, and browsers may ask", async () => {
    expect(await post("broadcast/a", {})).toMatchObject({ status: 404, text: expect.stringMatching(/^\{"message":/) });
    expect((await post("tenants/x/health", {})).status).toBe(404);
    const read = await fetch(`${site.server.url}/realtime/v1/api/broadcast`, { headers: anon });
    expect(read.status).toBe(405);
    const preflight = await fetch(`${site.server.url}/realtime/v1/api/broadcast`, {
      method: "OPTIONS",
      headers: { origin: "https://app.example", "access-control-request-method": "POST" },
    });
    expect(preflight.headers.get("access-control-allow-methods")).toContain("POST");
  });
});

describe("limits", () => {
  it("R12: bound what one caller sends, and say when to come again", async () => {
    const limited = await openSite({
      database: site.realtime.database,
      settings: {
        realtimeBroadcastCallerPerSecond: 2,
        realtimeBroadcastPayloadBytes: 64,
        realtimeBroadcastBodyBytes: 256,
      },
    });
    expect((await post("broadcast", { messages: [one("a"), one("a"), one("a")] }, anon, limited)).status).toBe(202);
    const refused = await post("broadcast/a/events/e", {}, anon, limited);
    expect(refused.status).toBe(429);
    expect(JSON.parse(refused.text)).toEqual({ message: "You have exceeded your rate limit" });
    expect(refused.headers.get("retry-after")).toBe("1");
    expect(refused.headers.get("ratelimit-policy")).toBe('"caller";q=2;w=1');
    expect((await post("broadcast/a/events/e", `"${"x".repeat(64)}"`, anon, limited)).status).toBe(422);
    const large = await post("broadcast/a/events/e", "x".repeat(300), anon, limited);
    expect(large.status).toBe(422);
    expect(JSON.parse(large.text)).toHaveProperty("errors");
  });

  it("take private channels only, where that is set", async () => {
    const strict = await openSite({ database: site.realtime.database, settings: { realtimePrivateOnly: true } });
    expect((await post("broadcast/open/events/e", {}, user, strict)).status).toBe(403);
    expect((await post("broadcast/open/events/e?private=true", {}, user, strict)).status).toBe(202);
  });
});

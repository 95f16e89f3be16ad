import { createHmac } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, test } from "vitest";
import { readSettings } from "../../../kernel/settings.ts";
import { open as connect, exchange, readAll, until } from "../../../platform/http/test-server.ts";
import { identitySettings, type OpenIdentity, openIdentity } from "../../../platform/identity/index.ts";
import type { Ended } from "../../../platform/identity/types.ts";
import { handshakeText, openClient, openRaw, openTestSockets, type TestSockets } from "./testing.ts";

const closers: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

type Options = Parameters<typeof openTestSockets>[0];
async function open(options: Options = {}): Promise<TestSockets> {
  const sockets = await openTestSockets(options);
  closers.push(() => sockets.stop());
  return sockets;
}

const path = "/realtime/v1/websocket";
/** The status and the body of the answer in place of a websocket. */
async function refusalOf(sockets: TestSockets, query: string, headers = ""): Promise<[number, unknown]> {
  const reply = await exchange(sockets.port, handshakeText(`${path}?${query}`, headers));
  const [head = "", body = ""] = reply.split("\r\n\r\n");
  expect(head.toLowerCase()).toContain("\r\ncontent-type: application/json; charset=utf-8\r\n");
  expect(head.toLowerCase()).toContain("\r\nconnection: close");
  return [Number(head.split(" ")[1]), JSON.parse(body)];
}

/** The first line of the reply, without waiting for the end of what may have become a websocket. */
async function statusOf(sockets: TestSockets, query: string, headers = ""): Promise<number> {
  const tcp = await connect(sockets.port);
  tcp.write(handshakeText(`${path}?${query}`, headers));
  const line = await new Promise<string>((resolve) => tcp.once("data", (chunk) => resolve(chunk.toString("latin1"))));
  tcp.destroy();
  return Number(line.split(" ")[1]);
}

const secret = "a secret of some length, for tests only";
const now = Math.floor(Date.now() / 1000);
const b64 = (value: unknown) => Buffer.from(JSON.stringify(value)).toString("base64url");
function jwt(claims: unknown, { key = secret, alg = "HS256" } = {}): string {
  const signed = `${b64({ alg, typ: "JWT" })}.${b64(claims)}`;
  return `${signed}.${alg === "none" ? "" : createHmac("sha256", key).update(signed).digest("base64url")}`;
}
const user = { sub: "7f6bd2c1-0000-4000-8000-000000000001", role: "authenticated", exp: now + 3600, session_id: "s1" };

async function openKeys(): Promise<OpenIdentity> {
  const dir = await mkdtemp(join(tmpdir(), "handshake-"));
  const keys = await openIdentity({
    keysDir: join(dir, "keys"),
    settings: { ...readSettings(identitySettings, { env: {} }).values, keyPollMs: 0, jwtSecret: secret },
    observe: () => {},
    clock: { nowMs: () => Date.now() },
  });
  closers.push(async () => {
    keys.close();
    await rm(dir, { recursive: true, force: true });
  });
  return keys;
}

describe("R01 who connects", () => {
  test.each<[string, string]>([
    ["no key", "vsn=2.0.0"],
    ["an empty key", "apikey="],
    ["a key nobody gave out", "apikey=sb_publishable_AAAAAAAAAAAAAAAAAAAAAA_AAAAAAAA"],
    ["what is no key at all", "apikey=null"],
    ["a broken escape", "apikey=%E0%A4%A"],
    ["an expired token", `apikey=${jwt({ ...user, exp: now - 3600 })}`],
    ["an expired key", `apikey=${jwt({ role: "anon", exp: now - 3600 })}`],
    ["a token with another secret", `apikey=${jwt(user, { key: "another secret of some length, for tests" })}`],
    ["an unsigned token", `apikey=${jwt({ ...user, role: "service_role" }, { alg: "none" })}`],
    ["a user that never expires", `apikey=${jwt({ sub: user.sub, role: user.role })}`],
    ["a user without role", `apikey=${jwt({ sub: user.sub, exp: user.exp })}`],
    ["a role that is no text", `apikey=${jwt({ ...user, role: ["service_role"] })}`],
    ["a user who claims to be the service", `apikey=${jwt({ ...user, role: "service_role" })}`],
    ["a session that has ended", `apikey=${jwt({ ...user, session_id: "ended" })}`],
  ])("R01 %s is refused before there is a socket", async (_name, query) => {
    const keys = await openKeys();
    const ended: Ended = {
      reasonOf: ({ claims }) => (claims.session_id === "ended" ? "session" : null),
      onEnded: () => () => {},
    };
    keys.refuseEnded(ended);
    const sockets = await open({ identity: keys.identity });
    const [status, body] = await refusalOf(sockets, query);
    expect(status).toBe(401);
    expect(body).toEqual({ error: expect.any(String) });
    expect(sockets.opened).toEqual([]);
    expect(sockets.server.stats()).toMatchObject({ connections: 0, refused: 1 });
  });

  test("R01 an empty header is refused, not passed over for the URL's key", async () => {
    const sockets = await open();
    for (const header of ["x-api-key: \r\n"]) {
      expect(await refusalOf(sockets, "apikey=anon-key", header)).toEqual([401, { error: "The API key is empty." }]);
    }
    expect((await refusalOf(sockets, "", "apikey: \r\n"))[0]).toBe(401);
  });

  test("keys of the project and tokens of its users are who they say", async () => {
    const keys = await openKeys();
    const sockets = await open({ identity: keys.identity });
    const { anonKey, publishableKey, secretKey, serviceRoleKey } = keys.keys;
    for (const apikey of [anonKey, publishableKey, secretKey, serviceRoleKey, jwt(user)]) {
      await openClient(sockets, { apikey });
    }
    expect(sockets.opened.map(({ socket }) => [socket.key.role, socket.key.subject])).toEqual([
      ["anon", null],
      ["anon", null],
      ["service_role", null],
      ["service_role", null],
      ["authenticated", user.sub],
    ]);
  });

  test("a key comes as parameter or as one of two headers", async () => {
    const sockets = await open();
    await openClient(sockets, { apikey: "user-key" });
    await openClient(sockets, {}, { headers: { "x-api-key": "user-key" } });
    await openClient(sockets, {}, { headers: { apikey: "user-key" } });
    await openClient(sockets, { apikey: "anon-key" }, { headers: { "x-api-key": "user-key", apikey: "service-key" } });
    expect(sockets.opened.map(({ socket }) => socket.key.role)).toEqual(Array(4).fill("authenticated"));
  });

  test("a secret key from a browser is refused, as it is over HTTP", async () => {
    const keys = await openKeys();
    const sockets = await open({ identity: keys.identity });
    const [status, body] = await refusalOf(
      sockets,
      `apikey=${keys.keys.secretKey}`,
      "User-Agent: Mozilla/5.0 (X11)\r\n",
    );
    expect([status, body]).toEqual([401, { error: "Forbidden use of secret API key in browser" }]);
    expect(sockets.opened).toEqual([]);
  });
});

describe("R09 pages of other sites", () => {
  const origin = (name: string) => `Origin: ${name}\r\n`;

  test.each([
    "https://evil.example",
    "null",
    "http://127.0.0.1:54321",
    "http://localhost",
    "https://app.example.com.evil.example",
  ])("R09 are refused when origins are named: %s", async (name) => {
    const sockets = await open({ settings: { realtimeOrigins: ["https://app.example.com", "null"] } });
    expect((await refusalOf(sockets, "apikey=anon-key", origin(name)))[0]).toBe(403);
    expect(sockets.opened).toEqual([]);
  });

  test("R09 the named ones, and apps, which send none, may", async () => {
    const sockets = await open({ settings: { realtimeOrigins: ["https://app.example.com"] } });
    expect(await statusOf(sockets, "apikey=anon-key", origin("https://app.example.com"))).toBe(101);
    expect(await statusOf(sockets, "apikey=anon-key")).toBe(101);
  });

  test("R09 what a browser sends by itself opens nothing", async () => {
    const sockets = await open();
    const ambient = "Cookie: apikey=service-key; sb-access-token=service-key\r\nAuthorization: Bearer service-key\r\n";
    expect((await refusalOf(sockets, "", ambient))[0]).toBe(401);
    const client = await openClient(sockets, { apikey: "anon-key" }, { headers: { Cookie: "apikey=service-key" } });
    expect(sockets.opened.map(({ socket }) => socket.key.role)).toEqual(["anon"]);
    client.websocket.terminate();
  });
});

describe("the request", () => {
  test.each([
    [undefined, "1.0.0"],
    ["1.0.0", "1.0.0"],
    ["2.0.0", "2.0.0"],
    ["2.0.1", "2.0.0"],
  ])("with vsn %s is of version %s", async (vsn, version) => {
    const sockets = await open();
    await openClient(sockets, { apikey: "anon-key", ...(vsn === undefined ? {} : { vsn }) });
    expect(sockets.opened.map(({ socket }) => socket.version)).toEqual([version]);
  });

  test.each([
    ["a version nobody speaks", "apikey=anon-key&vsn=3.0.0", "", 400],
    ["an empty version", "apikey=anon-key&vsn=", "", 400],
    ["two keys", "apikey=anon-key&apikey=user-key", "", 400],
    ["two versions", "apikey=anon-key&vsn=1.0.0&vsn=2.0.0", "", 400],
    ["two headers with keys", "", "x-api-key: anon-key\r\nX-Api-Key: user-key\r\n", 400],
    ["two origins", "apikey=anon-key", "Origin: a\r\nOrigin: b\r\n", 400],
    ["two websocket keys", "apikey=anon-key", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n", 400],
    ["a URL without end", `apikey=anon-key&x=${"y".repeat(1000)}`, "", 414],
  ])("X08 with %s is refused", async (_name, query, headers, status) => {
    const sockets = await open({ settings: { realtimeUrlLimitBytes: 600 } });
    expect((await refusalOf(sockets, query, headers))[0]).toBe(status);
    expect(sockets.opened).toEqual([]);
  });

  test.each([
    ["no key to answer", (text: string) => text.replace(/Sec-WebSocket-Key: .*\r\n/, "")],
    ["a key that is none", (text: string) => text.replace(/(Sec-WebSocket-Key:) .*\r\n/, "$1 x\r\n")],
    ["an old version", (text: string) => text.replace("Version: 13", "Version: 7")],
    ["no version", (text: string) => text.replace(/Sec-WebSocket-Version: .*\r\n/, "")],
    ["another method", (text: string) => text.replace("GET", "POST")],
  ])("R10 with %s is no handshake", async (_name, spoil) => {
    const sockets = await open();
    const reply = await exchange(sockets.port, spoil(handshakeText()));
    expect(reply).toMatch(/^HTTP\/1\.1 400 /);
    expect(JSON.parse(reply.split("\r\n\r\n")[1]!)).toEqual({ error: expect.any(String) });
    expect(sockets.opened).toEqual([]);
    await until(() => sockets.server.stats().connections === 0);
  });

  test("no compression is agreed upon, and of the protocols never one that may hold a token", async () => {
    const sockets = await open();
    const { websocket } = await openClient(sockets, { apikey: "anon-key" }, { perMessageDeflate: true });
    expect(websocket.extensions).toBe("");
    const tcp = await connect(sockets.port);
    const offered = "Sec-WebSocket-Protocol: base64url.bearer.phx.c2VjcmV0, phoenix\r\n";
    tcp.write(handshakeText(undefined, offered));
    const reply = await new Promise<string>((resolve) => tcp.once("data", (chunk) => resolve(chunk.toString())));
    expect(reply).toContain("\r\nSec-WebSocket-Protocol: phoenix\r\n");
    tcp.destroy();
  });

  test("says which SDK it is from, in a bounded text", async () => {
    const sockets = await open();
    await openClient(
      sockets,
      { apikey: "anon-key" },
      { headers: { "X-Client-Info": "supabase-kt/3.7", "User-Agent": "u" } },
    );
    await openClient(sockets, { apikey: "anon-key" }, { headers: { "User-Agent": "u".repeat(1000) } });
    await openRaw(sockets);
    expect(sockets.opened.map(({ socket }) => socket.clientInfo)).toEqual(["supabase-kt/3.7", "u".repeat(256), ""]);
    expect(new Set(sockets.opened.map(({ socket }) => socket.id)).size).toBe(3);
  });

  test("X07 that is never finished is cut off", async () => {
    const sockets = await open({ http: { headersTimeoutMs: 100 } });
    const tcp = await connect(sockets.port);
    tcp.write(handshakeText().slice(0, -4));
    await readAll(tcp);
    expect(sockets.opened).toEqual([]);
  });

  test("X07 that was refused, and whose client stays, is cut off", async () => {
    const sockets = await open({ settings: { realtimeCloseMs: 50 } });
    const tcp = await connect(sockets.port);
    const said = readAll(tcp);
    tcp.allowHalfOpen = true; // so that it stays although it has been told to go
    tcp.write(handshakeText(`${path}?apikey=wrong`));
    const talking = setInterval(() => tcp.write("x"), 10);
    expect(await said).toMatch(/^HTTP\/1\.1 401 /);
    clearInterval(talking);
  });
});

describe("R12 connections", () => {
  test("R12 beyond the limit are asked to come back, until one leaves", async () => {
    const sockets = await open({ settings: { realtimeConnectionsLimit: 2 } });
    const first = await openClient(sockets);
    await openClient(sockets);
    for (let i = 0; i < 3; i++) {
      const reply = await exchange(sockets.port, handshakeText());
      expect(reply).toMatch(/^HTTP\/1\.1 429 /);
      expect(reply).toContain("\r\nRetry-After: 10\r\n");
    }
    expect(sockets.observations).toEqual([expect.objectContaining({ kind: "warning", area: "realtime" })]);
    first.websocket.close();
    await first.closed;
    await until(() => sockets.server.stats().connections === 1);
    await openClient(sockets);
    expect(sockets.server.stats()).toMatchObject({ connections: 2, refused: 3 });
  });

  test("R12 of one address do not take the others' places, and IPv6 counts by network", async () => {
    const sockets = await open({
      settings: { realtimeConnectionsPerAddressLimit: 1 },
      http: { trustedProxies: ["loopback"] },
    });
    const from = (address: string) => ({ headers: { "X-Forwarded-For": address } });
    const key = { apikey: "anon-key" };
    await openClient(sockets, key, from("203.0.113.1"));
    await openClient(sockets, key, from("203.0.113.2"));
    await openClient(sockets, key, from("2001:db8:0:1::1"));
    await openClient(sockets, key, from("2001:db8:0:2::1"));
    for (const address of ["203.0.113.1", "::ffff:203.0.113.2", "2001:db8:0:1:ffff::2"]) {
      const [status] = await refusalOf(sockets, "apikey=anon-key", `X-Forwarded-For: ${address}\r\n`);
      expect(status).toBe(429);
    }
    expect(sockets.opened.map(({ socket }) => socket.address)).toEqual([
      "203.0.113.1",
      "203.0.113.2",
      "2001:db8:0:1::1",
      "2001:db8:0:2::1",
    ]);
  });
});

import { connect } from "node:net";
import { afterEach, describe, expect, test } from "vitest";
import { json, type Reply } from "../../kernel/route.ts";
import {
  exchange,
  open,
  openTestServer,
  readAll,
  statusesOf,
  type TestServer,
  testRoute,
  until,
} from "./test-server.ts";

let server: TestServer;
afterEach(() => server.stop());

let answer: (reply: Reply) => void = () => {};
const later = testRoute({
  path: "/later",
  handle: () =>
    new Promise((resolve) => {
      answer = resolve;
    }),
});
const now = testRoute({ path: "/now", handle: () => json("now") });
const request = (path: string) => `GET ${path} HTTP/1.1\r\nHost: x\r\n\r\n`;

describe("stop", () => {
  test("finishes what is in flight, closes what is idle, accepts nothing new", async () => {
    server = await openTestServer([later, now]);
    const idle = await open(server.port);
    const idleText = readAll(idle);
    idle.write(request("/t/v1/now"));
    const busy = await open(server.port);
    const busyText = readAll(busy);
    busy.write(request("/t/v1/later"));
    await until(() => server.inFlightCount() === 1);

    const stopped = server.stop();
    expect(statusesOf(await idleText)).toEqual([200]); // ends although the other is still busy
    await expect(open(server.port)).rejects.toThrow("ECONNREFUSED");
    answer(json("later"));
    const text = await busyText;
    expect(text).toContain("\r\nConnection: close\r\n");
    expect(text).toContain('"later"');
    await stopped;
    expect(server.observations.some(({ kind }) => kind === "warning")).toBe(false);
  });

  test("closes a connection whose stream had begun before, when it ends", async () => {
    let end: () => void = () => {};
    const begun = testRoute({
      path: "/begun",
      handle: () => ({
        status: 200,
        headers: [],
        body: (async function* () {
          yield "first ";
          await new Promise<void>((resolve) => {
            end = resolve;
          });
          yield "last";
        })(),
      }),
    });
    server = await openTestServer([begun], { settings: { drainMs: 60_000 } });
    const socket = await open(server.port);
    let seen = "";
    socket.on("data", (chunk) => {
      seen += chunk;
    });
    const text = readAll(socket);
    socket.write(request("/t/v1/begun"));
    await until(() => seen.includes("first"));
    const stopped = server.stop();
    end();
    expect(await text).toContain("last");
    await stopped;
  });

  test("cuts what does not finish in time, and says so", async () => {
    server = await openTestServer([later], { settings: { drainMs: 50 } });
    const socket = await open(server.port);
    const text = readAll(socket);
    socket.write(request("/t/v1/later"));
    await until(() => server.inFlightCount() === 1);
    await server.stop();
    expect(await text).toBe("");
    const warning = server.observations.find((observation) => observation.kind === "warning");
    expect(warning?.message).toContain("1 requests or websockets were cut off");
  });

  test("cuts at once when its own patience is ended from outside", async () => {
    server = await openTestServer([later], { settings: { drainMs: 60_000 } });
    const socket = await open(server.port);
    const text = readAll(socket);
    socket.write(request("/t/v1/later"));
    await until(() => server.inFlightCount() === 1);
    await server.stop(AbortSignal.abort());
    expect(await text).toBe("");
  });

  test("tells load balancers first, when asked to", async () => {
    server = await openTestServer([now], { settings: { drainDelayMs: 15_000 } });
    const patience = new AbortController();
    const stopped = server.stop(patience.signal);
    const text = await exchange(server.port, request("/health/ready"));
    expect(statusesOf(text)).toEqual([503]);
    expect(statusesOf(await exchange(server.port, request("/t/v1/now")))).toEqual([200]);
    patience.abort();
    await stopped;
    await expect(open(server.port)).rejects.toThrow("ECONNREFUSED");
  });

  test("may be called twice", async () => {
    server = await openTestServer([now]);
    await Promise.all([server.stop(), server.stop()]);
  });
});

describe("health", () => {
  test("X10 live is a constant and asks nobody", async () => {
    let asked = 0;
    server = await openTestServer([now], {
      isReady: () => {
        asked++;
        return { parts: { database: "unavailable" } };
      },
    });
    for (let i = 0; i < 20; i++)
      expect(await (await fetch(`${server.url}/health/live`)).json()).toEqual({ status: "ok" });
    expect(asked).toBe(0);
  });

  test.each(["starting", "migrating", "recovering", "unavailable"] as const)(
    "X10 ready is 503 while the database is %s",
    async (state) => {
      server = await openTestServer([now], { isReady: () => ({ parts: { database: state } }) });
      const ready = await fetch(`${server.url}/health/ready`);
      expect([ready.status, ready.headers.get("cache-control"), ready.headers.get("retry-after")]).toEqual([
        503,
        "no-store",
        "1",
      ]);
      const summary = await fetch(`${server.url}/health`);
      expect([summary.status, await summary.json()]).toEqual([
        503,
        { status: "unavailable", parts: { database: state, server: "ok" } },
      ]);
    },
  );

  test("X10 ready is 200 when every part is, without a key", async () => {
    server = await openTestServer([now]);
    expect((await fetch(`${server.url}/health/ready`)).status).toBe(200);
    expect((await fetch(`${server.url}/health/ready`, { method: "HEAD" })).status).toBe(200);
    expect((await fetch(`${server.url}/health`, { headers: { authorization: "Bearer expired" } })).status).toBe(200);
  });
});

describe("X10 a part that is optional", () => {
  test("is shown, and keeps no request away", async () => {
    server = await openTestServer([now], {
      isReady: () => ({ parts: { database: "ok" }, optional: { log: "unavailable" } }),
    });
    expect((await fetch(`${server.url}/health/ready`)).status).toBe(200);
    const summary = await fetch(`${server.url}/health`);
    expect([summary.status, await summary.json()]).toEqual([
      200,
      { status: "ok", parts: { database: "ok", log: "unavailable", server: "ok" } },
    ]);
  });
});

describe("X07 connections", () => {
  test("X07 beyond the limit are closed, and reported once", async () => {
    server = await openTestServer([now], { settings: { connectionsLimit: 2 } });
    const held = [await open(server.port), await open(server.port)];
    for (let i = 0; i < 3; i++) expect(await readAll(connect(server.port, "127.0.0.1"))).toBe("");
    for (const socket of held) socket.destroy();
    const warnings = server.observations.filter((observation) => observation.kind === "warning");
    expect(warnings).toHaveLength(1);
    expect(warnings[0]?.message).toContain("More than 2 connections");
  });

  test("X07 that idle are closed", async () => {
    server = await openTestServer([now], { settings: { keepAliveMs: 50 } });
    expect(statusesOf(await exchange(server.port, request("/t/v1/now")))).toEqual([200]);
  });

  test("X07 end after as many requests as set", async () => {
    server = await openTestServer([now], { settings: { requestsPerConnectionLimit: 2 } });
    const text = await exchange(server.port, request("/t/v1/now") + request("/t/v1/now"));
    expect(statusesOf(text)).toEqual([200, 200]);
    expect(text.match(/Connection: close/g)).toHaveLength(1);
  });

  test("X07 more requests at once than set are asked to retry", async () => {
    server = await openTestServer([later, now], { settings: { inFlightLimit: 1 } });
    const first = fetch(`${server.url}/t/v1/later`);
    await until(() => server.inFlightCount() === 1);
    const second = await fetch(`${server.url}/t/v1/now`);
    expect([second.status, second.headers.get("retry-after")]).toEqual([503, "1"]);
    answer(json("later"));
    expect((await first).status).toBe(200);
    expect((await fetch(`${server.url}/t/v1/now`)).status).toBe(200);
  });
});

describe("websockets", () => {
  const handshake = (path: string) =>
    `GET ${path} HTTP/1.1\r\nHost: x\r\nConnection: Upgrade, close\r\nUpgrade: websocket\r\n\r\n`;

  test("are handed over at their path, and are ordinary requests elsewhere", async () => {
    server = await openTestServer([now]);
    server.onUpgrade("/t/v1/socket", (upgrade, socket) => {
      socket.end(`HTTP/1.1 101 Switching Protocols\r\n\r\n${upgrade.url}`);
    });
    const taken = await exchange(server.port, handshake("/t/v1/socket?apikey=x"));
    expect(taken).toBe("HTTP/1.1 101 Switching Protocols\r\n\r\n/t/v1/socket?apikey=x");
    expect(statusesOf(await exchange(server.port, handshake("/t/v1/now")))).toEqual([200]);
    expect(statusesOf(await exchange(server.port, handshake("/t/v1/none")))).toEqual([404]);
  });

  test.each([
    ["nobody's word is taken", [], "127.0.0.1"],
    ["our own proxy says who it heard from", ["loopback"], "203.0.113.9"],
  ])("come with the address of their caller: %s", async (_name, trustedProxies, expected) => {
    server = await openTestServer([now], { settings: { trustedProxies } });
    server.onUpgrade("/t/v1/socket", (_request, socket, _head, address) => void socket.end(address));
    const forwarded = handshake("/t/v1/socket").replace("\r\n", "\r\nX-Forwarded-For: 203.0.113.9\r\n");
    expect(await exchange(server.port, forwarded)).toBe(expected);
  });

  test("that their owners did not close are cut when the server stops", async () => {
    server = await openTestServer([now], { settings: { drainMs: 50 } });
    let isTaken = false;
    server.onUpgrade("/t/v1/socket", () => {
      isTaken = true;
    });
    const closed = exchange(server.port, handshake("/t/v1/socket"));
    await until(() => isTaken);
    await server.stop();
    await closed;
  });
});

import { createHash } from "node:crypto";
import type { Socket } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import { afterEach, describe, expect, test } from "vitest";
import { Problem } from "../../kernel/problem.ts";
import { type Call, json, type Route } from "../../kernel/route.ts";
import type { HttpCall } from "./call.ts";
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

const start = async (handle: Route["handle"], settings = {}, route: Partial<Route> = {}) => {
  server = await openTestServer(
    [testRoute({ method: "POST", path: "/up", bodyLimitBytes: Number.MAX_SAFE_INTEGER, handle, ...route })],
    { settings },
  );
};
const head = (...headers: string[]) => ["POST /t/v1/up HTTP/1.1", "Host: x", ...headers, "", ""].join("\r\n");
const chunked = (text: string) => `${text.length.toString(16)}\r\n${text}\r\n`;
const send = (...parts: string[]) => exchange(server.port, parts.join(""));

/** What a loop got until it ended, and how. */
interface Taken {
  text: string;
  turns: number;
  outcome: string;
}

/** Reads the whole body, waiting before each turn, and remembers what came. */
async function take(call: Call, taken: Taken, before: () => Promise<unknown> | undefined = () => undefined) {
  try {
    await before();
    for await (const chunk of call.stream()) {
      taken.turns++;
      taken.text += chunk.toString("latin1");
      await before();
    }
    taken.outcome = "end";
  } catch (error) {
    taken.outcome = error instanceof Problem ? error.code : String(error);
    throw error;
  }
  return json(taken.text.length);
}
const nothing = (): Taken => ({ text: "", turns: 0, outcome: "" });

/** Writes for as long as the socket takes it. @returns how many bytes it took before it stopped taking */
async function flood(socket: Socket, chunk: Buffer, mostBytes: number): Promise<number> {
  let bytes = 0;
  let isStuck = false;
  while (bytes < mostBytes && !isStuck) {
    bytes += chunk.length;
    if (!socket.write(chunk)) {
      const drained = new Promise<boolean>((resolve) => socket.once("drain", () => resolve(false)));
      isStuck = await Promise.race([drained, delay(300, true)]);
    }
  }
  return bytes;
}

describe("a streamed body", () => {
  test.each([
    ["none", head("Connection: close"), "", 0],
    ["empty", head("Content-Length: 0", "Connection: close"), "", 0],
    ["short", `${head("Content-Length: 5", "Connection: close")}hello`, "hello", 1],
    [
      "in small chunks, which are joined",
      `${head("Transfer-Encoding: chunked", "Connection: close")}${chunked("ab").repeat(200)}0\r\n\r\n`,
      "ab".repeat(200),
      2,
    ],
  ])("%s arrives whole", async (_name, bytes, text, turnsAtMost) => {
    const taken = nothing();
    await start((call) => take(call, taken));
    expect(statusesOf(await send(bytes))).toEqual([200]);
    expect([taken.text, taken.outcome]).toEqual([text, "end"]);
    expect(taken.turns).toBeLessThanOrEqual(turnsAtMost);
  });

  test("of many megabytes arrives as it was sent, and its connection goes on", async () => {
    const bytes = Buffer.alloc(24 * 1024 * 1024);
    for (let i = 0; i < bytes.length; i += 4) bytes.writeUInt32LE(Math.imul(i, 2_654_435_761) >>> 0, i);
    await start(async (call) => {
      const hash = createHash("sha256");
      let turns = 0;
      for await (const chunk of call.stream()) {
        hash.update(chunk);
        if (turns++ % 8 === 0) await delay(1); // now and then it runs ahead
      }
      return json(hash.digest("hex"));
    });
    const digest = createHash("sha256").update(bytes).digest("hex");
    const socket = await open(server.port);
    const reply = readAll(socket);
    const length = `Content-Length: ${bytes.length}`;
    for (const last of ["X-Last: no", "Connection: close"]) {
      socket.write(head(length, last));
      socket.write(bytes);
    }
    const text = await reply;
    expect(statusesOf(text)).toEqual([200, 200]);
    expect(text.split(digest)).toHaveLength(3);
  });

  test("is read no faster than the loop goes", async () => {
    let goOn: () => void = () => {};
    const waits = new Promise<void>((resolve) => {
      goOn = resolve;
    });
    let call: HttpCall | null = null;
    const taken = nothing();
    await start((theCall) => {
      call = theCall as HttpCall;
      return take(theCall, taken, () => waits);
    });
    const socket = await open(server.port);
    const reply = readAll(socket);
    const chunk = Buffer.alloc(65_536, 120);
    const total = 64 * 1024 * 1024;
    socket.write(head(`Content-Length: ${total}`, "Connection: close"));
    const sent = await flood(socket, chunk, total);
    expect(sent).toBeLessThan(total);
    expect(call!.request.socket.bytesRead).toBeLessThan(524_288 + 4 * 65_536);
    goOn();
    for (let rest = total - sent; rest > 0; rest -= chunk.length) {
      if (!socket.write(chunk)) await new Promise((resolve) => socket.once("drain", resolve));
    }
    expect(statusesOf(await reply)).toEqual([200]);
    expect([taken.text.length, taken.outcome]).toEqual([total, "end"]);
  });

  test("waits for its turn when memory is used up, and is not refused", async () => {
    await start(async (call) => take(call, nothing(), () => delay(5)), { bodyMemoryLimitBytes: 1 });
    const post = () => fetch(`${server.url}/t/v1/up`, { method: "POST", body: Buffer.alloc(1_000_000) });
    const replies = await Promise.all([post(), post(), post()]);
    expect(await Promise.all(replies.map((reply) => reply.json()))).toEqual([1_000_000, 1_000_000, 1_000_000]);
  });

  test("gives back the memory it took, however it ends", async () => {
    let call: HttpCall | null = null;
    await start(
      async (theCall) => {
        call = theCall as HttpCall;
        for await (const _ of theCall.stream()) await delay(20).then(() => Promise.reject(new Problem("x", 418, "x")));
        return json("never");
      },
      { bodyAheadBytes: 100_000 },
    );
    const post = () => fetch(`${server.url}/t/v1/up`, { method: "POST", body: Buffer.alloc(400_000) });
    expect((await post()).status).toBe(418);
    await until(() => server.inFlightCount() === 0);
    expect(call!.platform.bodyMemory.usedBytes).toBe(0);
  });

  test("beyond the route's limit is refused with 413", async () => {
    const taken = nothing();
    await start((call) => take(call, taken), {}, { bodyLimitBytes: 1000 });
    const text = await send(head("Transfer-Encoding: chunked"), chunked("x".repeat(900)), chunked("x".repeat(200)));
    expect(statusesOf(text)).toEqual([413]);
    expect(text).toContain("\r\nConnection: close\r\n");
    expect([taken.outcome, taken.text.length <= 1000]).toEqual(["http/body-too-large", true]);
  });

  test("may be read once only", async () => {
    await start(async (call) => {
      await call.body();
      call.stream();
      return json("never");
    });
    expect((await fetch(`${server.url}/t/v1/up`, { method: "POST", body: "x" })).status).toBe(500);
  });

  test("may be answered while it comes", async () => {
    await start((call) => ({ status: 200, headers: [], body: call.stream() }));
    const socket = await open(server.port);
    let seen = "";
    socket.on("data", (chunk) => {
      seen += chunk;
    });
    socket.write(head("Transfer-Encoding: chunked", "Connection: close") + chunked("one"));
    await until(() => seen.includes("one"));
    socket.write(`${chunked("two")}0\r\n\r\n`);
    await until(() => seen.endsWith("0\r\n\r\n"));
    expect(seen).toContain("two");
  });
});

describe("100 Continue", () => {
  const asking = head("Content-Length: 5", "Expect: 100-continue", "Connection: close");

  test("is said when the loop begins, and not before", async () => {
    let begin: () => void = () => {};
    const begins = new Promise<void>((resolve) => {
      begin = resolve;
    });
    const taken = nothing();
    await start(async (call) => {
      const stream = call.stream();
      await begins;
      for await (const chunk of stream) taken.text += chunk;
      return json("ok");
    });
    const socket = await open(server.port);
    let seen = "";
    socket.on("data", (chunk) => {
      seen += chunk;
    });
    const reply = readAll(socket);
    socket.write(asking);
    await until(() => server.inFlightCount() === 1);
    await delay(50);
    expect(seen).toBe("");
    begin();
    await until(() => seen.includes("100 Continue"));
    socket.write("hello");
    expect(statusesOf(await reply)).toEqual([100, 200]);
    expect(taken.text).toBe("hello");
  });

  test("is not said when the route refuses first", async () => {
    await start((call) => {
      call.stream();
      throw new Problem("test/no", 418, "No.");
    });
    expect(statusesOf(await send(asking))).toEqual([418]);
  });
});

describe("a loop that is left early", () => {
  test("leaves the rest unread, and the caller gets its answer", async () => {
    let read = 0;
    await start(async (call) => {
      for await (const chunk of call.stream()) {
        read = chunk.length;
        break;
      }
      return json("enough");
    });
    const socket = await open(server.port);
    const reply = readAll(socket);
    socket.write(head("Content-Length: 50000000"));
    socket.write(Buffer.alloc(600_000));
    const text = await reply;
    expect(statusesOf(text)).toEqual([200]);
    expect(text).toContain("\r\nConnection: close\r\n");
    expect(read).toBeLessThanOrEqual(65_536);
  });

  test("with a small rest lets the connection go on", async () => {
    await start(async (call) => {
      for await (const _ of call.stream()) break;
      return json("enough");
    });
    const socket = await open(server.port);
    const reply = readAll(socket);
    let seen = "";
    socket.on("data", (chunk) => {
      seen += chunk;
    });
    socket.write(`${head("Content-Length: 1000")}x`);
    await until(() => seen.includes("enough"));
    socket.write(`${"x".repeat(999) + head("Content-Length: 1", "Connection: close")}x`);
    expect(statusesOf(await reply)).toEqual([200, 200]);
  });

  test("X07 with a small rest that never comes ends the connection", async () => {
    await start(() => json("refused"), { bodyStallMs: 100 });
    expect(statusesOf(await send(`${head("Content-Length: 1000")}x`))).toEqual([200]);
  });

  test("by an answer from elsewhere never takes a part for the whole", async () => {
    const taken = nothing();
    await start((call) => {
      take(call, taken, () => delay(30)).catch(() => {});
      return delay(10).then(() => json("first"));
    });
    expect(statusesOf(await send(`${head("Content-Length: 5", "Connection: close")}hello`))).toEqual([200]);
    await until(() => taken.outcome !== "");
    expect([taken.text, taken.outcome]).toEqual(["", "http/body-incomplete"]);
  });
});

describe("X07 a sender", () => {
  test("X07 that dawdles is refused with 408, and the loop told", async () => {
    const taken = nothing();
    await start((call) => take(call, taken), { bodyStallMs: 100 });
    const text = await send(head("Content-Length: 500"), "x");
    expect(statusesOf(text)).toEqual([408]);
    await until(() => taken.outcome !== "");
    expect([taken.text, taken.outcome]).toEqual(["x", "http/too-slow"]);
  });

  test("X07 is not blamed while it is us who are slow", async () => {
    let turn = 0;
    await start((call) => take(call, nothing(), () => (turn++ < 2 ? delay(400) : undefined)), {
      bodyStallMs: 50,
      bodyAheadBytes: 65_536,
      bodySlowestBytesPerSecond: 1_000_000,
    });
    const reply = await fetch(`${server.url}/t/v1/up`, { method: "POST", body: Buffer.alloc(4_000_000) });
    expect([reply.status, await reply.json()]).toEqual([200, 4_000_000]);
  });

  test("X07 waits for a loop that never goes on until the deadline, and no longer", async () => {
    const taken = nothing();
    let isAborted = false;
    let leave: () => void = () => {};
    const forever = new Promise<void>((resolve) => {
      leave = resolve;
    });
    await start(
      (call) => {
        call.signal.addEventListener("abort", () => {
          isAborted = true;
        });
        return take(call, taken, () => (taken.turns === 0 ? undefined : forever));
      },
      { requestTimeoutMs: 100, bodyAheadBytes: 65_536 },
    );
    const reply = await fetch(`${server.url}/t/v1/up`, { method: "POST", body: Buffer.alloc(4_000_000) });
    expect([reply.status, await reply.json()]).toMatchObject([504, { oops: "http/deadline" }]);
    expect(isAborted).toBe(true);
    leave();
    await until(() => taken.outcome !== "");
    expect(taken.outcome).toBe("http/deadline");
  });

  test("X07 may take as long as its route allows, and not longer", async () => {
    const handle = (call: Call) => take(call, nothing());
    server = await openTestServer(
      [
        testRoute({ method: "POST", path: "/long", receiveTimeoutMs: 60_000, handle }),
        testRoute({ method: "POST", path: "/short", receiveTimeoutMs: 150, handle }),
        testRoute({ method: "POST", path: "/usual", handle: async (call) => json((await call.body()).length) }),
      ],
      { settings: { receiveTimeoutMs: 200, headersTimeoutMs: 100, bodyStallMs: 60_000, requestTimeoutMs: 100 } },
    );
    const drip = async (path: string) => {
      const socket = await open(server.port);
      const reply = readAll(socket);
      socket.write(`POST /t/v1/${path} HTTP/1.1\r\nHost: x\r\nContent-Length: 30\r\nConnection: close\r\n\r\n`);
      const timer = setInterval(() => socket.writable && socket.write("x"), 20);
      const text = await reply;
      clearInterval(timer);
      return statusesOf(text);
    };
    expect(await Promise.all(["long", "short", "usual"].map(drip))).toEqual([[200], [408], [408]]);
  });

  test("S09 that leaves is told to the loop after what it sent", async () => {
    const taken = nothing();
    await start((call) => take(call, taken));
    const socket = await open(server.port);
    socket.write(`${head("Content-Length: 500")}hello`);
    await until(() => taken.text === "hello");
    socket.destroy();
    await until(() => taken.outcome !== "" && server.inFlightCount() === 0);
    expect([taken.text, taken.outcome]).toEqual(["hello", "http/body-incomplete"]);
    expect(server.observations.some(({ kind }) => kind === "request.failed")).toBe(false);
  });

  test("S09 that leaves at any byte leaves nothing behind", async () => {
    const outcomes = new Set<string>();
    await start(async (call) => {
      const taken = nothing();
      try {
        return await take(call, taken, () => delay(0));
      } finally {
        outcomes.add(taken.outcome);
      }
    });
    const whole = `${head("Transfer-Encoding: chunked", "X-Upsert: true")}${chunked("hello")}${chunked("world")}0\r\n\r\n`;
    for (let i = 0; i < whole.length; i++) {
      const socket = await open(server.port);
      socket.on("error", () => {});
      socket.write(whole.slice(0, i));
      await delay(1);
      if (i % 2 === 0) socket.destroy();
      else socket.resetAndDestroy();
    }
    await until(() => server.inFlightCount() === 0);
    expect(statusesOf(await send(whole.replace("X-Upsert: true", "Connection: close")))).toEqual([200]);
    expect([...outcomes].sort()).toEqual(["end", "http/body-incomplete"]);
    expect(server.observations.some(({ kind }) => kind === "request.failed")).toBe(false);
  });

  test("S09 whose chunks are broken is refused, and the loop told", async () => {
    const taken = nothing();
    await start((call) => take(call, taken));
    expect(statusesOf(await send(head("Transfer-Encoding: chunked"), chunked("hello"), "zz\r\n"))).toEqual([400]);
    await until(() => taken.outcome !== "");
    expect(taken.outcome).toBe("http/malformed-request");
  });
});

import { setImmediate as nextTurn } from "node:timers/promises";
import { afterEach, describe, expect, test } from "vitest";
import { json, type Reply, type Route } from "../../kernel/route.ts";
import { exchange, open, openTestServer, statusesOf, type TestServer, testRoute, until } from "./test-server.ts";

let server: TestServer;
afterEach(() => server.stop());

/** Chunks of a source that says whether it was taken from and let go. */
class Chunks {
  taken = 0;
  isReturned = false;
  readonly #chunks: readonly (Buffer | string)[];

  constructor(chunks: readonly (Buffer | string)[]) {
    this.#chunks = chunks;
  }

  [Symbol.asyncIterator](): AsyncIterator<Buffer | string> {
    return {
      next: async () => {
        await nextTurn(); // so that what was written before has left
        if (this.taken === this.#chunks.length) return { done: true, value: undefined };
        return { done: false, value: this.#chunks[this.taken++]! };
      },
      return: async () => {
        this.isReturned = true;
        return { done: true, value: undefined };
      },
    };
  }
}

const serve = async (reply: Partial<Reply>, route: Partial<Route> = {}) => {
  server = await openTestServer([
    testRoute({ path: "/s", handle: () => ({ status: 200, headers: [], body: null, ...reply }), ...route }),
    testRoute({ path: "/next", handle: () => json("next") }),
  ]);
};
const ask = (method: string, path = "s", connection = "close") =>
  `${method} /t/v1/${path} HTTP/1.1\r\nHost: x\r\nConnection: ${connection}\r\n\r\n`;
const failures = () => server.observations.filter(({ kind }) => kind === "request.failed").length;

describe("a stream that says how long it is", () => {
  test("is sent with its length, and its connection goes on", async () => {
    await serve({ body: new Chunks(["one ", Buffer.from("zwei "), "drüben"]), lengthBytes: 16 });
    const text = await exchange(server.port, ask("GET", "s", "keep-alive") + ask("GET", "next"));
    expect(statusesOf(text)).toEqual([200, 200]);
    expect(text).toContain("\r\nContent-Length: 16\r\n");
    expect(text).not.toContain("Transfer-Encoding");
    expect(Buffer.from(text, "latin1").toString()).toContain("\r\n\r\none zwei drübenHTTP/1.1 200");
  });

  test("and has no bytes is empty", async () => {
    await serve({ body: new Chunks([]), lengthBytes: 0 });
    expect(await exchange(server.port, ask("GET"))).toMatch(/\r\nContent-Length: 0\r\n[\s\S]*\r\n\r\n$/);
  });

  test("and ends before is cut", async () => {
    await serve({ body: new Chunks(["four"]), lengthBytes: 5 });
    const text = await exchange(server.port, ask("GET", "s", "keep-alive") + ask("GET", "next"));
    expect(statusesOf(text)).toEqual([200]);
    expect(text.endsWith("\r\n\r\nfour")).toBe(true);
    expect(failures()).toBe(1);
    await until(() => server.inFlightCount() === 0);
  });

  test("and goes on after it is cut, and none of what is too much is sent", async () => {
    const source = new Chunks(["four", "HTTP/1.1 200 OK\r\n\r\n"]);
    await serve({ body: source, lengthBytes: 4 });
    const text = await exchange(server.port, ask("GET", "s", "keep-alive"));
    expect(statusesOf(text)).toEqual([200]);
    expect(text.endsWith("\r\n\r\nfour")).toBe(true);
    expect([failures(), source.isReturned]).toEqual([1, true]);
  });

  test.each([
    ["nothing", [], 5],
    ["too much", ["sixsix"], 5],
  ])("and begins with %s is an error reply: nothing has left yet", async (_what, chunks, lengthBytes) => {
    await serve({ body: new Chunks(chunks), lengthBytes, headers: ["X-A", "b"] });
    const text = await exchange(server.port, ask("GET"));
    expect(statusesOf(text)).toEqual([500]);
    expect(text).not.toContain("X-A");
    expect(failures()).toBe(1);
  });

  test("answers HEAD without being taken from", async () => {
    const source = new Chunks(["four"]);
    await serve({ body: source, lengthBytes: 4 });
    const text = await exchange(server.port, ask("HEAD"));
    expect(text).toMatch(/\r\nContent-Length: 4\r\n[\s\S]*\r\n\r\n$/);
    expect([source.taken, source.isReturned]).toEqual([0, true]);
  });

  test.each([204, 304])("is not taken from for a %i, which has no body", async (status) => {
    const source = new Chunks(["four"]);
    await serve({ status, body: source, lengthBytes: 4 });
    const text = await exchange(server.port, ask("GET"));
    expect(text).not.toContain("Content-Length");
    expect(text.endsWith("\r\n\r\n")).toBe(true);
    expect([source.taken, source.isReturned]).toEqual([0, true]);
  });

  test("may be said for HEAD with no body at all", async () => {
    await serve({ lengthBytes: 123 });
    expect(await exchange(server.port, ask("HEAD"))).toContain("\r\nContent-Length: 123\r\n");
    expect(await exchange(server.port, ask("GET"))).toContain("\r\nContent-Length: 0\r\n");
  });

  test("to a caller who still sends arrives whole, and ends the connection", async () => {
    await serve({ body: new Chunks(["four"]), lengthBytes: 4 }, { method: "POST", bodyLimitBytes: 1e9 });
    const socket = await open(server.port);
    let seen = "";
    let isClosed = false;
    socket.on("data", (chunk) => {
      seen += chunk;
    });
    socket
      .on("error", () => {})
      .on("close", () => {
        isClosed = true;
      });
    socket.write("POST /t/v1/s HTTP/1.1\r\nHost: x\r\nContent-Length: 900000000\r\n\r\n");
    const timer = setInterval(() => socket.write(Buffer.alloc(100_000)), 1);
    await until(() => isClosed);
    clearInterval(timer);
    expect(seen).toContain("\r\nConnection: close\r\n");
    expect(seen.endsWith("\r\n\r\nfour")).toBe(true);
  });
});

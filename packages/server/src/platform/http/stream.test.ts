import { afterEach, describe, expect, test } from "vitest";
import { Problem } from "../../kernel/problem.ts";
import { json } from "../../kernel/route.ts";
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

/** A source that counts what was taken and notices when it is let go. */
class Numbers {
  taken = 0;
  isReturned = false;
  readonly #chunk: Buffer;
  readonly #count: number;
  readonly #failsAt: number;

  constructor(count: number, { failsAt = -1, chunkBytes = 0 } = {}) {
    this.#count = count;
    this.#failsAt = failsAt;
    this.#chunk = Buffer.alloc(chunkBytes, 120);
  }

  async *[Symbol.asyncIterator]() {
    try {
      for (let i = 0; i < this.#count; i++) {
        if (i === this.#failsAt) throw new Problem("test/broken", 418, "The source broke.");
        this.taken++;
        yield this.#chunk.length > 0 ? this.#chunk : `${i},`;
        await new Promise((resolve) => setImmediate(resolve));
      }
    } finally {
      this.isReturned = true;
    }
  }
}

const serve = async (body: AsyncIterable<Uint8Array | string>, settings = {}) => {
  server = await openTestServer(
    [testRoute({ path: "/s", handle: () => ({ status: 200, headers: ["X-A", "b"], body }) })],
    {
      settings,
    },
  );
};
const request = "GET /t/v1/s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";

describe("a streamed reply", () => {
  test("arrives whole, and its connection goes on", async () => {
    await serve(new Numbers(5));
    for (const _ of [1, 2]) expect(await (await fetch(`${server.url}/t/v1/s`)).text()).toBe("0,1,2,3,4,");
    expect(server.inFlightCount()).toBe(0);
  });

  test("of nothing has length 0", async () => {
    await serve(new Numbers(0));
    const response = await fetch(`${server.url}/t/v1/s`);
    expect([response.headers.get("content-length"), await response.text()]).toEqual(["0", ""]);
  });

  test("that fails before its first chunk is still an error reply", async () => {
    await serve(new Numbers(5, { failsAt: 0 }));
    const response = await fetch(`${server.url}/t/v1/s`);
    expect([response.status, response.headers.get("x-a"), await response.json()]).toMatchObject([
      418,
      null,
      { oops: "test/broken" },
    ]);
  });

  test("that fails later breaks the connection, so that a part is not taken for the whole", async () => {
    const source = new Numbers(5, { failsAt: 3 });
    await serve(source);
    const text = await exchange(server.port, request);
    expect(statusesOf(text)).toEqual([200]);
    expect(text.endsWith("0\r\n\r\n")).toBe(false);
    await expect(fetch(`${server.url}/t/v1/s`).then((response) => response.text())).rejects.toThrow();
    const failures = server.observations.filter(({ kind }) => kind === "request.failed");
    expect(failures).toHaveLength(2);
    await until(() => server.inFlightCount() === 0);
  });

  test("for HEAD takes only what the status line needs", async () => {
    const source = new Numbers(1000);
    await serve(source);
    const text = await exchange(server.port, request.replace("GET", "HEAD"));
    expect(statusesOf(text)).toEqual([200]);
    expect(text.endsWith("\r\n\r\n")).toBe(true);
    await until(() => source.isReturned);
    expect(source.taken).toBe(1);
  });

  test("waits for its reader: what is taken stays bounded", async () => {
    const source = new Numbers(100_000, { chunkBytes: 65_536 });
    await serve(source);
    const socket = await open(server.port);
    socket.pause();
    socket.write(request);
    let before = -1;
    // Taken grows until the socket's buffers are full, and then not at all: two equal looks, well apart, of an idle source.
    while (before !== source.taken) {
      before = source.taken;
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
    expect(source.taken * 65_536).toBeLessThan(32 * 1024 * 1024);
    expect(source.isReturned).toBe(false);
    socket.destroy();
    await until(() => source.isReturned && server.inFlightCount() === 0);
  });

  test("is let go when the caller leaves", async () => {
    const source = new Numbers(1_000_000);
    await serve(source);
    const socket = await open(server.port);
    socket.write(request);
    await until(() => source.taken > 10);
    socket.destroy();
    await until(() => source.isReturned && server.inFlightCount() === 0);
    expect(server.observations.some(({ kind }) => kind === "request.failed")).toBe(false);
  });

  test("that waits for its first chunk is let go through the signal", async () => {
    let isAborted = false;
    server = await openTestServer([
      testRoute({
        path: "/s",
        handle({ signal }) {
          async function* wait() {
            await new Promise<void>((_resolve, reject) => {
              signal.addEventListener("abort", () => {
                isAborted = true;
                reject(signal.reason);
              });
            });
            yield "never";
          }
          return { status: 200, headers: [], body: wait() };
        },
      }),
    ]);
    const socket = await open(server.port);
    socket.write(request);
    await until(() => server.inFlightCount() === 1);
    socket.destroy();
    await until(() => isAborted && server.inFlightCount() === 0);
  });

  test("X07 to a reader who takes nothing is cut", async () => {
    const source = new Numbers(100_000, { chunkBytes: 65_536 });
    await serve(source, { replyStallMs: 100 });
    const socket = await open(server.port);
    socket.pause();
    socket.write(request);
    await until(() => source.isReturned && server.inFlightCount() === 0);
    socket.destroy();
  });
});

describe("X07 a large reply in one piece", () => {
  test("X07 is cut when the reader takes nothing", async () => {
    let isClosed = false;
    server = await openTestServer(
      [
        testRoute({
          path: "/s",
          handle(call) {
            const { signal } = call;
            signal.addEventListener("abort", () => {
              isClosed = true;
            });
            return { status: 200, headers: [], body: Buffer.alloc(64 * 1024 * 1024) };
          },
        }),
      ],
      { settings: { replyStallMs: 100 } },
    );
    const socket = await open(server.port);
    socket.pause();
    socket.write(request);
    await until(() => isClosed);
    socket.destroy();
  });
});

describe("the deadline", () => {
  const forever = testRoute({
    path: "/s",
    handle: (call) =>
      new Promise((_, reject) => call.signal.addEventListener("abort", () => reject(call.signal.reason))),
  });

  test("is answered with 504, and tells the route", async () => {
    server = await openTestServer([forever], { settings: { requestTimeoutMs: 50 } });
    const response = await fetch(`${server.url}/t/v1/s`);
    expect([response.status, await response.json()]).toMatchObject([504, { oops: "http/deadline" }]);
    expect(server.inFlightCount()).toBe(0);
    expect(server.observations.some(({ kind }) => kind === "request.failed")).toBe(false);
  });

  test("leaves what comes too late unsent, a stream is let go", async () => {
    const source = new Numbers(10);
    let finish: () => void = () => {};
    server = await openTestServer(
      [
        testRoute({
          path: "/s",
          handle: () =>
            new Promise((resolve) => {
              finish = () => resolve({ status: 200, headers: [], body: source });
            }),
        }),
        testRoute({ path: "/t", handle: () => json("next") }),
      ],
      { settings: { requestTimeoutMs: 50 } },
    );
    expect((await fetch(`${server.url}/t/v1/s`)).status).toBe(504);
    finish();
    expect(await (await fetch(`${server.url}/t/v1/t`)).json()).toBe("next");
    expect(source.taken).toBe(0);
    expect(server.inFlightCount()).toBe(0);
  });

  test("does not hide a mistake that shows only after it", async () => {
    let fail: (error: Error) => void = () => {};
    const route = testRoute({
      path: "/s",
      handle: () =>
        new Promise((_, reject) => {
          fail = reject;
        }),
    });
    server = await openTestServer([route], { settings: { requestTimeoutMs: 50 } });
    const failures = () => server.observations.filter(({ kind }) => kind === "request.failed").length;
    expect((await fetch(`${server.url}/t/v1/s`)).status).toBe(504);
    fail(new DOMException("aborted", "AbortError"));
    expect((await fetch(`${server.url}/t/v1/s`)).status).toBe(504);
    expect(failures()).toBe(0);
    fail(new TypeError("a mistake"));
    await until(() => failures() === 1);
  });

  test("holds for a stream until its first chunk, and no longer", async () => {
    const slow = (firstAfterMs: number, restAfterMs: number) =>
      (async function* () {
        await new Promise((resolve) => setTimeout(resolve, firstAfterMs));
        yield "first";
        await new Promise((resolve) => setTimeout(resolve, restAfterMs));
        yield "rest";
      })();
    server = await openTestServer(
      [
        testRoute({ path: "/late", handle: () => ({ status: 200, headers: [], body: slow(400, 0) }) }),
        testRoute({ path: "/long", handle: () => ({ status: 200, headers: [], body: slow(0, 400) }) }),
      ],
      { settings: { requestTimeoutMs: 150 } },
    );
    const [late, long] = await Promise.all(["late", "long"].map((path) => fetch(`${server.url}/t/v1/${path}`)));
    expect(late?.status).toBe(504);
    expect(await long?.text()).toBe("firstrest");
    await until(() => server.inFlightCount() === 0);
  });

  test("does not run while a body is still coming", async () => {
    server = await openTestServer(
      [testRoute({ method: "POST", path: "/s", handle: async (call) => json((await call.body()).length) })],
      { settings: { requestTimeoutMs: 100 } },
    );
    const socket = await open(server.port);
    const reply = readAll(socket);
    socket.write("POST /t/v1/s HTTP/1.1\r\nHost: x\r\nContent-Length: 20\r\nConnection: close\r\n\r\n");
    for (let i = 0; i < 20; i++) {
      await new Promise((resolve) => setTimeout(resolve, 20));
      socket.write("x");
    }
    expect(statusesOf(await reply)).toEqual([200]);
  });
});

describe("the signal", () => {
  test("aborts when the caller leaves, also when it is first asked for afterwards", async () => {
    let early: AbortSignal | undefined;
    let late: AbortSignal | undefined;
    let lookLate: () => void = () => {};
    let isGone: () => boolean = () => false;
    server = await openTestServer([
      testRoute({
        path: "/early",
        handle(call) {
          early = call.signal;
          return new Promise((resolve) => early?.addEventListener("abort", () => resolve(json("too late"))));
        },
      }),
      testRoute({
        path: "/late",
        handle: (call) =>
          new Promise((resolve) => {
            isGone = () => (call as HttpCall).response.destroyed;
            lookLate = () => {
              late = call.signal;
              resolve(json("too late"));
            };
          }),
      }),
    ]);
    for (const path of ["early", "late"]) {
      const socket = await open(server.port);
      const count = server.inFlightCount();
      socket.write(`GET /t/v1/${path} HTTP/1.1\r\nHost: x\r\n\r\n`);
      await until(() => server.inFlightCount() === count + 1);
      socket.destroy();
      if (path === "early") await until(() => early?.aborted === true);
    }
    await until(() => isGone());
    lookLate();
    expect(late?.aborted).toBe(true);
    await until(() => server.inFlightCount() === 0);
  });

  test("does not abort because the reply was sent", async () => {
    let signal: AbortSignal | undefined;
    server = await openTestServer([
      testRoute({
        path: "/s",
        handle(call) {
          signal = call.signal;
          return json("done");
        },
      }),
    ]);
    await exchange(server.port, request);
    expect(signal?.aborted).toBe(false);
  });
});

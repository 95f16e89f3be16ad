import { brotliCompressSync, deflateSync, gzipSync } from "node:zlib";
import { afterEach, describe, expect, test } from "vitest";
import { json } from "../../kernel/route.ts";
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

let handled = 0;
const upload = testRoute({
  method: "POST",
  path: "/up",
  bodyLimitBytes: 1000,
  async handle(call) {
    handled++;
    const body = await call.body();
    return json({ length: body.length, text: body.toString("utf8", 0, 20) });
  },
});
const start = async (settings = {}) => {
  handled = 0;
  server = await openTestServer([upload], { settings });
};
const post = (body: NonNullable<RequestInit["body"]>, headers: Record<string, string> = {}) =>
  fetch(`${server.url}/t/v1/up`, { method: "POST", body, headers, duplex: "half" } as RequestInit);

const head = (...headers: string[]) => ["POST /t/v1/up HTTP/1.1", "Host: x", ...headers, "", ""].join("\r\n");

describe("a body", () => {
  test.each(["application/json", "nonsense", "application/json\ta; charset=utf-7", "text/plain; charset=utf-16"])(
    "B13 of any content type (%j) reaches the route as its bytes",
    async (type) => {
      await start();
      const text = await exchange(
        server.port,
        `${head(`Content-Type: ${type}`, "Content-Length: 5", "Connection: close")}hello`,
      );
      expect(text).toContain('{"length":5,"text":"hello"}');
    },
  );

  test("may be missing, empty, or in chunks", async () => {
    await start();
    expect(await (await post("")).json()).toEqual({ length: 0, text: "" });
    const none = await exchange(server.port, head("Connection: close"));
    expect(none).toContain('{"length":0,');
    const chunks = `${head("Transfer-Encoding: chunked", "Connection: close")}3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n`;
    expect(await exchange(server.port, chunks)).toContain('{"length":5,"text":"abcde"}');
  });

  test("is read once however often it is asked for", async () => {
    server = await openTestServer([
      testRoute({
        method: "POST",
        path: "/up",
        async handle(call) {
          const [first, second] = [await call.body(), await call.body()];
          return json(first === second);
        },
      }),
    ]);
    expect(await (await post("x")).json()).toBe(true);
  });
});

describe("B13 a repeated header", () => {
  test.each(["Content-Type: text/plain", "Authorization: Bearer a", "Host: y"])("%s is refused", async (line) => {
    await start();
    const text = await exchange(
      server.port,
      head("Content-Type: application/json", "Authorization: Bearer b", line, "Content-Length: 0", "Connection: close"),
    );
    expect(statusesOf(text)).toEqual([400]);
    expect(text).toContain("http/repeated-header");
    expect(handled).toBe(0);
  });
});

describe("a body that is too large", () => {
  test("is refused by its announced length, before the route and before its bytes", async () => {
    await start();
    const text = await exchange(server.port, head("Content-Length: 1001", "Connection: close"));
    expect(statusesOf(text)).toEqual([413]);
    expect(text).toContain("http/body-too-large");
    expect(handled).toBe(0);
  });

  test("is refused as soon as its chunks exceed the limit", async () => {
    await start();
    const chunk = `400\r\n${"x".repeat(1024)}\r\n`;
    const text = await exchange(server.port, head("Transfer-Encoding: chunked") + chunk);
    expect(statusesOf(text)).toEqual([413]);
    expect(text).toContain("\r\nConnection: close\r\n");
  });

  test("gets its answer although the sender goes on sending", async () => {
    await start();
    const response = await post(Buffer.alloc(3_000_000));
    expect(response.status).toBe(413);
  });

  test("need not be sent by who asks first", async () => {
    await start();
    const refused = await exchange(server.port, head("Content-Length: 5000000", "Expect: 100-continue"));
    expect(refused).not.toContain("100 Continue");
    expect(statusesOf(refused)).toEqual([413]);
    const socket = await open(server.port);
    const reply = readAll(socket);
    let seen = "";
    socket.on("data", (chunk) => {
      seen += chunk;
    });
    socket.write(head("Content-Length: 5", "Expect: 100-continue", "Connection: close"));
    await until(() => seen.includes("HTTP/1.1 100 Continue"));
    socket.write("hello");
    expect(statusesOf(await reply)).toEqual([100, 200]);
  });

  test("together with all others is refused with 503, and the memory given back", async () => {
    await start({ bodyMemoryLimitBytes: 600 });
    const first = await open(server.port);
    const firstReply = readAll(first);
    first.write(`${head("Content-Length: 500", "Connection: close")}${"x".repeat(400)}`);
    await until(() => server.inFlightCount() === 1);
    await until(() => handled === 1);
    const second = await post("y".repeat(400));
    expect([second.status, second.headers.get("retry-after")]).toEqual([503, "1"]);
    first.write("x".repeat(100));
    expect(statusesOf(await firstReply)).toEqual([200]);
    expect((await post("y".repeat(600))).status).toBe(200);
  });
});

describe("a compressed body", () => {
  test.each([
    ["gzip", gzipSync("hello")],
    ["x-gzip", gzipSync("hello")],
    ["GZIP", gzipSync("hello")],
    ["deflate", deflateSync("hello")],
    ["br", brotliCompressSync("hello")],
    ["identity", Buffer.from("hello")],
  ])("in %s is decompressed", async (encoding, bytes) => {
    await start();
    expect(await (await post(bytes, { "content-encoding": encoding })).json()).toEqual({ length: 5, text: "hello" });
  });

  test.each(["compress", "gzip, gzip", "gzip,br", "zstd", "x"])("in %s is refused", async (encoding) => {
    await start();
    const response = await post(gzipSync("hello"), { "content-encoding": encoding });
    expect([response.status, response.headers.get("accept-encoding")]).toEqual([415, "gzip, deflate, br"]);
  });

  test("that explodes is refused at the limit", async () => {
    await start();
    const response = await post(gzipSync(Buffer.alloc(800_000)), { "content-encoding": "gzip" });
    expect([response.status, ((await response.json()) as { oops: string }).oops]).toEqual([413, "http/body-too-large"]);
  });

  test("that is not compressed is refused", async () => {
    await start();
    const response = await post("hello", { "content-encoding": "gzip" });
    expect([response.status, ((await response.json()) as { oops: string }).oops]).toEqual([
      400,
      "http/body-not-decodable",
    ]);
  });
});

describe("X07 a slow or vanishing sender", () => {
  test("X07 of headers is refused with 408", async () => {
    await start({ headersTimeoutMs: 100 });
    const text = await exchange(server.port, "POST /t/v1/up HTTP/1.1\r\nHost: x\r\nX-Slow");
    expect(statusesOf(text)).toEqual([408]);
  });

  test("X07 of nothing at all is disconnected", async () => {
    await start({ headersTimeoutMs: 100 });
    await exchange(server.port, "");
  });

  test("X07 of a body is refused with 408 in the boundary's shape", async () => {
    await start({ bodyStallMs: 100 });
    const text = await exchange(server.port, `${head("Content-Length: 500")}x`);
    expect(statusesOf(text)).toEqual([408]);
    expect(text).toContain('"oops":"http/too-slow"');
  });

  test("X07 that drips byte by byte is too slow, one at the slowest rate is not", async () => {
    await start({ bodyStallMs: 200, bodySlowestBytesPerSecond: 200 });
    const drip = async (bytesEach20Ms: number) => {
      const socket = await open(server.port);
      const reply = readAll(socket);
      socket.write(head("Content-Length: 400", "Connection: close"));
      let left = 400;
      const timer = setInterval(() => {
        socket.write("x".repeat(Math.min(left, bytesEach20Ms)));
        left -= bytesEach20Ms;
        if (left <= 0) clearInterval(timer);
      }, 20);
      const text = await reply;
      clearInterval(timer);
      return statusesOf(text);
    };
    expect(await Promise.all([drip(1), drip(20)])).toEqual([[408], [200]]);
  });

  test("X07 who takes longer than the whole may take is refused", async () => {
    await start({ headersTimeoutMs: 100, receiveTimeoutMs: 200, bodyStallMs: 60_000 });
    const text = await exchange(server.port, `${head("Content-Length: 500")}x`);
    expect(statusesOf(text)).toEqual([408]);
    expect(text).toContain('"oops":"http/too-slow"');
  });

  test("S09 that leaves in the middle leaves nothing behind", async () => {
    await start();
    const socket = await open(server.port);
    socket.write(`${head("Content-Length: 500")}x`);
    await until(() => handled === 1);
    socket.destroy();
    await until(() => server.inFlightCount() === 0);
    expect((await post("still here")).status).toBe(200);
    expect(server.observations.some(({ kind }) => kind === "request.failed")).toBe(false);
  });

  test("a body nobody reads does not hinder the next request of its connection", async () => {
    server = await openTestServer([testRoute({ method: "POST", path: "/up", handle: () => json("ignored") })]);
    const one = `${head("Content-Length: 5000")}${"x".repeat(5000)}`;
    const last = `${head("Content-Length: 1", "Connection: close")}x`;
    expect(statusesOf(await exchange(server.port, one + one + last))).toEqual([200, 200, 200]);
  });
});

import { afterEach, beforeEach, describe, expect, test } from "vitest";
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
let reached: string[] = [];
let answer: () => void = () => {};

beforeEach(async () => {
  reached = [];
  server = await openTestServer(
    [
      testRoute({
        method: ["GET", "POST"],
        path: "/here",
        async handle(call) {
          const body = await call.body();
          reached.push(`${call.method} ${body}`);
          return json(`${call.method} ${body}`);
        },
      }),
      testRoute({
        path: "/later",
        handle: () =>
          new Promise((resolve) => {
            answer = () => resolve(json("later"));
          }),
      }),
    ],
    { settings: { urlLimitBytes: 2000, headersLimitBytes: 8000, headersLimitCount: 20 } },
  );
});
afterEach(() => server.stop());

const smuggled = "GET /t/v1/here HTTP/1.1\r\nHost: x\r\n\r\n";

describe("X08 what two parsers could read in two ways", () => {
  test.each([
    ["both lengths", "Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n"],
    ["both lengths, other order", "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"],
    ["two lengths", "Content-Length: 4\r\nContent-Length: 5\r\n\r\nabcde"],
    ["a list of lengths", "Content-Length: 4, 4\r\n\r\nabcd"],
    ["a signed length", "Content-Length: +4\r\n\r\nabcd"],
    ["a hexadecimal length", "Content-Length: 0x4\r\n\r\nabcd"],
    ["a negative length", "Content-Length: -1\r\n\r\n"],
    ["a length beyond numbers", "Content-Length: 99999999999999999999999\r\n\r\n"],
    ["chunked that is not last", "Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n"],
    ["a tab before the colon", "Transfer-Encoding\t: chunked\r\n\r\n0\r\n\r\n"],
    ["a space before the colon", "Content-Length : 4\r\n\r\nabcd"],
    ["a folded header", "X-A: b\r\n c\r\nContent-Length: 0\r\n\r\n"],
    ["a bare carriage return", "X-A: b\rX-B: c\r\nContent-Length: 0\r\n\r\n"],
    ["a NUL", "X-A: b\u0000c\r\nContent-Length: 0\r\n\r\n"],
    ["a chunk size that is none", "Transfer-Encoding: chunked\r\n\r\nzz\r\nabc\r\n0\r\n\r\n"],
    ["a chunk longer than it says", "Transfer-Encoding: chunked\r\n\r\n2\r\nabcdef\r\n0\r\n\r\n"],
    ["a chunk ended by a bare newline", "Transfer-Encoding: chunked\r\n\r\n2\nab\n0\n\n"],
    ["a huge chunk size", "Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n"],
  ])("X08 %s is refused once, and what follows is never served", async (_name, rest) => {
    const text = await exchange(server.port, `POST /t/v1/here HTTP/1.1\r\nHost: x\r\n${rest}${smuggled}`);
    expect(statusesOf(text)).toEqual([400]);
    expect(text).toMatch(/\r\nConnection: close\r\n/i);
    expect(reached).toEqual([]);
  });

  test.each([
    ["no host", "GET /t/v1/here HTTP/1.1\r\n\r\n"],
    ["a version nobody speaks", "GET /t/v1/here HTTP/3.7\r\nHost: x\r\n\r\n"],
    ["no version", "GET /t/v1/here\r\n\r\n"],
    ["a method nobody knows", "FETCH /t/v1/here HTTP/1.1\r\nHost: x\r\n\r\n"],
    ["a space in the target", "GET /t/v1/here there HTTP/1.1\r\nHost: x\r\n\r\n"],
    ["TLS", "\u0016\u0003\u0001\u0002\u0000\u0001\u0000\u0001\u00fc\u0003\u0003"],
    ["HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"],
    ["noise", "\u0001\u0002\u0003\u0004\r\n\r\n"],
  ])("X08 %s is 400", async (_name, bytes) => {
    const text = await exchange(server.port, bytes);
    expect(statusesOf(text)).toEqual([400]);
    expect(reached).toEqual([]);
  });

  test("X08 what is not HTTP gets problem+json of the right length", async () => {
    const text = await exchange(server.port, "noise\r\n\r\n");
    const [head = "", body = ""] = text.split("\r\n\r\n");
    expect(head).toContain("Content-Type: application/problem+json");
    expect(head).toContain(`Content-Length: ${body.length}`);
    expect(JSON.parse(body)).toMatchObject({ code: "http/malformed-request", status: 400 });
  });

  test("X08 bad bytes in a body are refused in the shape of the request they belong to", async () => {
    const text = await exchange(
      server.port,
      "POST /t/v1/here HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    );
    expect(text).toContain('"oops":"http/malformed-request"');
  });

  test("X08 bad bytes behind a request that is not answered yet are never taken for its answer", async () => {
    const socket = await open(server.port);
    const text = readAll(socket);
    socket.write("GET /t/v1/later HTTP/1.1\r\nHost: x\r\n\r\nnoise\r\n\r\n");
    await until(() => server.inFlightCount() === 1);
    expect(await text).toBe("");
    answer();
    await until(() => server.inFlightCount() === 0);
  });

  test("X08 good requests behind one another are answered in order", async () => {
    const one = "POST /t/v1/here HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n";
    const last = "GET /t/v1/here HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    const text = await exchange(server.port, `${one}ab${one}cd${last}`);
    expect(text.match(/"[A-Z]+ \w*"/g)).toEqual(['"POST ab"', '"POST cd"', '"GET "']);
  });
});

describe("a URL", () => {
  const get = (target: string) =>
    exchange(server.port, `GET ${target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`);

  test.each(["/t/v1/%zz", "/t/v1/%", "/t/v1/%e0%a4%a", "/t/v1/%ff", "/t/v1/here#part"])(
    "%s is 400 in its mount's shape",
    async (target) => {
      const text = await get(target);
      expect(statusesOf(text)).toEqual([400]);
      expect(text).toContain('"oops":"http/malformed-url"');
    },
  );

  test("outside any mount is 400 as problem+json", async () => {
    const text = await get("/%zz");
    expect(statusesOf(text)).toEqual([400]);
    expect(text).toContain("application/problem+json");
  });

  test("that is too long is 414, one byte less is not", async () => {
    const longest = `/t/v1/here?${"x".repeat(2000 - "/t/v1/here?".length)}`;
    expect(statusesOf(await get(longest))).toEqual([200]);
    const text = await get(`${longest}x`);
    expect(statusesOf(text)).toEqual([414]);
    expect(text).toContain('"oops":"http/url-too-long"');
  });
});

describe("headers", () => {
  test("that are too many are refused, not dropped", async () => {
    const many = Array.from({ length: 19 }, (_, i) => `X-${i}: y\r\n`).join("");
    const text = await exchange(server.port, `GET /t/v1/here HTTP/1.1\r\nHost: x\r\n${many}Connection: close\r\n\r\n`);
    expect(statusesOf(text)).toEqual([431]);
    expect(reached).toEqual([]);
  });

  test("B08 that are too large are refused, a megabyte of URL too", async () => {
    const large = await exchange(server.port, `GET /t/v1/here HTTP/1.1\r\nHost: x\r\nX: ${"y".repeat(9000)}\r\n\r\n`);
    expect(statusesOf(large)).toEqual([431]);
    const url = await exchange(server.port, `GET /t/v1/here?${"x".repeat(1_000_000)} HTTP/1.1\r\nHost: x\r\n\r\n`);
    expect(statusesOf(url)).toEqual([431]);
    expect(reached).toEqual([]);
  });
});

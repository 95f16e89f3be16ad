import { describe, expect, test } from "vitest";
import type { HttpInput } from "../../types.ts";
import { createRequest, RealRequest, WorldRequest } from "./request.ts";

const input = (given: Partial<HttpInput> = {}): HttpInput => ({
  method: "POST",
  url: "http://project.test/functions/v1/hello/a%20b?x=1&y=ä",
  headers: ["Content-Type", "application/json", "x-list", "a", "X-List", "b", "cookie", "a=1; b=2"],
  body: Buffer.from('{"a":"grüße"}'),
  ...given,
});

async function* streaming(...parts: readonly string[]): AsyncGenerator<Buffer> {
  for (const part of parts) yield Buffer.from(part);
}

/** The same, as the standard's own class has it. */
function real({ body, headers, method, url }: HttpInput): Request {
  const pairs = headers.flatMap((name, at) => (at % 2 === 0 ? [[name, headers[at + 1]!] as [string, string]] : []));
  return new RealRequest(url, { method, headers: pairs, body: body === null ? null : new Uint8Array(body as Buffer) });
}

/** What two ways of the same come to: a value, or the kind of error. */
async function outcome(work: () => unknown): Promise<unknown> {
  try {
    return await work();
  } catch (error) {
    return (error as Error).name;
  }
}

const form =
  '--b\r\ncontent-disposition: form-data; name="a"\r\n\r\n1\r\n--b\r\ncontent-disposition: form-data; name="f"; filename="f.txt"\r\ncontent-type: text/plain\r\n\r\nhi\r\n--b--\r\n';
const inputs: readonly (readonly [string, HttpInput])[] = [
  ["with JSON", input()],
  ["with a byte order mark", input({ body: Buffer.from("\uFEFF{}") })],
  ["with broken UTF-8", input({ body: Buffer.from([0xff, 0x61]) })],
  ["with broken JSON", input({ body: Buffer.from("{") })],
  ["with an empty body", input({ body: Buffer.alloc(0) })],
  ["without a body", input({ body: null })],
  ["with GET", input({ method: "GET", body: null })],
  ["with a form", input({ headers: ["content-type", "multipart/form-data; boundary=b"], body: Buffer.from(form) })],
  [
    "with a plain form",
    input({ headers: ["content-type", "application/x-www-form-urlencoded"], body: Buffer.from("a=1&b=%C3%A4") }),
  ],
];

const looks: Readonly<Record<string, (request: Request) => unknown>> = {
  method: (request) => request.method,
  url: (request) => request.url,
  headers: (request) => [...request.headers],
  "a header": (request) => request.headers.get("X-List"),
  others: (request) => [
    request.cache,
    request.credentials,
    request.destination,
    request.integrity,
    request.keepalive,
    request.mode,
    request.redirect,
    request.referrer,
    request.referrerPolicy,
    request.duplex,
  ],
  bodyUsed: (request) => request.bodyUsed,
  "whether it has a body": (request) => request.body === null,
  text: (request) => request.text(),
  json: (request) => request.json(),
  bytes: async (request) => [...(await request.bytes())],
  arrayBuffer: async (request) => [...new Uint8Array(await request.arrayBuffer())],
  blob: async (request) => [(await request.blob()).type, await await outcomeBlob(request)],
  formData: async (request) =>
    [...(await request.formData())].map(([name, value]) => [name, typeof value === "string" ? value : value.name]),
  "a text read twice": async (request) => [await request.text(), await outcome(() => request.text()), request.bodyUsed],
  "a text, then the body": async (request) => [await request.text(), request.bodyUsed, request.body?.locked ?? null],
  "JSON read twice": async (request) => [await outcome(() => request.json()), await outcome(() => request.json())],
  "a clone": async (request) => {
    const clone = request.clone();
    return [await clone.text(), await request.text(), clone.method, clone.url, [...clone.headers]];
  },
  "a clone after reading": async (request) => [await request.text(), await outcome(() => request.clone().text())],
  "a clone with changed headers": (request) => {
    request.headers.set("x-new", "1");
    return [...request.clone().headers];
  },
  "the stream": async (request) => {
    const chunks: number[] = [];
    if (request.body !== null) for await (const chunk of request.body) chunks.push(...chunk);
    return [chunks, request.bodyUsed, await outcome(() => request.text())];
  },
  "its class": (request) => [
    request instanceof RealRequest,
    Object.prototype.toString.call(request),
    "formData" in request,
  ],
};
const outcomeBlob = async (request: Request): Promise<unknown> => await outcome(() => request.clone().text());

describe.each(Object.keys(looks))("%s", (look) => {
  test.each(inputs)("is that of the real one %s", async (_what, given) => {
    const see = looks[look]!;
    expect(await outcome(() => see(createRequest(given)))).toEqual(await outcome(() => see(real(given))));
  });
});

describe("a body that streams", () => {
  const streamed = (...parts: string[]) => createRequest(input({ body: streaming(...parts) }));

  test("is read as text, as JSON, and piece by piece", async () => {
    expect(await streamed('{"a"', ":1}").text()).toBe('{"a":1}');
    expect(await streamed('{"a"', ":1}").json()).toEqual({ a: 1 });
    const pieces: string[] = [];
    for await (const piece of streamed("one", "", "two").body!) pieces.push(new TextDecoder().decode(piece));
    expect(pieces).toEqual(["one", "two"]);
  });

  test("is read once", async () => {
    const request = streamed("a");
    await request.text();
    expect(request.bodyUsed).toBe(true);
    await expect(request.text()).rejects.toThrow(TypeError);
  });

  test("is ended by who stops reading", async () => {
    let isEnded = false;
    async function* forever(): AsyncGenerator<Buffer> {
      try {
        for (;;) yield Buffer.alloc(1_000);
      } finally {
        isEnded = true;
      }
    }
    const request = createRequest(input({ body: forever() }));
    const reader = request.body!.getReader();
    await reader.read();
    await reader.cancel();
    expect(isEnded).toBe(true);
  });
});

describe("the class in a function's world", () => {
  test("takes what handlers are given", async () => {
    const request = createRequest(input());
    const made = new WorldRequest(request, { headers: { "x-a": "1" } });
    expect([made.url, made.headers.get("x-a"), await made.json()]).toEqual([
      "http://project.test/functions/v1/hello/a%20b?x=1&y=%C3%A4",
      "1",
      { a: "grüße" },
    ]);
    expect(request.bodyUsed).toBe(true);
    expect(made instanceof WorldRequest && request instanceof WorldRequest).toBe(true);
  });

  test("takes headers that were changed after the real one was made", () => {
    const request = createRequest(input());
    const { headers } = request;
    void request.body;
    headers.set("x-late", "1");
    expect(new WorldRequest(request).headers.get("x-late")).toBe("1");
    expect(request.headers).toBe(headers);
  });

  test("can be extended, and not called", () => {
    class Mine extends WorldRequest {
      readonly mine = 1;
    }
    const mine = new Mine("http://a/");
    expect([mine.mine, mine.url, mine instanceof WorldRequest]).toEqual([1, "http://a/", true]);
    expect(() => (WorldRequest as unknown as () => void)()).toThrow(TypeError);
    expect(() => new WorldRequest("nowhere")).toThrow(TypeError);
  });

  test("asks for the signal when it is looked at", () => {
    const abort = new AbortController();
    let asked = 0;
    const request = createRequest(input(), () => {
      asked++;
      return abort.signal;
    });
    void request.headers;
    expect(asked).toBe(0);
    expect(request.signal.aborted).toBe(false);
    const clone = request.clone();
    abort.abort(new Error("gone"));
    expect([request.signal.aborted, clone.signal.aborted]).toEqual([true, true]);
  });
});

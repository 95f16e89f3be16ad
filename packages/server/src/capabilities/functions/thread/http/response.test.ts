import { describe, expect, test } from "vitest";
import { readResponse } from "./read-response.ts";
import { RealResponse, WorldResponse } from "./response.ts";

type Class = typeof Response;

async function outcome(work: () => unknown): Promise<unknown> {
  try {
    return await work();
  } catch (error) {
    return (error as Error).name;
  }
}

const makes: Readonly<Record<string, (made: Class) => Response>> = {
  text: (made) => new made("grüße"),
  nothing: (made) => new made(),
  null: (made) => new made(null, { status: 204 }),
  undefined: (made) => new made(undefined, undefined),
  "an empty text": (made) => new made(""),
  "half a surrogate": (made) => new made("a\ud800b"),
  bytes: (made) => new made(new Uint8Array([1, 2, 3]).subarray(1)),
  "an array buffer": (made) => new made(new Uint8Array([1, 2]).buffer),
  "words of a form": (made) => new made(new URLSearchParams({ a: "ä b" })),
  "a blob": (made) => new made(new Blob(["x"], { type: "image/png" })),
  "a stream": (made) => new made(new Blob(["streamed"]).stream()),
  "a number": (made) => new made(5 as unknown as string),
  "headers of an object": (made) => new made("x", { headers: { "X-A": " 1 ", "content-type": "a/b" } }),
  "headers of pairs": (made) =>
    new made("x", {
      headers: [
        ["set-cookie", "a"],
        ["set-cookie", "b"],
      ],
    }),
  "real headers": (made) => new made("x", { headers: new Headers({ b: "2", a: "1" }) }),
  "a header twice": (made) => new made("x", { headers: { a: "1", A: "2" } }),
  "a number as a header": (made) => new made("x", { headers: { a: 1 as unknown as string } }),
  "a bad name": (made) => new made("x", { headers: { "a b": "1" } }),
  "a line end in a value": (made) => new made("x", { headers: { a: "1\r\nb: 2" } }),
  "a wide character": (made) => new made("x", { headers: { a: "€" } }),
  "a status": (made) => new made("x", { status: 418, statusText: "Teapot" }),
  "a status as text": (made) => new made("x", { status: "404" as unknown as number }),
  "a status that is none": (made) => new made("x", { status: 999 }),
  "a status of 101": (made) => new made(null, { status: 101 }),
  "a body with 204": (made) => new made("x", { status: 204 }),
  "a bad status text": (made) => new made("x", { statusText: "a\nb" }),
  "null as init": (made) => new made("x", null as unknown as ResponseInit),
  "a text as init": (made) => new made("x", "y" as unknown as ResponseInit),
  json: (made) => made.json({ a: "ä" }),
  "json with options": (made) => made.json([1], { status: 201, headers: { "x-a": "1" } }),
  "json with a type": (made) => made.json(null, { headers: { "Content-Type": "application/problem+json" } }),
  "json of nothing": (made) => made.json(undefined),
  "json with 204": (made) => made.json(1, { status: 204 }),
  "a redirect": (made) => made.redirect("http://a/b", 303),
  "an error": (made) => made.error(),
};

const looks: Readonly<Record<string, (response: Response) => unknown>> = {
  head: (response) => [
    response.status,
    response.statusText,
    response.ok,
    response.type,
    response.url,
    response.redirected,
  ],
  headers: (response) => [...response.headers],
  "headers that were changed": (response) => {
    response.headers.append("x-new", "1");
    const { headers } = response;
    return [[...headers], Object.is(headers, response.headers)];
  },
  text: async (response) => [await response.text(), response.bodyUsed, await outcome(() => response.text())],
  json: (response) => response.json(),
  bytes: async (response) => [...(await response.bytes())],
  arrayBuffer: async (response) => [...new Uint8Array(await response.arrayBuffer())],
  blob: async (response) => {
    const blob = await response.blob();
    return [blob.type, await blob.text()];
  },
  formData: async (response) => [...(await response.formData())],
  "a clone": async (response) => {
    const clone = response.clone();
    return [await clone.text(), await response.text(), [...clone.headers], clone.status];
  },
  "a clone after reading": async (response) => [await response.text(), await outcome(() => response.clone())],
  "headers, then text": async (response) => [[...response.headers], await response.text(), response.bodyUsed],
  "text, then the stream": async (response) => [
    await response.text(),
    await outcome(() => response.body?.getReader().read()),
  ],
  "the stream, then text": async (response) => {
    const { body } = response;
    const first = await body?.getReader().read();
    return [first?.value ? [...first.value] : null, await outcome(() => response.text())];
  },
  "its class": (response) => [response instanceof RealResponse, Object.prototype.toString.call(response)],
};

describe.each(Object.keys(looks))("%s", (look) => {
  test.each(Object.keys(makes))("is that of the real one made with %s", async (make) => {
    const see = async (made: Class) => await outcome(async () => await looks[look]!(makes[make]!(made)));
    expect(await see(WorldResponse)).toEqual(await see(RealResponse));
  });
});

/** What leaves: status, headers, and whether the bytes were known at once. */
async function sent(response: unknown): Promise<unknown> {
  const { body, headers, status } = readResponse(response);
  if (body === null || Buffer.isBuffer(body)) return [status, headers, body?.toString() ?? null, "at once"];
  const chunks: Buffer[] = [];
  for await (const chunk of body) chunks.push(chunk);
  return [status, headers, Buffer.concat(chunks).toString(), "streaming"];
}

describe("what leaves", () => {
  const text = ["content-type", "text/plain;charset=UTF-8"];

  test("is there at once when the body was", async () => {
    expect(await sent(new WorldResponse("a"))).toEqual([200, text, "a", "at once"]);
    expect(await sent(WorldResponse.json({ a: 1 }))).toEqual([
      200,
      ["content-type", "application/json"],
      '{"a":1}',
      "at once",
    ]);
    expect(await sent(new WorldResponse(new Uint8Array([65])))).toEqual([200, [], "A", "at once"]);
    expect(await sent(new WorldResponse(null, { status: 204 }))).toEqual([204, [], null, "at once"]);
  });

  test("has the headers that were changed after it was made", async () => {
    const response = new WorldResponse("a");
    response.headers.append("set-cookie", "a=1");
    response.headers.append("set-cookie", "b=2");
    expect(await sent(response)).toEqual([200, [...text, "set-cookie", "a=1", "set-cookie", "b=2"], "a", "at once"]);
  });

  test("is a copy of bytes that change afterwards", async () => {
    const bytes = new Uint8Array([65]);
    const response = new WorldResponse(bytes);
    bytes[0] = 66;
    expect(await sent(response)).toEqual([200, [], "A", "at once"]);
  });

  test("streams what streams, and what somebody has the stream of", async () => {
    expect(await sent(new WorldResponse(new Blob(["a"]).stream()))).toEqual([200, [], "a", "streaming"]);
    const response = new WorldResponse("a");
    const clone = response.clone();
    expect(await sent(response)).toEqual([200, text, "a", "streaming"]);
    expect(await clone.text()).toBe("a");
  });

  test("is no body that was read, or is being read", async () => {
    for (const made of [WorldResponse, RealResponse]) {
      const read = new made("a");
      await read.text();
      expect(() => readResponse(read)).toThrow(TypeError);
      const locked = new made("a");
      locked.body!.getReader();
      expect(() => readResponse(locked)).toThrow(TypeError);
    }
  });

  test("is what `fetch` has decoded, without what was true of it encoded", async () => {
    const answer = new RealResponse("plain", {
      headers: { "content-encoding": "gzip", "content-length": "25", connection: "close", "x-a": "1" },
    });
    Object.defineProperty(answer, "url", { value: "https://service.example/" });
    expect(await sent(answer)).toEqual([200, [...text, "x-a", "1"], "plain", "streaming"]);
  });

  test.each([undefined, null, "text", { status: 200 }, 5])("is no %j", (given) => {
    expect(() => readResponse(given)).toThrow("A handler must give a Response");
  });
});

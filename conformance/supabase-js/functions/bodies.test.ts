import { createHash, randomBytes } from "node:crypto";
import { FunctionRegion } from "@supabase/supabase-js";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Echo, type FunctionsApp, ok, startFunctionsApp } from "./functions-app.ts";

let app: FunctionsApp;
beforeAll(async () => {
  app = await startFunctionsApp({ functions: { functionsBodyLimitBytes: 17_000_000 } });
});
afterAll(() => app?.stop());

type Options = Parameters<ReturnType<FunctionsApp["client"]>["functions"]["invoke"]>[1];
const echo = async (options: Options = {}, path = "echo"): Promise<Echo> =>
  ok<Echo>(await app.client().functions.invoke(path, options));

/** With what a function sees of it. `null`: no type at all. */
const bodies: readonly [what: string, body: NonNullable<Options>["body"], type: string | null, text: string][] = [
  ["a text", "grüße\u{1f600}", "text/plain", "grüße\u{1f600}"],
  ["a Blob of some type", new Blob(["a,b"], { type: "text/csv" }), "text/csv", "a,b"],
  ["a Blob of none", new Blob(["bytes"]), "application/octet-stream", "bytes"],
  ["a File", new File(["<a/>"], "a.xml", { type: "application/xml" }), "application/xml", "<a/>"],
  ["an ArrayBuffer", new TextEncoder().encode("buffer").buffer, "application/octet-stream", "buffer"],
  ["an object", { a: [1, "ü", null], b: { c: true } }, "application/json", '{"a":[1,"ü",null],"b":{"c":true}}'],
  ["a list", [1, 2], "application/json", "[1,2]"],
  ["an empty object", {}, "application/json", "{}"],
  // What this client makes of what it does not know: JSON of the object. Apps send a text or a Blob instead.
  ["a view of bytes", new Uint8Array([7, 8]), "application/json", '{"0":7,"1":8}'],
  ["URLSearchParams", new URLSearchParams({ a: "1" }), "application/json", "{}"],
  ["a stream", new Blob(["streamed"]).stream(), "application/json", "{}"],
];

describe("a body", () => {
  it.each(bodies)("that is %s", async (_, body, type, text) => {
    const seen = await echo({ body: body as Blob });
    expect([seen.method, seen.headers["content-type"] ?? null, seen.text]).toEqual(["POST", type, text]);
  });

  it("that is not there has neither type nor bytes", async () => {
    const seen = await echo();
    expect([seen.headers["content-type"], seen.text]).toEqual([undefined, ""]);
  });

  it("of any bytes comes as it was sent", async () => {
    const bytes = Buffer.from(Array.from({ length: 256 }, (_, at) => at));
    expect((await echo({ body: new Blob([bytes]) })).base64).toBe(bytes.toString("base64"));
  });

  it("has the type that the caller says, however the header is written", async () => {
    for (const name of ["Content-Type", "content-type"]) {
      const seen = await echo({ body: "<a/>", headers: { [name]: "application/xml" } });
      expect([seen.headers["content-type"], seen.text]).toEqual(["application/xml", "<a/>"]);
    }
  });

  it("that is a form has its fields and files", async () => {
    const form = new FormData();
    form.append("name", "Ädä");
    form.append("name", "twice");
    form.append("file", new File(["line\r\n--x\r\n"], "ü.txt", { type: "text/plain" }));
    expect(ok(await app.client().functions.invoke("form", { body: form }))).toEqual([
      ["name", "Ädä"],
      ["name", "twice"],
      ["file", { name: "ü.txt", type: "text/plain", text: "line\r\n--x\r\n" }],
    ]);
  });

  it("of a form in an address' writing is read as one", async () => {
    const headers = { "Content-Type": "application/x-www-form-urlencoded" };
    const body = new URLSearchParams({ a: "1 & 2", b: "ü" }).toString();
    expect(ok(await app.client().functions.invoke("form", { body, headers }))).toEqual([
      ["a", "1 & 2"],
      ["b", "ü"],
    ]);
  });
});

describe("large bodies", () => {
  const sha = (bytes: ArrayBuffer | Uint8Array): string =>
    createHash("sha256")
      .update(Buffer.from(bytes as Uint8Array))
      .digest("hex");

  it("go in and out whole", async () => {
    const bytes = randomBytes(16_000_000);
    const back = ok<Blob>(await app.client().functions.invoke("back", { body: new Blob([bytes]) }));
    expect(sha(await back.arrayBuffer())).toBe(sha(bytes));
  });

  it("come back while they are sent, where they are streams", async () => {
    let push: ReadableStreamDefaultController<Uint8Array> | null = null;
    const body = new ReadableStream<Uint8Array>({
      start(controller) {
        push = controller;
        controller.enqueue(Buffer.from("first"));
      },
    });
    const init = { method: "POST", body, duplex: "half", headers: { apikey: app.publishableKey } };
    const sent = fetch(`${app.url}/functions/v1/back`, init as RequestInit);
    // Node's own client gives the answer once its head is there, however much is still to be sent.
    const reader = (await sent).body!.getReader();
    expect(Buffer.from((await reader.read()).value!).toString()).toBe("first");
    push!.enqueue(Buffer.from("second"));
    push!.close();
    expect(Buffer.from((await reader.read()).value!).toString()).toBe("second");
    expect((await reader.read()).done).toBe(true);
  });

  it("beyond the limit are refused, and say so", async () => {
    const { error, response } = await app.client().functions.invoke("back", { body: "x".repeat(17_000_001) });
    expect([error.name, response?.status]).toEqual(["FunctionsHttpError", 413]);
    expect(await error.context.json()).toEqual({ code: "BODY_TOO_LARGE", message: expect.any(String) });
  });
});

describe("a call", () => {
  it.each(["POST", "PUT", "PATCH", "DELETE"] as const)("by %s, with a body", async (method) => {
    expect(await echo({ method, body: { by: method } })).toMatchObject({ method, text: `{"by":"${method}"}` });
  });

  it("by GET, without", async () => {
    expect(await echo({ method: "GET" })).toMatchObject({ method: "GET", text: "" });
  });

  it("has the path behind the name, and the query", async () => {
    expect(await echo({}, "echo/a%20b/c?x=1&x=2&y=%C3%BC")).toMatchObject({
      pathname: "/echo/a%20b/c",
      search: "?x=1&x=2&y=%C3%BC",
    });
  });

  it("names a region, where one is wanted", async () => {
    const seen = await echo({ region: FunctionRegion.EuCentral1 }, "echo?a=1");
    expect([seen.headers["x-region"], seen.search]).toEqual(["eu-central-1", "?a=1&forceFunctionRegion=eu-central-1"]);
    const anywhere = await echo({ region: FunctionRegion.Any });
    expect([anywhere.headers["x-region"], anywhere.search]).toEqual([undefined, ""]);
  });

  it("has the headers of the client and its own", async () => {
    const client = app.client(undefined, { global: { headers: { "X-All": "a", "X-Both": "client" } } });
    const { headers } = ok<Echo>(
      await client.functions.invoke("echo", { headers: { "x-both": "call", "X-Odd": "ü" } }),
    );
    expect(headers).toMatchObject({
      apikey: app.anonKey,
      authorization: `Bearer ${app.anonKey}`,
      "x-all": "a",
      "x-odd": "ü",
      "x-client-info": expect.stringMatching(/^supabase-js/),
    });
    expect(headers["x-both"]).toContain("call");
  });
});

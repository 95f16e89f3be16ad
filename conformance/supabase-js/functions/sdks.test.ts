import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Answer } from "../app.ts";
import { type Echo, type FunctionsApp, type Person, startFunctionsApp } from "./functions-app.ts";

/*
 * What the clients of other languages send and must be able to read, as plain requests (protocols: functions §2, §3): each differs from
 * supabase-js in what it insists on.
 */
let app: FunctionsApp;
let ann: Person;
beforeAll(async () => {
  app = await startFunctionsApp();
  ann = app.person();
});
afterAll(() => app?.stop());

interface Sent {
  readonly method?: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string | Uint8Array<ArrayBuffer>;
}

/** Sends these headers, and none of ours. */
async function send(path: string, { method = "POST", headers, body }: Sent): Promise<Answer> {
  const response = await fetch(`${app.url}/functions/v1/${path}`, { method, headers, ...(body ? { body } : {}) });
  const text = await response.text();
  const isJson = response.headers.get("content-type")?.startsWith("application/json") ?? false;
  return { status: response.status, headers: response.headers, text, json: isJson ? JSON.parse(text) : undefined };
}

/** With the headers each client comes with, and a token where somebody is signed in. */
const clients = {
  swift: (token = app.anonKey) => ({
    apikey: app.anonKey,
    Authorization: `Bearer ${token}`,
    "X-Client-Info": "supabase-swift/3.0.0",
    "Content-Type": "application/json",
  }),
  kt: (token = app.anonKey) => ({
    apikey: app.anonKey,
    Authorization: `Bearer ${token}`,
    "X-Client-Info": "supabase-kt/3.7.0",
    "x-region": "any",
    "Content-Type": "application/json",
  }),
  flutter: (token = app.anonKey) => ({
    apikey: app.anonKey,
    Authorization: `Bearer ${token}`,
    "X-Client-Info": "supabase-flutter/3.0.0",
    "Content-Type": "application/json",
  }),
} as const;
const names = ["swift", "kt", "flutter"] as const;

describe.each(names)("%s", (name) => {
  const headers = (token?: string) => clients[name](token);

  it("sends JSON, and the function sees its headers", async () => {
    const { status, json } = await send("echo", { headers: headers(), body: '{"name":"Ada"}' });
    expect(status).toBe(200);
    const lowered = Object.entries(headers()).map(([key, value]) => [key.toLowerCase(), value]);
    expect(json).toMatchObject({ method: "POST", text: '{"name":"Ada"}', headers: Object.fromEntries(lowered) });
  });

  it("is who is signed in", async () => {
    const { json } = await send("who", { headers: headers(ann.token) });
    expect(json).toMatchObject({ user: ann.id, caller: { role: "authenticated", sub: ann.id } });
  });

  it("with a publishable key in both places is nobody in particular", async () => {
    const both = { ...headers(app.publishableKey), apikey: app.publishableKey };
    const { status, json } = await send("who", { headers: both });
    expect([status, json]).toMatchObject([200, { user: null, caller: { role: "anon" } }]);
  });

  it.each(["GET", "PUT", "PATCH", "DELETE"])("by %s", async (method) => {
    const { json } = await send("echo", { method, headers: headers() });
    expect(json).toMatchObject({ method, text: "" });
  });

  it("reads failures: the status, and a body in which code and message are texts", async () => {
    const refused: readonly [path: string, status: number, token?: string][] = [
      ["nothing", 404],
      ["broken", 503],
      ["echo", 401, "a.b.c"],
    ];
    for (const [path, status, token] of refused) {
      const answer = await send(path, { headers: headers(token) });
      expect([answer.status, answer.headers.get("x-relay-error"), answer.json], path).toEqual([
        status,
        "true",
        { code: expect.any(String), message: expect.any(String) },
      ]);
    }
    const own = await send("failures/status/400", { headers: headers() });
    expect([own.status, own.headers.get("x-relay-error"), own.json]).toEqual([400, null, { error: "said with 400" }]);
  });
});

describe("supabase-swift", () => {
  it("names a region in header and query", async () => {
    const headers = { ...clients.swift(), "x-region": "eu-west-1" };
    const { json } = await send("echo?forceFunctionRegion=eu-west-1", { headers });
    expect(json).toMatchObject({ search: "?forceFunctionRegion=eu-west-1", headers: { "x-region": "eu-west-1" } });
  });

  it("sends bytes and texts by their types", async () => {
    for (const [type, body] of [
      ["application/octet-stream", new Uint8Array([0, 255])],
      ["text/plain", "grüße"],
    ] as const) {
      const { json } = await send("echo", { headers: { ...clients.swift(), "Content-Type": type }, body });
      const seen = json as Echo;
      expect([seen.headers["content-type"], seen.base64]).toEqual([type, Buffer.from(body).toString("base64")]);
    }
  });

  it("reads any answer as bytes", async () => {
    const { text, headers } = await send("answers/pdf", { headers: clients.swift() });
    expect([headers.get("content-type"), text]).toEqual(["application/pdf", "%PDF-1.7\n"]);
  });
});

describe("supabase-kt", () => {
  it("without a session and set so sends no token", async () => {
    const { Authorization: _, ...headers } = clients.kt();
    expect((await send("who", { headers })).json).toMatchObject({ authorization: null, caller: { role: "anon" } });
  });

  it("reads events line by line (invokeSSE)", async () => {
    const { headers, text } = await send("answers/events", {
      method: "GET",
      headers: { ...clients.kt(), Accept: "text/event-stream", "Cache-Control": "no-store" },
    });
    expect(headers.get("content-type")).toBe("text/event-stream");
    expect(headers.get("content-encoding")).toBeNull();
    expect(text.split("\n")).toEqual(["data: 1", "", "event: named", "data: 2", "", ""]);
  });

  it("sends a form whose parts have quoted names", async () => {
    const edge = randomUUID().replaceAll("-", "");
    const part = (head: string, body: string) => `--${edge}\r\n${head}\r\n\r\n${body}\r\n`;
    const body = [
      part('Content-Disposition: form-data; name="field"\r\nContent-Length: 5', "value"),
      part('Content-Disposition: form-data; name="file"; filename="a.txt"\r\nContent-Type: text/plain', "text"),
      `--${edge}--\r\n`,
    ].join("");
    const headers = { ...clients.kt(), "Content-Type": `multipart/form-data; boundary=${edge}` };
    expect((await send("form", { headers, body })).json).toEqual([
      ["field", "value"],
      ["file", { name: "a.txt", type: "text/plain", text: "text" }],
    ]);
  });
});

describe("supabase-flutter", () => {
  it("says its charset, and reads by the type of the answer", async () => {
    const headers = { ...clients.flutter(), "Content-Type": "application/json; charset=utf-8" };
    const { json } = await send("echo", { headers, body: '{"a":"ü"}' });
    expect((json as Echo).text).toBe('{"a":"ü"}');
    const types = await Promise.all(
      ["json", "octet-stream", "events", "html"].map(async (name) => {
        const answer = await send(`answers/${name}`, { headers: clients.flutter() });
        return answer.headers.get("content-type")?.split(";")[0];
      }),
    );
    expect(types).toEqual(["application/json", "application/octet-stream", "text/event-stream", "text/html"]);
  });

  it("sends files with fields as Dart writes a form", async () => {
    const edge = "dart-http-boundary-aZ09_+.x";
    const body =
      `--${edge}\r\ncontent-disposition: form-data; name="a"\r\n\r\n1\r\n` +
      `--${edge}\r\ncontent-type: application/octet-stream\r\ncontent-disposition: form-data; name="file"; filename="f.bin"\r\n\r\nbytes\r\n` +
      `--${edge}--\r\n`;
    const headers = { ...clients.flutter(), "Content-Type": `multipart/form-data; boundary=${edge}` };
    expect((await send("form", { headers, body })).json).toEqual([
      ["a", "1"],
      ["file", { name: "f.bin", type: "application/octet-stream", text: "bytes" }],
    ]);
  });

  it("sends a query of its own", async () => {
    const { json } = await send("echo?a=1&b=%C3%BC&forceFunctionRegion=us-east-1", {
      method: "GET",
      headers: clients.flutter(),
    });
    expect(json).toMatchObject({ search: "?a=1&b=%C3%BC&forceFunctionRegion=us-east-1" });
  });
});

describe("any client", () => {
  it("with a token and no key, with a key and no token, with a key in the query", async () => {
    expect((await send("who", { headers: { Authorization: `Bearer ${ann.token}` } })).json).toMatchObject({
      user: ann.id,
    });
    expect((await send("who", { headers: { apikey: app.secretKey } })).json).toMatchObject({
      caller: { role: "service_role" },
    });
    expect((await send(`who?apikey=${app.anonKey}`, { headers: {} })).status).toBe(200);
  });

  it("sends a trace along", async () => {
    const traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    const headers = { apikey: app.anonKey, traceparent, tracestate: "a=1", baggage: "b=2" };
    expect(((await send("echo", { headers })).json as Echo).headers).toMatchObject({ traceparent, baggage: "b=2" });
  });
});

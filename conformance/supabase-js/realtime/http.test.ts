import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { mint, userToken } from "../app.ts";
import {
  type BroadcastGot,
  broadcastsOn,
  newName,
  type RealtimeApp,
  startRealtimeApp,
  subscribed,
  within,
} from "./realtime-app.ts";

let app: RealtimeApp;
beforeAll(async () => {
  app = await startRealtimeApp(
    `create policy "all read" on realtime.messages for select to authenticated, anon using (true);
     create policy "staff write" on realtime.messages for insert to authenticated
       with check (realtime.topic() like 'staff%' and extension = 'broadcast');`,
    { realtime: { realtimeBroadcastPayloadBytes: 2_000 } },
  );
});
afterAll(() => app.stop());

/** Somebody who listens there. */
async function listening(name: string, isPrivate = false, vsn = "2.0.0"): Promise<readonly BroadcastGot[]> {
  const channel = app.realtime({ vsn }).client.channel(name, { config: { private: isPrivate } });
  const got = broadcastsOn(channel);
  await subscribed(channel);
  return got;
}

const gets = (got: readonly BroadcastGot[], ...expected: unknown[]): Promise<void> =>
  vi.waitFor(() => expect(got).toEqual(expected), within);

const batch = (body: unknown, as?: string, headers: Record<string, string> = {}) =>
  app.request("/realtime/v1/api/broadcast", { method: "POST", body, headers, ...(as === undefined ? {} : { as }) });

describe("the client, on no channel", () => {
  it("send() before joining goes by HTTP", async () => {
    const warn = vi.spyOn(console, "warn").mockImplementation(() => {});
    const name = newName();
    const got = [await listening(name), await listening(name, false, "1.0.0")];
    const sender = app.realtime();
    expect(await sender.client.channel(name).send({ type: "broadcast", event: "x", payload: { n: 1 } })).toBe("ok");
    for (const of of got) await gets(of, { event: "x", payload: { n: 1 } });
    expect(sender.wire.urls).toEqual([]);
    expect(warn).toHaveBeenCalledOnce();
    warn.mockRestore();
  });

  it("httpSend(): JSON of any kind, as it is", async () => {
    const name = newName();
    const got = [await listening(name), await listening(name, false, "1.0.0")];
    const channel = app.realtime().client.channel(name);
    expect(await channel.httpSend("x", { text: "ü🎈", n: 1.5 })).toEqual({ success: true });
    expect(await channel.httpSend("list", [1, null])).toEqual({ success: true });
    for (const of of got)
      await gets(of, { event: "x", payload: { text: "ü🎈", n: 1.5 } }, { event: "list", payload: [1, null] });
  });

  it("httpSend(): bytes", async () => {
    const name = newName();
    const got = await listening(name);
    const bytes = new Uint8Array([0, 200, 255, 7]);
    const channel = app.realtime().client.channel(name);
    expect(await channel.httpSend("view", bytes)).toEqual({ success: true });
    expect(await channel.httpSend("buffer", bytes.buffer)).toEqual({ success: true });
    await vi.waitFor(() => expect(got).toHaveLength(2), within);
    for (const { payload } of got) expect([...new Uint8Array(payload as ArrayBuffer)]).toEqual([...bytes]);
  });

  it("httpSend(): names with every sign in them", async () => {
    const name = `${newName()}: a/b?c#d %20 ü&é`;
    const got = await listening(name);
    expect(await app.realtime().client.channel(name).httpSend("e/v e?n#t%", { n: 1 })).toEqual({ success: true });
    await gets(got, { event: "e/v e?n#t%", payload: { n: 1 } });
  });

  it("httpSend(): on a private channel with the user's rights", async () => {
    const [staff, room] = [`staff-${newName()}`, newName()];
    const [got, others] = [await listening(staff, true), await listening(staff)];
    const user = await app.user();
    const options = { config: { private: true } };
    expect(await user.client.channel(staff, options).httpSend("x", { n: 1 })).toEqual({ success: true });
    await gets(got, { event: "x", payload: { n: 1 } });
    await expect(user.client.channel(room, options).httpSend("x", {})).rejects.toThrow();
    await expect(app.realtime().client.channel(staff, options).httpSend("x", {})).rejects.toThrow();
    expect(others).toEqual([]);
  });

  it("httpSend(): too large is refused", async () => {
    const channel = app.realtime().client.channel(newName());
    await expect(channel.httpSend("x", { text: "x".repeat(3_000) })).rejects.toThrow();
  });
});

describe("POST /api/broadcast", () => {
  it("many messages to many channels, with nothing but the key", async () => {
    const [one, two] = [newName(), newName()];
    const got = [await listening(one), await listening(two)];
    const messages = [
      { topic: one, event: "a", payload: { n: 1 } },
      { topic: two, event: "b", payload: { n: 2 } },
      { topic: one, event: "c", payload: { n: 3 }, private: false },
    ];
    const response = await fetch(`${app.url}/realtime/v1/api/broadcast`, {
      method: "POST",
      headers: { apikey: app.publishableKey, "Content-Type": "application/json" },
      body: JSON.stringify({ messages }),
    });
    expect([response.status, await response.text()]).toEqual([202, ""]);
    await gets(got[0]!, { event: "a", payload: { n: 1 } }, { event: "c", payload: { n: 3 } });
    await gets(got[1]!, { event: "b", payload: { n: 2 } });
  });

  it("of private ones those are sent that the caller may write", async () => {
    const [staff, room] = [`staff-${newName()}`, newName()];
    const got = [await listening(staff, true), await listening(room, true), await listening(staff)];
    const messages = [room, staff].map((topic) => ({ topic, event: "x", payload: { to: topic }, private: true }));
    expect((await batch({ messages })).status).toBe(202);
    expect((await batch({ messages }, userToken(crypto.randomUUID()))).status).toBe(202);
    await gets(got[0]!, { event: "x", payload: { to: staff } });
    expect((await batch({ messages: messages.slice(0, 1) }, app.serviceRoleKey)).status).toBe(202);
    await gets(got[1]!, { event: "x", payload: { to: room } });
    expect(got[0]).toHaveLength(1);
    expect(got[2]).toEqual([]);
  });

  it.each([
    ["no body", "", 422],
    ["no JSON", "{", 422],
    ["no messages", {}, 422],
    ["messages that are no list", { messages: {} }, 422],
    ["a message without topic", { messages: [{ event: "x", payload: {} }] }, 422],
    ["one without event", { messages: [{ topic: "x", payload: {} }] }, 422],
    ["one without payload", { messages: [{ topic: "x", event: "x" }] }, 422],
    ["one too large", { messages: [{ topic: "x", event: "x", payload: { t: "x".repeat(3_000) } }] }, 422],
    ["a topic that is no text", { messages: [{ topic: { $ne: 1 }, event: "x", payload: {} }] }, 422],
    ["a private that is neither", { messages: [{ topic: "x", event: "x", payload: {}, private: "maybe" }] }, 422],
  ])("%s: refused, and says what is wrong", async (_, body, status) => {
    const answer = await batch(body, undefined, { "Content-Type": "application/json" });
    expect(answer).toMatchObject({ status, json: { errors: expect.any(Object) } });
  });

  it("a bad message refuses all of its batch", async () => {
    const name = newName();
    const got = await listening(name);
    const good = { topic: name, event: "good", payload: {} };
    expect((await batch({ messages: [good, { topic: name }] })).status).toBe(422);
    expect((await batch({ messages: [{ ...good, event: "later" }] })).status).toBe(202);
    await gets(got, { event: "later", payload: {} });
  });
});

describe("POST /api/broadcast/{topic}/events/{event}", () => {
  const single = (name: string, body: unknown, type: string | null, options: { as?: string; query?: string } = {}) =>
    app.request(`/realtime/v1/api/broadcast/${encodeURIComponent(name)}/events/x${options.query ?? ""}`, {
      method: "POST",
      body,
      ...(type === null ? {} : { headers: { "Content-Type": type } }),
      ...(options.as === undefined ? {} : { as: options.as }),
    });

  it("JSON with a charset; bytes; nothing else", async () => {
    const name = newName();
    const got = await listening(name);
    expect((await single(name, '{"n":1}', "application/json; charset=utf-8")).status).toBe(202);
    await gets(got, { event: "x", payload: { n: 1 } });
    for (const type of ["text/plain", "application/xml", "multipart/form-data; boundary=x"]) {
      expect((await single(name, "{}", type)).status).toBe(415);
    }
    expect((await single(name, "{", "application/json")).status).toBe(422);
    expect((await single(name, "x".repeat(3_000), "application/octet-stream")).status).toBe(422);
    expect(got).toHaveLength(1);
  });

  it("private without the right: 403; with it: 202", async () => {
    const staff = `staff-${newName()}`;
    const got = await listening(staff, true);
    const as = userToken(crypto.randomUUID());
    expect((await single(staff, "{}", "application/json", { query: "?private=true" })).status).toBe(403);
    expect((await single(newName(), "{}", "application/json", { query: "?private=true", as })).status).toBe(403);
    expect((await single(staff, "{}", "application/json", { query: "?private=true", as })).status).toBe(202);
    await gets(got, { event: "x", payload: {} });
  });
});

describe("R01 who asks", () => {
  const url = () => `${app.url}/realtime/v1/api/broadcast`;
  const send = (headers: Record<string, string>) =>
    fetch(url(), {
      method: "POST",
      headers: { "Content-Type": "application/json", ...headers },
      body: JSON.stringify({ messages: [{ topic: "t", event: "x", payload: {} }] }),
    });

  it.each([
    ["no key", {}],
    ["a key that is none", { apikey: "nonsense" }],
    [
      "a token of another secret",
      { Authorization: `Bearer ${mint({ role: "service_role" }, "another secret of thirty-two bytes!")}` },
    ],
    ["an expired token", { Authorization: `Bearer ${mint({ role: "authenticated", sub: "x", exp: 1_000 })}` }],
  ])("%s: 401 with a message", async (_, headers) => {
    const response = await send(headers);
    expect(response.status).toBe(401);
    expect(await response.json()).toMatchObject({ message: expect.any(String) });
  });

  it("a failed token beside a good key is not forgiven", async () => {
    const response = await send({ apikey: app.anonKey, Authorization: "Bearer a.b.c" });
    expect(response.status).toBe(401);
  });

  it("pages of every origin may ask", async () => {
    const response = await fetch(url(), {
      method: "OPTIONS",
      headers: {
        Origin: "https://app.example",
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "authorization,apikey,content-type",
      },
    });
    expect(response.ok).toBe(true);
    expect(response.headers.get("access-control-allow-headers")).toMatch(/apikey/);
  });
});

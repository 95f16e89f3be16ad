import { describe, expect, it } from "vitest";
import type { Problem } from "../../../kernel/problem.ts";
import type { Incoming } from "../types.ts";
import { BroadcastRate, callerOf } from "./rate.ts";
import { readBroadcast } from "./read-broadcast.ts";
import { parseJson, readBatch, readSingle } from "./request-body.ts";
import { readReplayRequest } from "./stored-replay.ts";

const incoming = (more: Partial<Incoming>): Incoming => ({
  joinRef: "1",
  ref: "2",
  topic: "realtime:a",
  event: "broadcast",
  payload: {},
  broadcast: null,
  ...more,
});
const problemOf = (work: () => unknown): Problem => {
  try {
    work();
  } catch (error) {
    return error as Problem;
  }
  throw new Error("Nothing was refused.");
};

describe("a broadcast from a websocket", () => {
  it("goes on as it came when it is text", () => {
    const payload = { type: "broadcast", event: "cursor", payload: { x: 1 }, more: [null] };
    expect(readBroadcast(incoming({ payload }), "public:a", 1_000)).toEqual({
      published: { form: "text", room: "public:a", payload: Buffer.from(JSON.stringify(payload)) },
    });
  });

  it("loses the metadata of its frame: it would speak for the server", () => {
    const broadcast = {
      event: "e",
      metadata: '{"id":"forged","replayed":true}',
      encoding: "bytes",
      payload: Buffer.from([1]),
    } as const;
    expect(readBroadcast(incoming({ payload: null, broadcast }), "public:a", 10)).toEqual({
      published: {
        form: "bytes",
        room: "public:a",
        event: "e",
        encoding: "bytes",
        metadata: "",
        payload: Buffer.from([1]),
      },
    });
  });

  it.each([
    ["no object", incoming({ payload: "text" })],
    ["an array", incoming({ payload: [] })],
    ["bytes without a name", incoming({ payload: Buffer.from("x") })],
    ["too large as text", incoming({ payload: { payload: "é".repeat(60) } })],
    [
      "too large as bytes",
      incoming({ broadcast: { event: "e", metadata: "", encoding: "bytes", payload: Buffer.alloc(101) } }),
    ],
  ])("is refused: %s", (_, message) => {
    expect(readBroadcast(message, "public:a", 100)).toHaveProperty("refusal");
  });
});

describe("what a join asks to be replayed", () => {
  it("is bounded, and newest first when it does not say", () => {
    expect(readReplayRequest(undefined, false)).toBeNull();
    expect(readReplayRequest({ since: 1_700_000_000_000 }, true)).toEqual({ sinceMs: 1_700_000_000_000, limit: 25 });
    expect(readReplayRequest({ since: 0, limit: 1_000 }, true)).toMatchObject({ limit: 25 });
    expect(readReplayRequest({ since: 0, limit: -5 }, true)).toMatchObject({ limit: 1 });
  });

  it("R08: is refused on public channels", () => {
    expect(() => readReplayRequest({ since: 0 }, false)).toThrow(/^UnableToReplayMessages/);
  });

  it.each([
    [{}],
    [{ since: "0" }],
    [{ since: 1.5 }],
    [{ since: -1 }],
    [{ since: 9e15 }],
    [{ since: 0, limit: "9" }],
    [[]],
    [7],
    ["since"],
  ])("is refused when it cannot be understood: %j", (replay) => {
    expect(() => readReplayRequest(replay, true)).toThrow(/^UnableToReplayMessages: Replay params are not valid$/);
  });
});

describe("a batch", () => {
  const limits = { payloadBytes: 200, messages: 3 };
  const one = { topic: "a", event: "e", payload: { n: 1 } };

  it("is read whole, private or not", () => {
    const body = {
      messages: [one, { ...one, topic: "b", private: true }, { ...one, private: null, id: "7" }],
      more: 1,
    };
    const read = readBatch(body, limits);
    expect(read.map(({ topic, isPrivate }) => [topic, isPrivate])).toEqual([
      ["a", false],
      ["b", true],
      ["a", false],
    ]);
    expect(read.map(({ payload }) => JSON.parse(payload.toString()))).toEqual([
      { type: "broadcast", event: "e", payload: { n: 1 } },
      { type: "broadcast", event: "e", payload: { n: 1 } },
      { type: "broadcast", event: "e", payload: { n: 1 }, meta: { id: "7" } },
    ]);
  });

  it.each([
    ["no messages", {}, { messages: ["can't be blank"] }],
    ["messages of another kind", { messages: { 0: one } }, { messages: ["is invalid"] }],
    ["an array", [one], { messages: ["can't be blank"] }],
    ["too many", { messages: [one, one, one, one] }, { messages: ["should have at most 3 item(s)"] }],
    ["a blank field", { messages: [one, { ...one, topic: " " }] }, { messages: [{}, { topic: ["can't be blank"] }] }],
    [
      "a payload of another kind",
      { messages: [{ ...one, payload: [1] }] },
      { messages: [{ payload: ["is invalid"] }] },
    ],
    ["a flag of another kind", { messages: [{ ...one, private: 1 }] }, { messages: [{ private: ["is invalid"] }] }],
    [
      "a large payload",
      { messages: [{ ...one, payload: { text: "x".repeat(200) } }] },
      { messages: [{ payload: ["Payload size exceeds tenant limit"] }] },
    ],
    ["no object", { messages: ["x"] }, { messages: [{ message: ["is invalid"] }] }],
  ])("is refused whole: %s", (_, body, errors) => {
    const problem = problemOf(() => readBatch(body, limits));
    expect(problem).toMatchObject({ status: 422, details: errors });
  });

  it("must be JSON in UTF-8", () => {
    expect(problemOf(() => parseJson(Buffer.from("{"))).status).toBe(422);
    expect(problemOf(() => parseJson(Buffer.from([0x22, 0xff, 0x22]))).status).toBe(422);
  });
});

describe("a single broadcast", () => {
  it("is JSON or bytes by its media type, and JSON without one", () => {
    expect(readSingle("application/json; charset=utf-8", Buffer.from("[1]"), 10).encoding).toBe("json");
    expect(readSingle(undefined, Buffer.from("1"), 10).encoding).toBe("json");
    expect(readSingle("application/octet-stream", Buffer.from([0xff]), 10).encoding).toBe("bytes");
  });

  it.each([
    [415, "text/plain", "x"],
    [415, "", "x"],
    [415, "application/jsonp", "1"],
    [422, "application/json", "{"],
    [422, "application/json", ""],
    [422, "application/octet-stream", "xxxxxxxxxxx"],
  ])("is refused with %i: %s %s", (status, type, body) => {
    expect(problemOf(() => readSingle(type, Buffer.from(body), 10)).status).toBe(status);
  });
});

describe("R12: messages a second by HTTP", () => {
  it("are bounded per caller, a batch leaving a debt, and for all together", () => {
    let nowMs = 0;
    const rate = new BroadcastRate({ caller: 10, total: 25 }, () => nowMs);
    rate.take("a", 9);
    rate.take("a", 11);
    expect(problemOf(() => rate.take("a", 1))).toMatchObject({
      status: 429,
      headers: { "Retry-After": "2", RateLimit: '"caller";r=0;t=2', "RateLimit-Policy": '"caller";q=10;w=1' },
    });
    rate.take("b", 5);
    expect(problemOf(() => rate.take("c", 1)).headers.RateLimit).toMatch(/^"total"/);
    nowMs = 2_000;
    rate.take("a", 1);
    rate.take("c", 1);
  });

  it("A12 are counted by user, and without one by network", () => {
    const anybody = { role: "anon", claims: {}, claimsJson: "{}", isAuthenticated: false, expiresAtMs: 0 };
    const at = (address: string, subject: string | null = null) => callerOf({ who: { ...anybody, subject }, address });
    expect(at("2001:db8::1")).toBe(at("2001:db8::ffff:2"));
    expect(at("2001:db8::1")).not.toBe(at("2001:db8:0:1::1"));
    expect(at("192.0.2.1", "ada")).toBe(at("192.0.2.2", "ada"));
    expect(at("192.0.2.1", "192.0.2.1")).not.toBe(at("192.0.2.1"));
  });
});

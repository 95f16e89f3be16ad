import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Outgoing, UserBroadcast, WireVersion } from "../types.ts";
import { broadcastParts, pushParts, replyParts } from "./binary.ts";
import { broadcastMessage, channelEnd, decode, jsonMessage, replyMessage, systemMessage, WireError } from "./index.ts";
import { clientBroadcast, clientPush, openBinary, openFrame } from "./testing.ts";
import { websocketFrame } from "./websocket-frame.ts";

const versions: readonly WireVersion[] = ["1.0.0", "2.0.0"];
const textOf = (message: Outgoing, version: WireVersion): string => {
  const { isBinary, data } = openFrame(message.frame(version)!);
  expect(isBinary).toBe(false);
  return data.toString();
};
const jsonOf = (message: Outgoing, version: WireVersion): unknown => JSON.parse(textOf(message, version));
const send = (version: WireVersion, message: unknown) => decode(version, Buffer.from(JSON.stringify(message)), false);
const refusal = (work: () => unknown): WireError => {
  try {
    work();
  } catch (error) {
    if (error instanceof WireError) return error;
    throw error;
  }
  throw new Error("nothing was refused");
};

/** Any text whose UTF-8 fits into a name. */
const name = fc.string({ unit: "binary", maxLength: 63 });
const ref = fc.option(name.filter((text) => text !== ""));
const bytes = fc.uint8Array({ maxLength: 300 }).map((data) => Buffer.from(data));
const broadcasts: fc.Arbitrary<UserBroadcast> = fc.oneof(
  fc.record({
    event: name,
    metadata: fc.constantFrom("", '{"id":"1"}'),
    encoding: fc.constant("bytes"),
    payload: bytes,
  }),
  fc.record({
    event: name,
    metadata: fc.constantFrom("", '{"replayed":true}'),
    encoding: fc.constant("json"),
    payload: fc.json().map((text) => Buffer.from(text)),
  }),
);

describe("a websocket frame", () => {
  test.each([0, 1, 125, 126, 127, 65_535, 65_536, 200_000])(
    "of %i bytes is whole, unmasked and says its length",
    (length) => {
      const text = "x".repeat(length);
      expect(openFrame(websocketFrame(1, text))).toEqual({ isBinary: false, data: Buffer.from(text) });
      const parts = [Buffer.from(text.slice(0, 7)), Buffer.from(text.slice(7))];
      expect(openFrame(websocketFrame(2, parts))).toEqual({ isBinary: true, data: Buffer.from(text) });
    },
  );

  test("counts bytes, not characters", () => {
    const text = "ü€😀".repeat(20);
    expect(openFrame(websocketFrame(1, text)).data.toString()).toBe(text);
  });
});

describe("what the server says", () => {
  test("a message has the shape of its version", () => {
    const message = jsonMessage({ topic: "realtime:a", event: "e", payload: '{"n":1}', joinRef: "7", ref: "8" });
    expect(jsonOf(message, "2.0.0")).toEqual(["7", "8", "realtime:a", "e", { n: 1 }]);
    expect(jsonOf(message, "1.0.0")).toEqual({
      topic: "realtime:a",
      event: "e",
      payload: { n: 1 },
      ref: "8",
      join_ref: "7",
    });
  });

  test("a message for everybody has no refs", () => {
    const message = jsonMessage({ topic: "t", event: "e", payload: "{}" });
    expect(jsonOf(message, "2.0.0")).toEqual([null, null, "t", "e", {}]);
    expect(jsonOf(message, "1.0.0")).toEqual({ topic: "t", event: "e", payload: {}, ref: null, join_ref: null });
  });

  test("the payload is passed through as it is written", () => {
    const message = jsonMessage({ topic: "t", event: "e", payload: '{"n":12345678901234567890.0}' });
    for (const version of versions) expect(textOf(message, version)).toContain('{"n":12345678901234567890.0}');
  });

  test("a frame is made once per version, however many receive it", () => {
    for (const message of [
      jsonMessage({ topic: "t", event: "e", payload: "{}" }),
      broadcastMessage("t", { event: "e", metadata: "", encoding: "json", payload: Buffer.from("1") }),
    ]) {
      for (const version of versions) expect(message.frame(version)).toBe(message.frame(version));
      expect(message.frame("1.0.0")).not.toEqual(message.frame("2.0.0"));
    }
  });

  test("a reply, a system message and the end of a channel", () => {
    const reply = replyMessage({
      topic: "realtime:a",
      joinRef: "1",
      ref: "2",
      status: "error",
      response: { reason: "X: y" },
    });
    expect(jsonOf(reply, "2.0.0")).toEqual([
      "1",
      "2",
      "realtime:a",
      "phx_reply",
      { status: "error", response: { reason: "X: y" } },
    ]);
    const empty = replyMessage({ topic: "t", joinRef: null, ref: "2", status: "ok", response: undefined });
    expect(jsonOf(empty, "1.0.0")).toMatchObject({ payload: { status: "ok", response: {} } });
    const system = systemMessage({
      topic: "realtime:a:b",
      joinRef: "1",
      extension: "system",
      status: "ok",
      message: "m",
    });
    expect(jsonOf(system, "2.0.0")).toEqual([
      "1",
      null,
      "realtime:a:b",
      "system",
      { extension: "system", status: "ok", message: "m", channel: "a:b" },
    ]);
    expect(jsonOf(channelEnd("t", "1", "phx_close"), "2.0.0")).toEqual(["1", null, "t", "phx_close", {}]);
  });

  test("names and broadcasts come out as they went in, in both versions", () => {
    fc.assert(
      fc.property(name, broadcasts, (topic, broadcast) => {
        const message = broadcastMessage(topic, broadcast);
        const { isBinary, data } = openFrame(message.frame("2.0.0")!);
        const encoding = broadcast.encoding === "json" ? "1" : "0";
        const utf8 = (text: string) => Buffer.from(text).toString();
        expect(isBinary).toBe(true);
        expect(openBinary(data)).toEqual({
          kind: 4,
          names: [utf8(topic), utf8(broadcast.event), broadcast.metadata, encoding],
          data: broadcast.payload,
        });
        if (broadcast.encoding === "bytes") {
          expect(message.frame("1.0.0")).toBeNull();
          return;
        }
        const { event, metadata, payload } = broadcast;
        expect(jsonOf(message, "1.0.0")).toEqual({
          topic: utf8(topic),
          event: "broadcast",
          payload: {
            type: "broadcast",
            event: utf8(event),
            payload: JSON.parse(payload.toString()),
            ...(metadata === "" ? {} : { meta: JSON.parse(metadata) }),
          },
          ref: null,
          join_ref: null,
        });
      }),
    );
  });

  test("bytes as push, reply and broadcast", () => {
    const data = Buffer.from([0, 255]);
    const joined = (parts: readonly Uint8Array[]) => openBinary(Buffer.concat(parts));
    expect(joined(pushParts({ joinRef: "1", topic: "t", event: "e", data }))).toEqual({
      kind: 0,
      names: ["1", "t", "e"],
      data,
    });
    expect(joined(replyParts({ joinRef: null, ref: "2", topic: "t", status: "ok", data }))).toEqual({
      kind: 1,
      names: ["", "2", "t", "ok"],
      data,
    });
    expect(joined(broadcastParts({ topic: "ü", event: "e", data }))).toEqual({ kind: 2, names: ["ü", "e"], data });
  });

  test("a name beyond a byte's length is refused at once, never cut", () => {
    const broadcast: UserBroadcast = { event: "e", metadata: "", encoding: "json", payload: Buffer.from("1") };
    const fits = "€".repeat(85);
    expect(() => broadcastMessage(fits, { ...broadcast, event: fits })).not.toThrow();
    expect(refusal(() => broadcastMessage(`${fits}a`, broadcast)).message).toContain("topic takes 256 bytes");
    expect(refusal(() => broadcastMessage("t", { ...broadcast, event: `${fits}a` })).message).toContain("event");
    expect(refusal(() => broadcastMessage("t", { ...broadcast, metadata: `"${fits}"` })).message).toContain("metadata");
  });
});

describe("what a client says", () => {
  test("text of either version", () => {
    const expected = { joinRef: "1", ref: "2", topic: "realtime:a", event: "e", payload: { n: 1 }, broadcast: null };
    expect(send("2.0.0", ["1", "2", "realtime:a", "e", { n: 1 }, "more"])).toEqual(expected);
    expect(send("1.0.0", { topic: "realtime:a", event: "e", payload: { n: 1 }, ref: "2", join_ref: "1" })).toEqual(
      expected,
    );
  });

  test("refs may be missing, null or numbers", () => {
    expect(send("1.0.0", { topic: "t", event: "e", payload: {}, ref: 2 })).toMatchObject({ joinRef: null, ref: "2" });
    expect(send("2.0.0", [null, 3, "t", "e", {}])).toMatchObject({ joinRef: null, ref: "3" });
  });

  test("a payload may be missing", () => {
    expect(send("2.0.0", [null, "1", "phoenix", "heartbeat"]).payload).toEqual({});
    expect(send("1.0.0", { topic: "phoenix", event: "heartbeat", ref: "1" }).payload).toEqual({});
  });

  test("binary frames come out as they went in", () => {
    fc.assert(
      fc.property(ref, ref, name, broadcasts, (joinRef, sentRef, topic, broadcast) => {
        const utf8 = (text: string) => Buffer.from(text).toString();
        const frame = clientBroadcast(joinRef ?? "", sentRef ?? "", topic, broadcast);
        expect(decode("2.0.0", frame, true)).toEqual({
          joinRef: joinRef === null ? null : utf8(joinRef),
          ref: sentRef === null ? null : utf8(sentRef),
          topic: utf8(topic),
          event: "broadcast",
          payload: null,
          broadcast: { ...broadcast, event: utf8(broadcast.event) },
        });
      }),
    );
  });

  test("a push of bytes has them as payload", () => {
    const data = Buffer.from([1, 2, 3]);
    expect(decode("2.0.0", clientPush("1", "2", "t", "e", data), true)).toEqual({
      joinRef: "1",
      ref: "2",
      topic: "t",
      event: "e",
      payload: data,
      broadcast: null,
    });
  });

  test.each<[string, WireVersion, unknown]>([
    ["an object in 2.0.0", "2.0.0", { topic: "t", event: "e" }],
    ["an array in 1.0.0", "1.0.0", ["1", "2", "t", "e", {}]],
    ["no topic", "1.0.0", { event: "e", payload: {} }],
    ["a topic that is an array", "2.0.0", [null, null, ["t"], "e", {}]],
    ["a ref that is an object", "2.0.0", [null, {}, "t", "e", {}]],
    ["null", "1.0.0", null],
    ["a number", "2.0.0", 1],
  ])("R03 %s is ignored", (_name, version, message) => {
    expect(refusal(() => send(version, message)).closeCode).toBeNull();
  });

  test.each<[string, WireVersion, Buffer, boolean, number | null]>([
    ["text that is no JSON", "2.0.0", Buffer.from("hello"), false, 1007],
    ["nothing", "2.0.0", Buffer.alloc(0), false, 1007],
    ["text that is no UTF-8", "1.0.0", Buffer.from([0x22, 0xff, 0x22]), false, 1007],
    ["bytes in 1.0.0", "1.0.0", clientPush("", "", "t", "e", Buffer.alloc(1)), true, 1003],
    ["no byte at all", "2.0.0", Buffer.alloc(0), true, 1007],
    ["a header cut short", "2.0.0", Buffer.from([3, 0, 0, 1, 1]), true, 1007],
    ["a name beyond the end", "2.0.0", Buffer.from([3, 0, 0, 200, 0, 0, 1, 65]), true, 1007],
    ["a name that is no UTF-8", "2.0.0", Buffer.from([3, 0, 0, 1, 0, 0, 1, 0xff]), true, 1007],
    ["a kind nobody knows", "2.0.0", Buffer.from([9, 0, 0, 0, 0]), true, null],
    ["a kind only servers send", "2.0.0", Buffer.from([4, 1, 1, 0, 0, 65, 65]), true, null],
    ["an encoding nobody knows", "2.0.0", Buffer.from([3, 0, 0, 1, 1, 0, 7, 65, 65]), true, null],
  ])("R10 %s is refused", (_name, version, data, isBinary, closeCode) => {
    expect(refusal(() => decode(version, data, isBinary)).closeCode).toBe(closeCode);
  });

  test.each([
    ["none", ""],
    ["half", '{"a":'],
    ["what closes our object and adds to it", '1},"ref":"x","payload":{"a":1'],
    ["two values", "1 2"],
  ])("R10 a broadcast called JSON that is not (%s) reaches nobody", (_name, text) => {
    const broadcast: UserBroadcast = { event: "e", metadata: "", encoding: "json", payload: Buffer.from(text) };
    expect(refusal(() => decode("2.0.0", clientBroadcast("1", "2", "t", broadcast), true)).closeCode).toBeNull();
    const hidden = { ...broadcast, payload: Buffer.from("1"), metadata: text || " " };
    expect(refusal(() => decode("2.0.0", clientBroadcast("1", "2", "t", hidden), true)).closeCode).toBeNull();
  });

  test("R10 10,000 random messages are read or refused, and give nothing they did not contain", () => {
    const random = fc.oneof(
      fc.uint8Array({ maxLength: 600 }),
      fc
        .tuple(fc.constantFrom(0, 3), fc.uint8Array({ maxLength: 600 }))
        .map(([kind, rest]) => Uint8Array.of(kind, ...rest)),
      fc.json({ maxDepth: 4 }).map((text) => Buffer.from(text)),
      fc.array(fc.jsonValue(), { maxLength: 7 }).map((value) => Buffer.from(JSON.stringify(value))),
    );
    fc.assert(
      fc.property(random, fc.constantFrom(...versions), fc.boolean(), (data, version, isBinary) => {
        const frame = Buffer.from(data);
        try {
          const message = decode(version, frame, isBinary);
          if (!isBinary) return;
          // Views of the frame, not copies: nothing can be larger than what came.
          const payload = message.broadcast?.payload ?? (message.payload as Buffer);
          expect(payload.buffer).toBe(frame.buffer);
          expect(payload.length + message.topic.length).toBeLessThanOrEqual(frame.length);
        } catch (error) {
          expect(error).toBeInstanceOf(WireError);
        }
      }),
      { numRuns: 10_000 },
    );
  });

  test("R10 brackets a million deep do not overflow the stack", () => {
    for (const text of ["[".repeat(1_000_000), `${"[".repeat(1_000_000)}${"]".repeat(1_000_000)}`]) {
      expect(refusal(() => decode("2.0.0", Buffer.from(text), false))).toBeInstanceOf(WireError);
    }
  });
});

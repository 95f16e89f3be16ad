import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { broadcastsOn, newName, type RealtimeApp, startRealtimeApp, subscribed, within } from "./realtime-app.ts";

let app: RealtimeApp;
beforeAll(async () => {
  app = await startRealtimeApp();
});
afterAll(() => app.stop());

describe.each(["2.0.0", "1.0.0"])("broadcast with vsn %s", (vsn) => {
  it("reaches all who are there, as it was sent, and not the sender", async () => {
    const name = newName();
    const [alice, bob, carol] = [app.realtime({ vsn }), app.realtime({ vsn }), app.realtime({ vsn })];
    const channels = [alice, bob, carol].map(({ client }) => client.channel(name));
    const got = channels.map((channel) => broadcastsOn(channel));
    await Promise.all(channels.map(subscribed));
    const payload = { text: "grüße 🎈", nested: { list: [1, 2.5, null, true], __proto__x: "y" } };
    expect(await channels[0]!.send({ type: "broadcast", event: "typing", payload })).toBe("ok");
    await vi.waitFor(
      () => expect(got.slice(1)).toEqual([[{ event: "typing", payload }], [{ event: "typing", payload }]]),
      within,
    );
    // An answer of the other shows that what came before it has all come.
    await channels[1]!.send({ type: "broadcast", event: "seen", payload: {} });
    await vi.waitFor(() => expect(got[0]).toEqual([{ event: "seen", payload: {} }]), within);
  });

  it("self: the sender gets its own; in the order sent", async () => {
    const channel = app.realtime({ vsn }).client.channel(newName(), { config: { broadcast: { self: true } } });
    const got = broadcastsOn(channel);
    await subscribed(channel);
    for (let n = 0; n < 50; n++) void channel.send({ type: "broadcast", event: "n", payload: { n } });
    await vi.waitFor(() => expect(got).toHaveLength(50), within);
    expect(got.map(({ payload }) => (payload as { n: number }).n)).toEqual(Array.from({ length: 50 }, (_, n) => n));
  });

  it("ack: ok is said by the server, and only to who asked for it", async () => {
    const name = newName();
    const { client, wire } = app.realtime({ vsn });
    const acked = client.channel(name, { config: { broadcast: { ack: true } } });
    await subscribed(acked);
    const before = wire.payloads("phx_reply").length;
    expect(await acked.send({ type: "broadcast", event: "x", payload: {} })).toBe("ok");
    expect(wire.payloads("phx_reply").slice(before)).toEqual([{ status: "ok", response: {} }]);
    const other = app.realtime({ vsn });
    const silent = other.client.channel(name);
    await subscribed(silent);
    const replies = other.wire.payloads("phx_reply").length;
    void silent.send({ type: "broadcast", event: "x", payload: {} });
    await other.client.realtime.sendHeartbeat();
    // The heartbeat's, and none before it.
    await vi.waitFor(() => expect(other.wire.payloads("phx_reply").length).toBe(replies + 1), within);
  });

  it("only listeners of the event are called, whatever its case", async () => {
    const name = newName();
    const channel = app.realtime({ vsn }).client.channel(name);
    const got = {
      cursor: broadcastsOn(channel, "cursor"),
      upper: broadcastsOn(channel, "CURSOR"),
      all: broadcastsOn(channel),
    };
    await subscribed(channel);
    const sender = app.realtime({ vsn }).client.channel(name);
    await subscribed(sender);
    await sender.send({ type: "broadcast", event: "other", payload: {} });
    await sender.send({ type: "broadcast", event: "cursor", payload: { x: 1 } });
    await vi.waitFor(() => expect(got.all.map(({ event }) => event)).toEqual(["other", "cursor"]), within);
    expect([got.cursor, got.upper]).toEqual([
      [{ event: "cursor", payload: { x: 1 } }],
      [{ event: "cursor", payload: { x: 1 } }],
    ]);
  });

  it("not those on other channels, nor those who have left", async () => {
    const name = newName();
    const [here, elsewhere, leaving] = [name, `${name}-2`, name].map((topic) =>
      app.realtime({ vsn }).client.channel(topic),
    );
    const got = [here!, elsewhere!, leaving!].map((channel) => broadcastsOn(channel));
    await Promise.all([here!, elsewhere!, leaving!].map(subscribed));
    expect(await leaving!.unsubscribe()).toBe("ok");
    const sender = app.realtime({ vsn }).client.channel(name, { config: { broadcast: { ack: true } } });
    await subscribed(sender);
    await sender.send({ type: "broadcast", event: "x", payload: {} });
    await vi.waitFor(() => expect(got[0]).toHaveLength(1), within);
    expect(got.slice(1)).toEqual([[], []]);
  });

  it("a message without payload, an empty one, and one that is no object", async () => {
    const channel = app.realtime({ vsn }).client.channel(newName(), { config: { broadcast: { self: true } } });
    const got = broadcastsOn(channel);
    await subscribed(channel);
    await channel.send({ type: "broadcast", event: "none" });
    await channel.send({ type: "broadcast", event: "empty", payload: {} });
    await channel.send({ type: "broadcast", event: "list", payload: [1, "2"] });
    await channel.send({ type: "broadcast", event: "text", payload: "hello" });
    await vi.waitFor(() => expect(got).toHaveLength(4), within);
    const [none, ...others] = got;
    expect(none?.event).toBe("none");
    expect(none?.payload ?? {}).toEqual({});
    expect(others).toEqual([
      { event: "empty", payload: {} },
      { event: "list", payload: [1, "2"] },
      { event: "text", payload: "hello" },
    ]);
  });
});

describe("bytes", () => {
  const sent = new Uint8Array([0, 1, 2, 250, 255, 34, 92, 10]);

  it("an ArrayBuffer comes as one, byte for byte", async () => {
    const name = newName();
    const [{ client }, other] = [app.realtime(), app.realtime()];
    const [channel, receiver] = [client.channel(name), other.client.channel(name)];
    const got = broadcastsOn(receiver);
    await Promise.all([subscribed(channel), subscribed(receiver)]);
    expect(await channel.send({ type: "broadcast", event: "ünï", payload: sent.buffer })).toBe("ok");
    await vi.waitFor(() => expect(got).toHaveLength(1), within);
    expect(got[0]).toMatchObject({ event: "ünï" });
    expect(got[0]?.payload).toBeInstanceOf(ArrayBuffer);
    expect([...new Uint8Array(got[0]?.payload as ArrayBuffer)]).toEqual([...sent]);
    // Kind 4: lengths of topic, event and metadata, the encoding, then all of them.
    const [frame] = other.wire.bytes;
    const topic = Buffer.from(`realtime:${name}`);
    const event = Buffer.from("ünï");
    expect(Buffer.from(frame!)).toEqual(
      Buffer.concat([Buffer.from([4, topic.length, event.length, 0, 0]), topic, event, sent]),
    );
  });

  it("an empty one, and a large one", async () => {
    const channel = app.realtime().client.channel(newName(), { config: { broadcast: { self: true, ack: true } } });
    const got = broadcastsOn(channel);
    await subscribed(channel);
    const large = crypto.getRandomValues(new Uint8Array(65_536));
    expect(await channel.send({ type: "broadcast", event: "empty", payload: new ArrayBuffer(0) })).toBe("ok");
    expect(await channel.send({ type: "broadcast", event: "large", payload: large.buffer })).toBe("ok");
    await vi.waitFor(() => expect(got).toHaveLength(2), within);
    expect(got.map(({ payload }) => (payload as ArrayBuffer).byteLength)).toEqual([0, 65_536]);
    expect(Buffer.from(got[1]?.payload as ArrayBuffer).equals(Buffer.from(large))).toBe(true);
  });

  it("an older client is not sent what it cannot read, and goes on", async () => {
    const name = newName();
    const [older, sender] = [app.realtime({ vsn: "1.0.0" }).client.channel(name), app.realtime().client.channel(name)];
    const got = broadcastsOn(older);
    await Promise.all([subscribed(older), subscribed(sender)]);
    await sender.send({ type: "broadcast", event: "bytes", payload: sent.buffer });
    await sender.send({ type: "broadcast", event: "json", payload: { a: 1 } });
    await vi.waitFor(() => expect(got).toEqual([{ event: "json", payload: { a: 1 } }]), within);
  });
});

describe("both serializers in one room", () => {
  it.each([
    ["2.0.0", "1.0.0"],
    ["1.0.0", "2.0.0"],
  ])("from %s to %s", async (from, to) => {
    const name = newName();
    const [sender, receiver] = [from, to].map((vsn) => app.realtime({ vsn }).client.channel(name));
    const got = broadcastsOn(receiver!);
    await Promise.all([subscribed(sender!), subscribed(receiver!)]);
    await sender!.send({ type: "broadcast", event: "x", payload: { text: "é", n: 1 } });
    await vi.waitFor(() => expect(got).toEqual([{ event: "x", payload: { text: "é", n: 1 } }]), within);
  });
});

describe("limits", () => {
  let limited: RealtimeApp;
  beforeAll(async () => {
    limited = await startRealtimeApp("", {
      realtime: { realtimeBroadcastPayloadBytes: 1_000, realtimeChannelsPerSocket: 3 },
    });
  });
  afterAll(() => limited.stop());

  it.each(["2.0.0", "1.0.0"])(
    "too large: an error to who asked for an answer, and to nobody else, vsn %s",
    async (vsn) => {
      const name = newName();
      const sender = limited.realtime({ vsn }).client.channel(name, { config: { broadcast: { ack: true } } });
      const receiver = limited.realtime({ vsn }).client.channel(name);
      const got = broadcastsOn(receiver);
      await Promise.all([subscribed(sender), subscribed(receiver)]);
      expect(await sender.send({ type: "broadcast", event: "x", payload: { text: "x".repeat(1_000) } })).toBe("error");
      expect(await sender.send({ type: "broadcast", event: "y", payload: {} })).toBe("ok");
      await vi.waitFor(() => expect(got).toEqual([{ event: "y", payload: {} }]), within);
    },
  );

  it("too many channels: the one beyond is refused, the others go on", async () => {
    const { client } = limited.realtime();
    const name = newName();
    const channels = [1, 2, 3].map((n) => client.channel(`${name}-${n}`, { config: { broadcast: { self: true } } }));
    const got = broadcastsOn(channels[0]!);
    await Promise.all(channels.map(subscribed));
    const beyond = client.channel(`${name}-4`);
    const statuses: unknown[] = [];
    beyond.subscribe((status, error) => statuses.push([status, error?.message]));
    await vi.waitFor(
      () => expect(statuses[0]).toEqual(["CHANNEL_ERROR", expect.stringMatching(/^ChannelRateLimitReached: /)]),
      within,
    );
    await channels[0]!.send({ type: "broadcast", event: "x", payload: {} });
    await vi.waitFor(() => expect(got).toHaveLength(1), within);
    await client.removeChannel(beyond);
  });
});

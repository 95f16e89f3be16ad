import type { RealtimeChannel } from "@supabase/supabase-js";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { newName, type RealtimeApp, startRealtimeApp, statusesOf, subscribed, within } from "./realtime-app.ts";

let app: RealtimeApp;
beforeAll(async () => {
  app = await startRealtimeApp("", { realtime: { realtimePresencePayloadBytes: 2_000 } });
});
afterAll(() => app.stop());

type Event =
  | { readonly event: "sync" }
  | { readonly event: "join" | "leave"; readonly key: string; readonly of: unknown[] };

const withoutRefs = (presences: readonly object[]): unknown[] =>
  presences.map((presence) => {
    const { presence_ref, ...fields } = presence as Record<string, unknown>;
    expect(presence_ref).toEqual(expect.any(String));
    return fields;
  });

/** All that the channel says of who comes and goes. */
function eventsOf(channel: RealtimeChannel): Event[] {
  const events: Event[] = [];
  channel.on("presence", { event: "sync" }, () => void events.push({ event: "sync" }));
  channel.on("presence", { event: "join" }, ({ key, newPresences }) => {
    events.push({ event: "join", key, of: withoutRefs(newPresences) });
  });
  channel.on("presence", { event: "leave" }, ({ key, leftPresences }) => {
    events.push({ event: "leave", key, of: withoutRefs(leftPresences) });
  });
  return events;
}

const stateOf = (channel: RealtimeChannel): Record<string, unknown[]> =>
  Object.fromEntries(Object.entries(channel.presenceState()).map(([key, presences]) => [key, withoutRefs(presences)]));

const waitForState = (channel: RealtimeChannel, state: Record<string, unknown[]>): Promise<void> =>
  vi.waitFor(() => expect(stateOf(channel)).toEqual(state), within);

describe.each(["2.0.0", "1.0.0"])("presence with vsn %s", (vsn) => {
  const member = (name: string, key?: string) =>
    app.realtime({ vsn }).client.channel(name, key === undefined ? undefined : { config: { presence: { key } } });

  it("is empty at first, and said to be", async () => {
    const channel = member(newName());
    const events = eventsOf(channel);
    await subscribed(channel);
    await vi.waitFor(() => expect(events).toEqual([{ event: "sync" }]), within);
    expect(channel.presenceState()).toEqual({});
  });

  it("track: all are told, the tracker too; who comes later finds it", async () => {
    const name = newName();
    const [ann, bob] = [member(name, "ann"), member(name, "bob")];
    const events = [eventsOf(ann), eventsOf(bob)];
    await Promise.all([subscribed(ann), subscribed(bob)]);
    expect(await ann.track({ mood: "fine", at: { x: 1, list: [null] } })).toBe("ok");
    const joined = { event: "join", key: "ann", of: [{ mood: "fine", at: { x: 1, list: [null] } }] };
    for (const of of events)
      await vi.waitFor(() => expect(of).toEqual([{ event: "sync" }, joined, { event: "sync" }]), within);
    const late = member(name, "late");
    const lateEvents = eventsOf(late);
    await subscribed(late);
    await waitForState(late, { ann: [{ mood: "fine", at: { x: 1, list: [null] } }] });
    expect(lateEvents.at(-1)).toEqual({ event: "sync" });
  });

  it("track again: an update, one joins and one leaves, and the state has the new one only", async () => {
    const name = newName();
    const [ann, bob] = [member(name, "ann"), member(name, "bob")];
    const events = eventsOf(bob);
    eventsOf(ann);
    await Promise.all([subscribed(ann), subscribed(bob)]);
    await ann.track({ n: 1 });
    await waitForState(bob, { ann: [{ n: 1 }] });
    const before = bob.presenceState().ann?.[0]?.presence_ref;
    events.length = 0;
    expect(await ann.track({ n: 2 })).toBe("ok");
    await waitForState(bob, { ann: [{ n: 2 }] });
    await waitForState(ann, { ann: [{ n: 2 }] });
    expect(events).toEqual([
      { event: "join", key: "ann", of: [{ n: 2 }] },
      { event: "leave", key: "ann", of: [{ n: 1 }] },
      { event: "sync" },
    ]);
    expect(bob.presenceState().ann?.[0]?.presence_ref).not.toBe(before);
  });

  it("untrack: gone for all, and may come again", async () => {
    const name = newName();
    const [ann, bob] = [member(name, "ann"), member(name, "bob")];
    const events = eventsOf(bob);
    await Promise.all([subscribed(ann), subscribed(bob)]);
    await ann.track({ n: 1 });
    await waitForState(bob, { ann: [{ n: 1 }] });
    expect(await ann.untrack()).toBe("ok");
    await waitForState(bob, {});
    expect(events.slice(-2)).toEqual([{ event: "leave", key: "ann", of: [{ n: 1 }] }, { event: "sync" }]);
    expect(await ann.untrack()).toBe("ok");
    expect(await ann.track({ n: 3 })).toBe("ok");
    await waitForState(bob, { ann: [{ n: 3 }] });
  });

  it("several devices of one key, each with its own; one leaving does not take the others along", async () => {
    const name = newName();
    const [phone, laptop, watcher] = [member(name, "ann"), member(name, "ann"), member(name)];
    const events = eventsOf(watcher);
    await Promise.all([phone, laptop, watcher].map(subscribed));
    await phone.track({ device: "phone" });
    await waitForState(watcher, { ann: [{ device: "phone" }] });
    await laptop.track({ device: "laptop" });
    await vi.waitFor(
      () => expect(new Set(stateOf(watcher).ann)).toEqual(new Set([{ device: "phone" }, { device: "laptop" }])),
      within,
    );
    events.length = 0;
    await phone.unsubscribe();
    await waitForState(watcher, { ann: [{ device: "laptop" }] });
    expect(events).toEqual([{ event: "leave", key: "ann", of: [{ device: "phone" }] }, { event: "sync" }]);
  });

  it("without a key each gets its own", async () => {
    const name = newName();
    const [one, two, watcher] = [member(name), member(name), member(name)];
    eventsOf(watcher);
    await Promise.all([one, two, watcher].map(subscribed));
    await Promise.all([one.track({ n: 1 }), two.track({ n: 2 })]);
    await vi.waitFor(() => expect(Object.keys(stateOf(watcher))).toHaveLength(2), within);
    for (const key of Object.keys(stateOf(watcher))) expect(key).toMatch(/^[0-9a-f]{8}-/);
  });

  it("leaves with its channel, and with its connection", async () => {
    const name = newName();
    const [watcher, left] = [member(name), member(name, "left")];
    eventsOf(watcher);
    const lost = app.realtime({ vsn, reconnectAfterMs: () => 60_000 });
    const lostChannel = lost.client.channel(name, { config: { presence: { key: "lost" } } });
    await Promise.all([watcher, left, lostChannel].map(subscribed));
    await Promise.all([left.track({}), lostChannel.track({})]);
    await waitForState(watcher, { left: [{}], lost: [{}] });
    await left.unsubscribe();
    await waitForState(watcher, { lost: [{}] });
    lost.wire.cut();
    await waitForState(watcher, {});
  });

  it("keys and fields as odd as they come", async () => {
    const name = newName();
    const keys = ["constructor", "a b/ü🎈", "0"];
    const watcher = member(name);
    eventsOf(watcher);
    await subscribed(watcher);
    for (const key of keys) {
      const channel = member(name, key);
      await subscribed(channel);
      expect(await channel.track({ metas: [1], phx: "x", "": "empty" })).toBe("ok");
    }
    await waitForState(watcher, Object.fromEntries(keys.map((key) => [key, [{ metas: [1], phx: "x", "": "empty" }]])));
  });
});

describe("who wants to know", () => {
  it("only who listens is told; a tracker that does not listen is seen all the same", async () => {
    const name = newName();
    const quiet = app.realtime();
    const channel = quiet.client.channel(name, { config: { presence: { key: "quiet" } } });
    const watcher = app.realtime().client.channel(name);
    eventsOf(watcher);
    const deaf = app.realtime();
    const deafChannel = deaf.client.channel(name);
    await Promise.all([channel, watcher, deafChannel].map(subscribed));
    expect(quiet.wire.sentPayloads("phx_join")).toMatchObject([{ config: { presence: { enabled: false } } }]);
    expect(await channel.track({ n: 1 })).toBe("ok");
    await waitForState(watcher, { quiet: [{ n: 1 }] });
    expect([...deaf.wire.payloads("presence_state"), ...deaf.wire.payloads("presence_diff")]).toEqual([]);
  });

  it("presence.enabled without a listener is told", async () => {
    const name = newName();
    const { client, wire } = app.realtime();
    const channel = client.channel(name, { config: { presence: { enabled: true } } });
    await subscribed(channel);
    await vi.waitFor(() => expect(wire.payloads("presence_state")).toEqual([{}]), within);
    expect(await channel.track({ n: 1 })).toBe("ok");
    await vi.waitFor(() => expect(Object.values(stateOf(channel))).toEqual([[{ n: 1 }]]), within);
  });

  it("the wire: metas with phx_ref, and phx_ref_prev after an update", async () => {
    const name = newName();
    const { client, wire } = app.realtime();
    const channel = client.channel(name, { config: { presence: { key: "k", enabled: true } } });
    await subscribed(channel);
    await channel.track({ n: 1 });
    await vi.waitFor(() => expect(wire.payloads("presence_diff")).toHaveLength(1), within);
    await channel.track({ n: 2 });
    await vi.waitFor(() => expect(wire.payloads("presence_diff")).toHaveLength(2), within);
    const [first, second] = wire.payloads("presence_diff") as { joins: { k: { metas: { phx_ref: string }[] } } }[];
    const ref = first?.joins.k.metas[0]?.phx_ref;
    expect(first).toEqual({ joins: { k: { metas: [{ n: 1, phx_ref: expect.any(String) }] } }, leaves: {} });
    expect(second).toEqual({
      joins: { k: { metas: [{ n: 2, phx_ref: expect.any(String), phx_ref_prev: ref }] } },
      leaves: { k: { metas: [{ n: 1, phx_ref: ref }] } },
    });
  });

  it("who was cut off comes back, and is there again without a word of the app", async () => {
    const name = newName();
    const watcher = app.realtime().client.channel(name);
    eventsOf(watcher);
    const member = app.realtime();
    const channel = member.client.channel(name, { config: { presence: { key: "member" } } });
    eventsOf(channel);
    let subscriptions = 0;
    channel.subscribe((status) => {
      // As apps do it: each subscription tracks.
      if (status === "SUBSCRIBED") void channel.track({ n: ++subscriptions });
    });
    await subscribed(watcher);
    await waitForState(watcher, { member: [{ n: 1 }] });
    member.wire.cut();
    await waitForState(watcher, { member: [{ n: 2 }] });
    await waitForState(channel, { member: [{ n: 2 }] });
  });
});

describe("what cannot be", () => {
  it("a payload that is no object is refused, and the channel goes on", async () => {
    const channel = app.realtime().client.channel(newName(), { config: { presence: { enabled: true, key: "k" } } });
    await subscribed(channel);
    expect(await channel.track("here" as unknown as object)).toBe("error");
    expect(await channel.track([1] as unknown as object)).toBe("error");
    expect(await channel.track({ n: 1 })).toBe("ok");
    await waitForState(channel, { k: [{ n: 1 }] });
  });

  it("one that is too large ends the channel, and says why", async () => {
    const channel = app.realtime().client.channel(newName());
    const system: unknown[] = [];
    channel.on("system", {}, (message) => void system.push(message));
    const statuses = statusesOf(channel);
    await vi.waitFor(() => expect(statuses).toHaveLength(1), within);
    void channel.track({ text: "x".repeat(3_000) });
    await vi.waitFor(() => expect(statuses.at(-1)?.status).toBe("CLOSED"), within);
    expect(system).toEqual([
      { extension: "system", status: "error", message: "Track message size exceeded", channel: channel.subTopic },
    ]);
  });

  it("a key that is too long is refused", async () => {
    const { client } = app.realtime();
    const channel = client.channel(newName(), { config: { presence: { key: "k".repeat(2_000) } } });
    const statuses = statusesOf(channel);
    await vi.waitFor(() => expect(statuses[0]?.status).toBe("CHANNEL_ERROR"), within);
    expect(statuses[0]?.error?.message).toMatch(/^InvalidPresencePayload: /);
    await client.removeChannel(channel);
  });
});

import type { RealtimeChannel } from "@supabase/supabase-js";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { type BroadcastGot, broadcastsOn, type Listener, newName, subscribed, within } from "./realtime-app.ts";
import { type Node, startTwoNodes, type TwoNodes } from "./two-nodes.ts";

let nodes: TwoNodes;
let a: Node;
let b: Node;
beforeAll(async () => {
  // As Supabase's own tests have it: one policy to send, one to store.
  nodes = await startTwoNodes(`
    create policy "read" on realtime.messages for select to authenticated using (true);
    create policy "send" on realtime.messages for insert to authenticated
      with check (extension = 'broadcast' and realtime.topic() not like 'read%');
    create policy "store" on realtime.messages for insert to authenticated
      with check (extension = 'persistence' and realtime.topic() like 'room%');`);
  ({ a, b } = nodes);
});
afterAll(() => nodes.stop());

interface Member extends Listener {
  readonly channel: RealtimeChannel;
  readonly got: readonly BroadcastGot[];
}

/** Somebody with an account, on the private channel. */
async function member(node: Node, name: string, broadcast: object = { ack: true }, options = {}): Promise<Member> {
  const user = await node.user(options);
  const channel = user.client.channel(name, { config: { private: true, broadcast } });
  const got = broadcastsOn(channel);
  await subscribed(channel);
  return { ...user, channel, got };
}

const send = (of: Member, event: string, payload: unknown, persist?: boolean | { ttl?: number }) =>
  of.channel.send({ type: "broadcast", event, payload, ...(persist === undefined ? {} : { persist }) });
const events = (got: readonly BroadcastGot[]): readonly string[] => got.map(({ event }) => event);
const stored = (name: string) =>
  nodes.sql(
    `select id, event, payload, encode(binary_payload, 'hex') as bytes, extract(epoch from expires_at - inserted_at)::int as seconds from realtime.messages where topic = '${name}' order by inserted_at`,
  );

describe("send() with persist", () => {
  it("ok when it is stored: once with each on both nodes, by its id, and in its place", async () => {
    const name = newName();
    const [sender, near, far, echo] = [
      await member(a, name),
      await member(a, name),
      await member(b, name, {}, { vsn: "1.0.0" }),
      await member(b, name, { ack: true, self: true }),
    ];
    const results = [
      await send(sender, "live", { n: 0 }),
      await send(sender, "stored", { n: 1, text: "ü🎈" }, true),
      await send(sender, "timed", { n: 2 }, { ttl: 60 }),
      await send(sender, "live too", { n: 3 }),
      await send(echo, "echo", new Uint8Array([0, 255]).buffer, {}),
    ];
    expect(results).toEqual(["ok", "ok", "ok", "ok", "ok"]);
    const rows = await stored(name);
    expect(rows).toMatchObject([
      { event: "stored", payload: { n: 1, text: "ü🎈" }, bytes: null, seconds: null },
      { event: "timed", payload: { n: 2 }, bytes: null, seconds: 60 },
      { event: "echo", payload: null, bytes: "00ff", seconds: null },
    ]);
    // What is not stored is told to its own node at once, and would come before what that node has not read in the log yet.
    await vi.waitFor(() => expect(events(near.got)).toContain("echo"), within);
    await send(sender, "last", {});
    for (const { got } of [near, far, echo]) await vi.waitFor(() => expect(events(got)).toContain("last"), within);
    expect(events(near.got)).toEqual(["live", "stored", "timed", "live too", "echo", "last"]);
    // An older client cannot be sent bytes.
    expect(events(far.got)).toEqual(["live", "stored", "timed", "live too", "last"]);
    expect(events(echo.got)).toEqual(["live", "stored", "timed", "live too", "echo", "last"]);
    expect(events(sender.got)).toEqual(["echo"]);
    for (const { got } of [near, far]) {
      expect(got[1]).toEqual({ event: "stored", payload: { n: 1, text: "ü🎈" }, meta: { id: rows[0]?.id } });
    }
  });

  it("without ack it is stored all the same", async () => {
    const name = newName();
    const [sender, far] = [await member(a, name, {}), await member(b, name, {})];
    expect(await send(sender, "quiet", {}, true)).toBe("ok");
    await vi.waitFor(() => expect(events(far.got)).toEqual(["quiet"]), within);
    expect(await stored(name)).toHaveLength(1);
  });

  it("an error that says why, and then nobody has it", async () => {
    const [name, unstored, unsent] = [newName(), `other-${newName()}`, `read-${newName()}`];
    const [room, other, mute] = [await member(a, name), await member(a, unstored), await member(a, unsent)];
    const watching = await Promise.all([name, unstored, unsent].map((of) => member(b, of)));
    expect(await send(room, "no", {}, { ttl: 0 })).toBe("invalid_persist_ttl");
    expect(await send(room, "no", {}, { ttl: 3 * 86_400 + 1 })).toBe("invalid_persist_ttl");
    expect(await send(room, "no", { text: "\0" }, true)).toBe("payload_not_storable");
    expect(await send(room, "no", { text: "x".repeat(3_000_000) }, true)).toBe("payload_size_exceeded");
    expect(await send(other, "no", {}, true)).toBe("persistence_unauthorized");
    expect(await send(mute, "no", {}, true)).toBe("unauthorized");
    expect(await send(other, "yes", {})).toBe("ok");
    expect(await send(room, "yes", {}, { ttl: 3 * 86_400 })).toBe("ok");
    await vi.waitFor(() => expect(watching.map(({ got }) => events(got))).toEqual([["yes"], ["yes"], []]), within);
    expect([await stored(unstored), await stored(unsent)]).toEqual([[], []]);
    expect(await stored(name)).toHaveLength(1);
  });
});

describe("httpSend() with persist", () => {
  it("is stored, then sent; refusals say why", async () => {
    const [name, unstored] = [newName(), `other-${newName()}`];
    const listeners = [await member(a, name), await member(b, name)];
    const { client } = await a.user();
    const channel = client.channel(name, { config: { private: true } });
    expect(await channel.httpSend("text", { n: 1 }, { persist: true })).toEqual({ success: true });
    expect(await channel.httpSend("bytes", new Uint8Array([7]), { persist: { ttl: 60 } })).toEqual({ success: true });
    const rows = await stored(name);
    expect(rows).toMatchObject([
      { payload: { n: 1 }, seconds: null },
      { bytes: "07", seconds: 60 },
    ]);
    for (const { got } of listeners) {
      await vi.waitFor(() => expect(events(got)).toEqual(["text", "bytes"]), within);
      expect(got.map(({ meta }) => meta)).toEqual(rows.map(({ id }) => ({ id })));
    }
    await expect(channel.httpSend("no", {}, { persist: { ttl: -1 } })).rejects.toThrow(/ttl of 1 to 259200/);
    const other = client.channel(unstored, { config: { private: true } });
    await expect(other.httpSend("no", {}, { persist: true })).rejects.toThrow(/permissions to store/);
    const stranger = a.realtime().client.channel(name, { config: { private: true } });
    await expect(stranger.httpSend("no", {}, { persist: true })).rejects.toThrow(/permissions to write/);
    expect(await stored(name)).toHaveLength(2);
    expect(await stored(unstored)).toEqual([]);
  });
});

describe("what was stored", () => {
  it("is replayed on the other node to who comes later, until its time is over", async () => {
    const name = newName();
    const sender = await member(a, name);
    for (const [event, persist] of [
      ["kept", true],
      ["short", { ttl: 1 }],
      ["live", undefined],
      ["long", { ttl: 600 }],
    ] as const) {
      expect(await send(sender, event, { event }, persist)).toBe("ok");
    }
    await vi.waitFor(async () => {
      const [row] = await nodes.sql(
        `select bool_or(expires_at < now() at time zone 'UTC') as over from realtime.messages where topic = '${name}'`,
      );
      expect(row).toEqual({ over: true });
    }, within);
    const late = await member(b, name, { replay: { since: Date.now() - 60_000 } });
    await vi.waitFor(() => expect(late.got).toHaveLength(2), within);
    const ids = (await stored(name)).filter(({ event }) => event !== "short").map(({ id }) => id);
    expect(late.got).toEqual([
      { event: "kept", payload: { event: "kept" }, meta: { replayed: true, id: ids[0] } },
      { event: "long", payload: { event: "long" }, meta: { replayed: true, id: ids[1] } },
    ]);
  });

  it("is among what was missed, for members and not for its sender", async () => {
    const name = newName();
    const [sender, away] = [await member(a, name), await member(b, name)];
    expect(await send(sender, "before", {}, true)).toBe("ok");
    await vi.waitFor(() => expect(events(away.got)).toEqual(["before"]), within);
    const joins = away.wire.sentPayloads("phx_join").length;
    away.wire.cut();
    expect(await send(sender, "meanwhile", {}, true)).toBe("ok");
    sender.wire.cut();
    for (const { wire } of [sender, away]) {
      await vi.waitFor(() => expect(wire.sentPayloads("phx_join").length).toBeGreaterThan(joins), within);
    }
    await vi.waitFor(() => expect(sender.channel.state).toBe("joined"), within);
    await vi.waitFor(() => expect(events(away.got)).toContain("meanwhile"), within);
    expect(await send(await member(a, name), "last", {})).toBe("ok");
    for (const { got } of [sender, away]) await vi.waitFor(() => expect(events(got)).toContain("last"), within);
    expect(events(sender.got)).toEqual(["last"]);
    expect(new Set(events(away.got))).toEqual(new Set(["before", "meanwhile", "last"]));
  });
});

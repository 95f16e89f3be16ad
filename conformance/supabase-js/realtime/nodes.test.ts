import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { broadcastsOn, changesOn, newName, replicating, subscribed, systemOn, within } from "./realtime-app.ts";
import { type Node, startTwoNodes, type TwoNodes } from "./two-nodes.ts";

let nodes: TwoNodes;
let a: Node;
let b: Node;
let sql: TwoNodes["sql"];

beforeAll(async () => {
  nodes = await startTwoNodes(`
    create table public.chat (id int generated always as identity primary key, owner_id uuid default auth.uid(), body text);
    alter table public.chat enable row level security;
    create policy "own" on public.chat for all to authenticated using (owner_id = auth.uid());
    grant select, insert on public.chat to authenticated;
    alter publication supabase_realtime add table public.chat;
    create policy "members" on realtime.messages for all to authenticated using (true) with check (true);`);
  ({ a, b, sql } = nodes);
});
afterAll(() => nodes.stop());

describe("two servers of one database", () => {
  it("row changes reach clients of both, each their own", async () => {
    const phone = a.realtime();
    const email = `${crypto.randomUUID()}@conformance.example`;
    const { data } = await phone.client.auth.signUp({ email, password: "correct horse battery staple" });
    const laptop = b.realtime();
    expect((await laptop.client.auth.setSession(data.session!)).error).toBeNull();
    const stranger = b.realtime();
    const got = await Promise.all(
      [phone, laptop, stranger].map(async ({ client }) => {
        const channel = client.channel(newName());
        const changes = changesOn(channel, { event: "INSERT", schema: "public", table: "chat" });
        const system = systemOn(channel);
        await subscribed(channel);
        await replicating(system);
        return changes;
      }),
    );
    expect((await phone.client.from("chat").insert({ body: "by a" })).error).toBeNull();
    expect((await laptop.client.from("chat").insert({ body: "by b" })).error).toBeNull();
    const bodies = (changes: (typeof got)[number]) => changes.map(({ new: now }) => (now as { body?: string }).body);
    await vi.waitFor(
      () =>
        expect(got.slice(0, 2).map(bodies)).toEqual([
          ["by a", "by b"],
          ["by a", "by b"],
        ]),
      within,
    );
    expect(bodies(got[2]!).filter((body) => body !== undefined)).toEqual([]);
  });

  it.each(["2.0.0", "1.0.0"])(
    "broadcasts: both ways, in order, bytes and JSON, from HTTP and SQL, each once; vsn %s",
    async (vsn) => {
      const name = newName();
      const [atA, atB] = [a, b].map((node) => node.realtime({ vsn }).client.channel(name));
      const got = [broadcastsOn(atA!), broadcastsOn(atB!)];
      await Promise.all([subscribed(atA!), subscribed(atB!)]);
      for (let n = 0; n < 20; n++) void atA!.send({ type: "broadcast", event: "n", payload: { n } });
      await vi.waitFor(() => expect(got[1]).toHaveLength(20), within);
      expect(got[1]!.map(({ payload }) => (payload as { n: number }).n)).toEqual(
        Array.from({ length: 20 }, (_, n) => n),
      );
      await atB!.send({ type: "broadcast", event: "answer", payload: { text: "ü🎈" } });
      await vi.waitFor(() => expect(got[0]).toEqual([{ event: "answer", payload: { text: "ü🎈" } }]), within);
      await a.realtime().client.channel(name).httpSend("http", { by: "a" });
      await sql(`select realtime.send('{"by": "sql"}', 'sql', '${name}', false)`);
      for (const of of got) {
        await vi.waitFor(() => expect(of.filter(({ event }) => event === "sql")).toHaveLength(1), within);
        await vi.waitFor(
          () => expect(of.filter(({ event }) => event === "http")).toEqual([{ event: "http", payload: { by: "a" } }]),
          within,
        );
      }
      if (vsn === "2.0.0") {
        await atA!.send({ type: "broadcast", event: "bytes", payload: new Uint8Array([0, 255]).buffer });
        await vi.waitFor(() => expect(got[1]!.at(-1)?.event).toBe("bytes"), within);
        expect([...new Uint8Array(got[1]!.at(-1)?.payload as ArrayBuffer)]).toEqual([0, 255]);
      }
    },
  );

  it("R06 a private message of one node is not on the public channel of the other", async () => {
    const name = newName();
    const inside = a.realtime();
    const email = `${crypto.randomUUID()}@conformance.example`;
    await inside.client.auth.signUp({ email, password: "correct horse battery staple" });
    const [sender, outside] = [
      inside.client.channel(name, { config: { private: true, broadcast: { ack: true } } }),
      b.realtime().client.channel(name),
    ];
    const got = broadcastsOn(outside);
    await Promise.all([subscribed(sender), subscribed(outside)]);
    expect(await sender.send({ type: "broadcast", event: "secret", payload: {} })).toBe("ok");
    const open = a.realtime().client.channel(name);
    await subscribed(open);
    await open.send({ type: "broadcast", event: "open", payload: {} });
    await vi.waitFor(() => expect(got.map(({ event }) => event)).toEqual(["open"]), within);
  });

  it("presence: who is on either is seen on both, updates and leaving too", async () => {
    const name = newName();
    const member = (node: Node, key: string) => {
      const listener = node.realtime({ reconnectAfterMs: () => 60_000 });
      const channel = listener.client.channel(name, { config: { presence: { key, enabled: true } } });
      return { ...listener, channel };
    };
    const [ann, bob] = [member(a, "ann"), member(b, "bob")];
    await Promise.all([subscribed(ann.channel), subscribed(bob.channel)]);
    const states = () =>
      [ann, bob].map(({ channel }) =>
        Object.fromEntries(
          Object.entries(channel.presenceState<{ n: number }>()).map(([key, metas]) => [key, metas.map(({ n }) => n)]),
        ),
      );
    const both = (state: object) => vi.waitFor(() => expect(states()).toEqual([state, state]), within);
    await ann.channel.track({ n: 1 });
    await bob.channel.track({ n: 2 });
    await both({ ann: [1], bob: [2] });
    await ann.channel.track({ n: 3 });
    await both({ ann: [3], bob: [2] });
    const late = member(b, "late");
    await subscribed(late.channel);
    await vi.waitFor(
      () => expect(Object.keys(late.channel.presenceState()).toSorted()).toEqual(["ann", "bob"]),
      within,
    );
    await late.channel.track({ n: 4 });
    await both({ ann: [3], bob: [2], late: [4] });
    late.wire.cut();
    await both({ ann: [3], bob: [2] });
    await ann.channel.untrack();
    await both({ bob: [2] });
    // One key on both nodes.
    const twin = member(a, "bob");
    await subscribed(twin.channel);
    await twin.channel.track({ n: 5 });
    await vi.waitFor(
      () =>
        expect(states().map(({ bob: of }) => of?.toSorted())).toEqual([
          [2, 5],
          [2, 5],
        ]),
      within,
    );
  });
});

import { describe, expect, it } from "vitest";
import type { Batch, Change, ChangedRelation, LogEntry } from "../../../kernel/change.ts";
import { readSettings } from "../../../kernel/settings.ts";
import { Rooms } from "../rooms.ts";
import { realtimeSettings } from "../settings.ts";
import { readFrame } from "../testing.ts";
import type { Channel } from "../types.ts";
import { Delivery } from "./delivery.ts";
import { LogWriter } from "./log-writer.ts";
import { messageIdBy } from "./message-id.ts";
import type { StoredBroadcast } from "./message-rows.ts";
import { senderOf } from "./sender.ts";
import { StoredReplay } from "./stored-replay.ts";

const columns = ["id", "topic", "extension", "event", "private", "payload", "binary_payload", "expires_at"];
const relation: ChangedRelation = {
  oid: 1,
  schema: "realtime",
  name: "messages",
  replicaIdentity: "default",
  columns: columns.map((name) => ({ name, typeOid: 25, typeName: "text", isKey: false })),
  indexOf: (name) => columns.indexOf(name),
};

/** Stored broadcasts `first`, `first + 1` … of one transaction. */
const batch = (lsn: bigint, first: number, count: number, isLast = true): Batch => ({
  kind: "batch",
  lsn,
  endLsn: lsn + 8n,
  xid: 1,
  committedAtUs: 0n,
  first,
  isLast,
  changes: Array.from({ length: count }, (_, at) => ({
    op: "insert",
    relation,
    new: [`${lsn}/${first + at}`, "a", "broadcast", `${lsn}/${first + at}`, "f", "{}", null],
    old: null,
  })),
});

function openDelivery(position: bigint) {
  const settings = readSettings(realtimeSettings, { env: {} }).values;
  const rooms = new Rooms();
  const nodes = { id: "me", others: () => [] };
  const observe = (): void => {};
  const delivery = new Delivery({
    context: {
      rooms,
      settings,
      nodes: { ...nodes, onChange: () => () => {}, close: async () => {} },
      clock: { nowMs: () => Date.parse("2026-11-21T12:00:00Z") },
    },
    writer: new LogWriter({ log: { emit: async () => {} }, nodes, settings, observe }),
    stored: new StoredReplay({ settings, observe, session: undefined as never }),
    position: () => position,
  });
  const join = (self = false): { readonly channel: Channel; readonly heard: string[] } => {
    const heard: string[] = [];
    const send: Channel["send"] = (message) => heard.push(readFrame(message.frame("2.0.0")!).broadcast!.event);
    const channel = {
      room: "public:a",
      isOpen: true,
      rights: { readBroadcast: true },
      socket: { queuedBytes: 0 },
      config: { broadcast: { self } },
      send,
      sendNow: send,
    } as unknown as Channel;
    rooms.enter(channel);
    delivery.joined(channel);
    return { channel, heard };
  };
  const replay = async (channel: Channel, entries: readonly LogEntry[]): Promise<void> => {
    for (const entry of entries) await delivery.replay(channel, entry, null);
  };
  return { delivery, join, replay };
}

describe("R13: live and replayed together", () => {
  it("give each entry once to a channel that joins between any two of them, within a transaction, too", async () => {
    const entries = [
      batch(10n, 0, 2, false),
      batch(10n, 2, 2, false),
      batch(10n, 4, 1),
      batch(20n, 0, 1),
      batch(30n, 0, 1),
    ];
    const all = entries.flatMap(({ lsn, first, changes }) => changes.map((_, at) => `${lsn}/${first + at}`));
    for (let joinsAt = 0; joinsAt <= entries.length; joinsAt++) {
      const { delivery, join, replay } = openDelivery(10n);
      for (const entry of entries.slice(0, joinsAt)) delivery.take(entry);
      const { channel, heard } = join();
      for (const entry of entries.slice(joinsAt)) delivery.take(entry);
      expect(heard).toEqual(all.slice(all.length - heard.length));
      await replay(channel, entries);
      expect(heard.toSorted()).toEqual(all.toSorted());
    }
  });

  it("give all of it to a channel that joined when the log was not followed", async () => {
    const { join, replay } = openDelivery(0n);
    const { channel, heard } = join();
    await replay(channel, [batch(10n, 0, 1), batch(20n, 0, 1)]);
    expect(heard).toEqual(["10/0", "20/0"]);
  });
});

/** One stored broadcast, as the log brings it and as its node says it. */
const row = (id: string, lsn = 20n, expiresAt: string | null = null): Batch => {
  const { changes, ...rest } = batch(lsn, 0, 1);
  const [change] = changes;
  return { ...rest, changes: [{ ...change!, new: [id, "a", "broadcast", id, "f", "{}", null, expiresAt] } as Change] };
};
const told = (id: string): StoredBroadcast => ({
  id,
  expiresAtMs: null,
  published: {
    form: "bytes",
    room: "public:a",
    event: id,
    encoding: "json",
    metadata: `{"id":"${id}"}`,
    payload: Buffer.from("{}"),
  },
});

describe("what this node stores itself", () => {
  it.each(["PostgreSQL's answer", "the log"])(
    "is with each member once, %s being first, and not with its sender",
    (first) => {
      const { delivery, join } = openDelivery(10n);
      const [sender, echoing, member] = [join(), join(true), join()];
      for (const [id, from] of [
        ["one", sender],
        ["two", echoing],
      ] as const) {
        delivery.storing(id, from.channel);
        if (first === "the log") delivery.take(row(id));
        delivery.stored(told(id));
        if (first !== "the log") delivery.take(row(id));
      }
      expect(sender.heard).toEqual(["two"]);
      expect(echoing.heard).toEqual(["one", "two"]);
      expect(member.heard).toEqual(["one", "two"]);
    },
  );

  it("reaches who joined between the answer and the log, live or with what it missed, once", async () => {
    const { delivery, join, replay } = openDelivery(10n);
    const sender = join();
    delivery.storing("one", sender.channel);
    delivery.stored(told("one"));
    const between = join();
    delivery.take(row("one"));
    const after = join();
    for (const { channel } of [between, after]) await replay(channel, [row("one")]);
    expect([between.heard, after.heard]).toEqual([["one"], ["one"]]);
    expect(sender.heard).toEqual([]);
  });

  it("is told by the log alone where PostgreSQL gave no answer, and by nobody where it refused", () => {
    const { delivery, join } = openDelivery(10n);
    const [sender, member] = [join(), join()];
    delivery.storing("lost answer", sender.channel);
    delivery.storing("refused", sender.channel);
    delivery.notStored("refused");
    delivery.take(row("lost answer"));
    expect(member.heard).toEqual(["lost answer"]);
    expect(sender.heard).toEqual([]);
  });

  it("is not replayed to the socket it came from, unless that wants its own", async () => {
    const { delivery, join } = openDelivery(10n);
    delivery.take(batch(30n, 0, 1));
    const former = senderOf("former");
    const [own, others] = [messageIdBy(former), messageIdBy(senderOf("other"))];
    const heardBy = async (self: boolean): Promise<readonly string[]> => {
      const { channel, heard } = join(self);
      for (const id of [own, others]) await delivery.replay(channel, row(id), former);
      return heard;
    };
    expect(await heardBy(false)).toEqual([others]);
    expect(await heardBy(true)).toEqual([own, others]);
  });

  it("is not replayed after its time", async () => {
    const { delivery, join, replay } = openDelivery(10n);
    delivery.take(batch(30n, 0, 1));
    const { channel, heard } = join();
    await replay(channel, [
      row("over", 20n, "2026-11-21 12:00:00"),
      row("not yet", 20n, "2026-11-21 12:00:00.001"),
      row("never", 20n, "infinity"),
    ]);
    expect(heard).toEqual(["not yet", "never"]);
  });
});

import { describe, expect, it } from "vitest";
import type { Batch, ChangedRelation, LogEntry } from "../../../kernel/change.ts";
import { readSettings } from "../../../kernel/settings.ts";
import { Rooms } from "../rooms.ts";
import { realtimeSettings } from "../settings.ts";
import { readFrame } from "../testing.ts";
import type { Channel } from "../types.ts";
import { Delivery } from "./delivery.ts";
import { LogWriter } from "./log-writer.ts";
import { StoredReplay } from "./stored-replay.ts";

const columns = ["id", "topic", "extension", "event", "private", "payload", "binary_payload"];
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
    context: { rooms, settings, nodes: { ...nodes, onChange: () => () => {}, close: async () => {} } },
    writer: new LogWriter({ log: { emit: async () => {} }, nodes, settings, observe }),
    stored: new StoredReplay({ settings, observe, session: undefined as never }),
    position: () => position,
  });
  const join = (): { readonly channel: Channel; readonly heard: string[] } => {
    const heard: string[] = [];
    const send: Channel["send"] = (message) => heard.push(readFrame(message.frame("2.0.0")!).broadcast!.event);
    const channel = {
      room: "public:a",
      isOpen: true,
      rights: { readBroadcast: true },
      socket: { queuedBytes: 0 },
      config: { broadcast: { self: false } },
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

import { describe, expect, test } from "vitest";
import type { Batch, ChangedRelation, LogEntry } from "../../../kernel/change.ts";
import type { Channel, Replayer } from "../types.ts";
import { changesIn, replayEntries, runsOf } from "./replay.ts";

const relation = (schema: string): ChangedRelation => ({
  oid: 1,
  schema,
  name: "t",
  replicaIdentity: "default",
  columns: [],
  indexOf: () => -1,
});
const rows = (lsn: number, schema = "public", changes = 1): Batch => ({
  kind: "batch",
  lsn: BigInt(lsn),
  endLsn: BigInt(lsn + 1),
  xid: lsn,
  committedAtUs: 0n,
  first: 0,
  isLast: true,
  changes: Array.from(
    { length: changes },
    () => ({ op: "insert", relation: relation(schema), new: [], old: null }) as const,
  ),
});
const message = (lsn: number): LogEntry => ({
  kind: "message",
  lsn: BigInt(lsn),
  endLsn: BigInt(lsn + 1),
  prefix: "p",
  content: Buffer.alloc(0),
});
const lsns = (entries: Iterable<LogEntry>): number[] => [...entries].map(({ lsn }) => Number(lsn));

/** A channel whose socket takes in what it is sent when told to. */
function channelWith(queue: { bytes: number }): Channel {
  return {
    isOpen: true,
    socket: {
      get queuedBytes() {
        return queue.bytes;
      },
    },
  } as Channel;
}

const noting = (name: string, heard: string[], onReplay = () => {}): Replayer => ({
  position: () => 1n,
  async replay(_channel, entries) {
    onReplay();
    heard.push(`${name} ${lsns(entries)}`);
  },
});
const limits = { queueBytes: 100, timeoutMs: 1_000 };

describe("what was missed", () => {
  test("neighbours of one kind go together; messages sent from SQL, which are both, go alone", () => {
    const entries = [
      rows(1),
      rows(2),
      message(3),
      message(4),
      rows(5),
      rows(6, "realtime"),
      rows(7, "realtime"),
      rows(8),
    ];
    expect([...runsOf(entries)].map(lsns)).toEqual([[1, 2], [3, 4], [5], [6], [7], [8]]);
    expect([...runsOf(Array.from({ length: 130 }, (_, at) => rows(at)))].map((run) => run.length)).toEqual([64, 64, 2]);
    expect([...runsOf([])]).toEqual([]);
  });

  test("comes in the order of the log, whoever sends it", async () => {
    const heard: string[] = [];
    const replayers = [noting("rows", heard), noting("broadcast", heard)];
    expect(
      await replayEntries(channelWith({ bytes: 0 }), [rows(1), message(2), rows(3)], replayers, limits, null),
    ).toBe(true);
    expect(heard).toEqual(["rows 1", "broadcast 1", "rows 2", "broadcast 2", "rows 3", "broadcast 3"]);
  });

  test("R11 waits for a client that reads slowly, and gives one up that does not", async () => {
    const queue = { bytes: 0 };
    const heard: string[] = [];
    const full = noting("rows", heard, () => {
      queue.bytes = 101;
    });
    const reading = setInterval(() => {
      queue.bytes = 0;
    }, 20);
    expect(await replayEntries(channelWith(queue), [rows(1), message(2)], [full], limits, null)).toBe(true);
    clearInterval(reading);
    expect(heard).toEqual(["rows 1", "rows 2"]);
    expect(
      await replayEntries(channelWith(queue), [rows(3), message(4)], [full], { ...limits, timeoutMs: 50 }, null),
    ).toBe(false);
    expect(heard).toEqual(["rows 1", "rows 2", "rows 3"]);
  });

  test("is counted only until it is too much", () => {
    expect(changesIn([rows(1, "public", 3), message(2)], 100)).toBe(4);
    expect(changesIn([rows(1, "public", 3), rows(2, "public", 3), rows(3, "public", 3)], 4)).toBe(6);
  });
});

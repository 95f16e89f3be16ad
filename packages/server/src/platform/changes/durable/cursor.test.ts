import { describe, expect, test } from "vitest";
import type { Batch, Change, ChangedRelation, LogMessage } from "../../../kernel/change.ts";
import { type Cursor, cursorAt, type Placed, Placing, restAfter } from "./cursor.ts";

const relation: ChangedRelation = {
  oid: 1,
  schema: "public",
  name: "t",
  replicaIdentity: "default",
  columns: [],
  indexOf: () => -1,
};
const change = (value: string): Change => ({ op: "insert", relation, new: [value], old: null });

function batch(lsn: bigint, first: number, values: string, isLast = true): Batch {
  const changes = [...values].map(change);
  return {
    kind: "batch",
    lsn,
    endLsn: isLast ? lsn + 8n : lsn,
    xid: Number(lsn),
    committedAtUs: 0n,
    first,
    changes,
    isLast,
  };
}
const message = (lsn: bigint, text: string, endLsn: bigint): LogMessage => ({
  kind: "message",
  lsn,
  endLsn,
  prefix: "p",
  content: Buffer.from(text),
});

/** A transaction alone; one in three parts with messages between; a message of its own; another transaction. */
const log = [
  batch(100n, 0, "ab"),
  batch(200n, 0, "cd", false),
  message(200n, "M", 200n),
  message(200n, "N", 200n),
  batch(200n, 2, "e", false),
  batch(200n, 3, "fg"),
  message(299n, "O", 300n),
  batch(300n, 0, "h"),
];
/** The same, cut otherwise, as after a restart with other limits. */
const cutOtherwise = [
  batch(100n, 0, "a", false),
  batch(100n, 1, "b"),
  batch(200n, 0, "c", false),
  batch(200n, 1, "d", false),
  message(200n, "M", 200n),
  message(200n, "N", 200n),
  batch(200n, 2, "efg"),
  message(299n, "O", 300n),
  batch(300n, 0, "h"),
];

function place(entries: readonly (Batch | LogMessage)[]): readonly Placed[] {
  const placing = new Placing();
  return entries.map((entry) => placing.place(entry, 1));
}

const textOf = (placed: readonly Placed[]): string =>
  placed
    .map(({ entry }) =>
      entry.kind === "message" ? entry.content.toString() : entry.changes.map((one) => one.new?.[0]).join(""),
    )
    .join("");

/** Who has taken in some of it and gets all of it again. */
function again(cursor: Cursor, entries: readonly (Batch | LogMessage)[]): string {
  const rest: Placed[] = [];
  let head = cursor;
  for (const placed of place(entries)) {
    const one = restAfter(head, placed);
    if (one === null) continue;
    rest.push(one);
    head = one.next;
  }
  return textOf(rest);
}

describe("R13 whoever goes on from a cursor", () => {
  test("gets everything after it and nothing before, wherever it is and however the log is cut", () => {
    const all = place(log);
    for (const [at, { next }] of all.entries()) {
      const taken = textOf(all.slice(0, at + 1));
      for (const entries of [log, cutOtherwise]) {
        expect(taken + again(next, entries), `after ${taken}`).toBe("abcdMNefgOh");
      }
    }
  });

  test("ends a transaction of which nothing is left", () => {
    const [first] = place([batch(100n, 0, "ab")]);
    const rest = restAfter({ lsn: 100n, changes: 2, messages: 0 }, first!);
    expect(rest).toMatchObject({ entry: { first: 2, changes: [], isLast: true }, next: cursorAt(108n) });
  });

  test("gets a transaction that begins where it stands", () => {
    expect(again(cursorAt(300n), log)).toBe("h");
    expect(again(cursorAt(299n), log)).toBe("Oh");
    expect(again(cursorAt(308n), log)).toBe("");
  });
});

test("changes keep their numbers when a batch is cut, so that effects can be told apart for ever", () => {
  const [, placed] = place([batch(100n, 0, "ab", false), batch(100n, 2, "cde")]);
  const rest = restAfter({ lsn: 100n, changes: 3, messages: 0 }, placed!)!;
  expect(rest.entry).toMatchObject({ first: 3, lsn: 100n });
  expect(textOf([rest])).toBe("de");
});

test("a transaction that comes again is numbered from its beginning", () => {
  const placing = new Placing();
  placing.place(batch(200n, 0, "cd", false), 1);
  placing.place(message(200n, "M", 200n), 1);
  placing.reset();
  expect(placing.place(message(200n, "M", 200n), 1)).toMatchObject({ messagesBefore: 0 });
});

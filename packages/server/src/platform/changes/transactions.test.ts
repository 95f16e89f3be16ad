import { describe, expect, it } from "vitest";
import type { LogEntry } from "../../kernel/change.ts";
import type { Queryable } from "../postgres/database.ts";
import { ColumnTypes } from "./column-types.ts";
import { PgoutputError, type PgoutputMessage } from "./pgoutput.ts";
import { Relations } from "./relations.ts";
import { type OpenMessage, Transactions } from "./transactions.ts";

const columns = [
  { name: "id", typeOid: 23, isKey: true },
  { name: "body", typeOid: 25, isKey: false },
];
const relation = { oid: 7, schema: "public", name: "todos", replicaIdentity: "default", columns } as const;
const int = { name: "int4", kind: "b", elementOid: 0, delimiter: ",", baseOid: 0, fields: [] };
const catalogue = {
  query: async () =>
    [
      { oid: 23, ...int },
      { oid: 25, ...int, name: "text" },
    ] as never,
};

const begin = (finalLsn: bigint): PgoutputMessage => ({
  tag: "begin",
  finalLsn,
  committedAtUs: 1n,
  xid: Number(finalLsn),
});
const commit = (lsn: bigint): PgoutputMessage => ({ tag: "commit", lsn, endLsn: lsn + 10n, committedAtUs: 1n });
const insert = (id: number): PgoutputMessage => ({ tag: "insert", oid: 7, new: [String(id), "x"] });
const message = (text: string, prefix = "test", isTransactional = true): PgoutputMessage => ({
  tag: "message",
  isTransactional,
  lsn: 50n,
  prefix,
  content: Buffer.from(text),
});

/** An entry in short: ids of a batch, text of a message, and whether it is the last; what the schema's listeners saw besides. */
function setUp(
  batchChanges = 1_000,
  openMessage: OpenMessage = (_, content) => content,
  db: Pick<Queryable, "query"> = catalogue,
) {
  const heard: string[] = [];
  const passed: { entry: LogEntry; isFirst: boolean }[] = [];
  const types = new ColumnTypes(db);
  const transactions = new Transactions({
    types,
    relations: new Relations(types),
    batch: { changes: batchChanges, bytes: 1_000_000 },
    onEntry: (entry, _, isFirst) => {
      passed.push({ entry, isFirst });
      const what =
        entry.kind === "message" ? entry.content.toString() : entry.changes.map(({ new: row }) => row?.[0]).join("+");
      const place = entry.kind === "batch" ? ` first=${entry.first}${entry.isLast ? " last" : ""}` : "";
      heard.push(`${what} @${entry.lsn}..${entry.endLsn}${place}${isFirst ? " new" : ""}`);
    },
    onSchemaChange: async () => {
      heard.push("schema");
    },
    openMessage,
  });
  const feed = async (...messages: readonly PgoutputMessage[]) => {
    for (const one of messages) await transactions.take(one, 20);
  };
  return { transactions, heard, passed, feed };
}

describe("transactions", () => {
  it("become a batch each, told where the log goes on", async () => {
    const { transactions, heard, feed } = setUp();
    await feed(
      begin(100n),
      { tag: "relation", relation },
      insert(1),
      insert(2),
      commit(100n),
      begin(200n),
      insert(3),
      commit(200n),
    );
    expect(heard).toEqual(["1+2 @100..110 first=0 last new", "3 @200..210 first=0 last new"]);
    expect(transactions.position).toBe(210n);
  });

  it("that are large come in parts, and end with the last", async () => {
    const { transactions, heard, feed } = setUp(2);
    await feed(begin(100n), { tag: "relation", relation }, insert(1), insert(2), insert(3), insert(4));
    expect(transactions.position).toBe(0n);
    await feed(commit(100n));
    expect(heard).toEqual(["1+2 @100..100 first=0 new", "3+4 @100..110 first=2 last"]);
  });

  it("with types that are not known wait for one question, and fail with it", async () => {
    let asked = 0;
    let isAway = true;
    const { heard, feed, transactions } = setUp(undefined, undefined, {
      query: () => {
        asked++;
        return isAway ? Promise.reject(new Error("away")) : catalogue.query();
      },
    });
    const first = [begin(100n), { tag: "relation", relation }, insert(1)] as const;
    // A question of which nobody hears would end the process here.
    await expect(feed(...first)).rejects.toThrow("away");
    expect(asked).toBe(1);
    transactions.interrupt();
    isAway = false;
    await feed(...first, insert(2), commit(100n));
    expect(asked).toBe(2);
    expect(heard).toEqual(["1+2 @100..110 first=0 last new"]);
  });

  it("without anything for us only move the position, and nothing does within one", async () => {
    const { transactions, heard, feed } = setUp();
    await feed(begin(100n), commit(100n));
    expect(transactions.position).toBe(110n);
    transactions.reach(150n);
    transactions.reach(120n);
    expect(transactions.position).toBe(150n);
    await feed(begin(200n));
    transactions.reach(300n);
    expect(transactions.position).toBe(150n);
    expect(heard).toEqual([]);
  });

  it("keep their messages in place, and one of messages alone ends with the last", async () => {
    const { heard, feed } = setUp();
    await feed({ tag: "relation", relation });
    await feed(begin(100n), message("a"), commit(100n));
    await feed(begin(200n), insert(1), message("b"), insert(2), message("c"), commit(200n));
    expect(heard).toEqual([
      "a @100..110 new",
      "1 @200..200 first=0 new",
      "b @200..200",
      "2 @200..200 first=1",
      "c @200..200",
      " @200..210 first=2 last",
    ]);
  });

  it("messages outside of them come at once, and their cursor is behind them", async () => {
    const { transactions, heard, feed } = setUp();
    await feed(message("a", "test", false));
    expect(heard).toEqual(["a @49..50 new"]);
    expect(transactions.position).toBe(50n);
  });

  it("R13: one that a lost connection cut goes on where it was, with nothing twice", async () => {
    const { transactions, heard, feed } = setUp(2);
    const whole = [
      begin(100n),
      { tag: "relation", relation } as const,
      insert(1),
      message("m"),
      insert(2),
      insert(3),
      insert(4),
    ];
    await feed(...whole);
    transactions.interrupt();
    await feed(...whole);
    transactions.interrupt();
    await feed(...whole, insert(5), commit(100n));
    expect(heard).toEqual([
      "1 @100..100 first=0 new",
      "m @100..100",
      "2+3 @100..100 first=1",
      "4+5 @100..110 first=3 last",
    ]);
  });

  it("R13: one that was cut before anything of it was told comes whole", async () => {
    const { transactions, heard, feed } = setUp();
    await feed(begin(100n), { tag: "relation", relation }, insert(1));
    transactions.interrupt();
    await feed(begin(100n), { tag: "relation", relation }, insert(1), commit(100n));
    expect(heard).toEqual(["1 @100..110 first=0 last new"]);
  });

  it("tell of a change of the schema between what was made before it and what was made after, once", async () => {
    const { heard, feed } = setUp();
    const ddl = message("", "mainstay.ddl");
    await feed(begin(100n), { tag: "relation", relation }, insert(1), ddl, ddl, insert(2), commit(100n));
    await feed(begin(200n), ddl, commit(200n));
    await feed(begin(300n), insert(3), ddl, commit(300n));
    expect(heard).toEqual([
      "1 @100..100 first=0 new",
      "schema",
      "2 @100..110 first=1 last",
      "schema",
      "3 @300..310 first=0 last new",
      "schema",
    ]);
  });

  it("a table that is announced again tells of a change where nothing else does", async () => {
    const { transactions, heard, feed } = setUp();
    const announced = { tag: "relation", relation } as const;
    await feed(begin(100n), announced, insert(1), commit(100n), begin(200n), announced, insert(2), commit(200n));
    transactions.announcesSchema = false;
    await feed(begin(300n), announced, insert(3), commit(300n));
    expect(heard.filter((one) => one === "schema")).toEqual(["schema"]);
    expect(heard.at(-1)).toBe("3 @300..310 first=0 last new");
    expect(heard.at(-2)).toBe("schema");
  });

  it("R02: a table is one object for as long as it is the same", async () => {
    const { passed, feed } = setUp();
    const relationOf = (at: number) =>
      passed[at]!.entry.kind === "batch" ? passed[at]!.entry.changes[0]!.relation : null;
    await feed(begin(100n), { tag: "relation", relation }, insert(1), commit(100n));
    await feed(
      begin(200n),
      { tag: "relation", relation: { ...relation } },
      message("", "mainstay.ddl"),
      insert(2),
      commit(200n),
    );
    await feed(begin(300n), { tag: "relation", relation: { ...relation, name: "done" } }, insert(3), commit(300n));
    expect(relationOf(1)).toBe(relationOf(0));
    expect(relationOf(2)).not.toBe(relationOf(0));
    expect(relationOf(2)?.indexOf("body")).toBe(1);
    expect(relationOf(2)?.indexOf("nobody")).toBe(-1);
  });

  it("R04: an old row says nothing outside of the key, unless it is there whole", async () => {
    const { passed, feed } = setUp();
    const old = { isWhole: false, values: ["1", null] };
    await feed(begin(100n), { tag: "relation", relation });
    await feed({ tag: "delete", oid: 7, old }, { tag: "update", oid: 7, old: null, new: ["1", undefined] });
    await feed(
      { tag: "update", oid: 7, old: { isWhole: true, values: ["1", "kept"] }, new: ["2", undefined] },
      commit(100n),
    );
    const batch = passed[0]!.entry;
    expect(batch.kind === "batch" && batch.changes.map(({ old, new: now }) => [old, now])).toEqual([
      [["1", undefined], null],
      [null, ["1", undefined]],
      [
        ["1", "kept"],
        ["2", "kept"],
      ],
    ]);
  });

  it.each([
    ["a change outside of any", [insert(1)]],
    ["a commit of none", [commit(1n)]],
    ["one within another", [begin(1n), begin(2n)]],
    ["a table nobody announced", [begin(1n), insert(1)]],
    ["a message of its own within one", [begin(1n), message("a", "test", false)]],
    [
      "more values than columns",
      [begin(1n), { tag: "relation", relation }, { tag: "insert", oid: 7, new: ["1", "2", "3"] }],
    ],
  ] as readonly [string, readonly PgoutputMessage[]][])("R10: are refused with %s", async (_, messages) => {
    await expect(setUp().feed(...messages)).rejects.toThrow(PgoutputError);
  });

  it("leave out messages that are not what they look like, and end all the same", async () => {
    const { transactions, heard, feed } = setUp(1_000, (_, content) =>
      content.toString() === "forged" ? null : content.subarray(1),
    );
    await feed({ tag: "relation", relation }, message("forged", "mainstay.broadcast", false));
    expect(transactions.position).toBe(50n);
    await feed(message("?alone", "mainstay.broadcast", false));
    await feed(begin(100n), message("forged"), commit(100n));
    expect(transactions.position).toBe(110n);
    await feed(begin(200n), insert(1), message("forged"), message("?b"), insert(2), commit(200n));
    expect(heard).toEqual(["alone @49..50 new", "1 @200..200 first=0 new", "b @200..200", "2 @200..210 first=1 last"]);
  });
});

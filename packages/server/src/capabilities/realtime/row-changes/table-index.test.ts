import { describe, expect, test } from "vitest";
import { type CompiledCondition, compileCondition } from "../../../platform/changes/filters/conditions.ts";
import { parseFilter } from "../../../platform/changes/filters/filter.ts";
import { type PublishedColumn, type PublishedTable, relationOf } from "../../../platform/changes/filters/published.ts";
import type { Policies, ViewerGroup } from "../../../platform/policies/types.ts";
import type { Channel } from "../types.ts";
import type { ResolvedBinding } from "./resolve.ts";
import { Subscriptions } from "./subscriptions.ts";

const type = { operatorSchema: "pg_catalog", isEnum: false, isText: false, isDeterministic: true, isBytewise: false };
const columns: readonly PublishedColumn[] = [
  { name: "id", typeOid: 20, typeName: "int8", isKey: true, type: { ...type, name: "int8", sql: "pg_catalog.int8" } },
  {
    name: "owner",
    typeOid: 25,
    typeName: "text",
    isKey: false,
    type: { ...type, name: "text", sql: "pg_catalog.text", isText: true },
  },
];
const table: PublishedTable = {
  relation: relationOf({ oid: 1, schema: "public", name: "t", replicaIdentity: "default", columns }),
  columns: new Map(columns.map((column) => [column.name, column])),
  operations: { insert: true, update: true, delete: true },
};
const groupFor = (key: string): ViewerGroup => ({
  key,
  rights: { columns: new Set(["id", "owner"]), isRowSecured: false, primaryKey: ["id"] },
  sees: (rows) => rows.map(() => true),
});
const shared = groupFor("all");
const policies: Policies = {
  prepare: async () => {},
  groupOf: () => shared,
  followTables: () => {},
  onChange: () => () => {},
  close: async () => {},
};
const never = {
  canonical: () => Promise.reject(new Error("asked")),
  check: () => Promise.reject(new Error("asked")),
};

let ids = 0;
function binding(filter: string, event: ResolvedBinding["event"] = "*"): ResolvedBinding {
  const conditions = parseFilter(filter).map(
    (condition) => compileCondition(condition, table.columns.get(condition.column)!, never) as CompiledCondition,
  );
  return { id: ++ids, event, table, select: null, conditions };
}
const channel = (): Channel => ({ isOpen: true, who: { role: "anon" } }) as Channel;
const found = (
  subscriptions: Subscriptions,
  op: "insert" | "update" | "delete",
  image: (string | undefined | null)[],
) => [...(subscriptions.indexOf(table.relation)?.candidates(op, image) ?? [])];

describe("who waits for a change", () => {
  test("is found by the value, however many wait for others", () => {
    const subscriptions = new Subscriptions(policies);
    for (let at = 0; at < 10_000; at++) subscriptions.add(channel(), [binding(`owner=eq.${at}`)], 1);
    expect(found(subscriptions, "insert", ["1", "77"]).map(({ found }) => found?.only?.keys)).toEqual([["77"]]);
    expect(found(subscriptions, "insert", ["1", "none"])).toEqual([]);
    expect(found(subscriptions, "insert", ["1", null])).toEqual([]);
  });

  test("equal bindings of those who see the same are one entry", () => {
    const subscriptions = new Subscriptions(policies);
    for (let at = 0; at < 1_000; at++) subscriptions.add(channel(), [binding("owner=in.(a,b)"), binding("id=gt.5")], 1);
    expect(found(subscriptions, "update", ["1", "a"]).map(({ members }) => members.size)).toEqual([1_000, 1_000]);
    expect(found(subscriptions, "update", ["1", "b"])).toHaveLength(2);
    expect(found(subscriptions, "update", ["1", "c"])).toHaveLength(1);
  });

  test("a deleted row whose image lacks the column is for everybody who waits for one", () => {
    const subscriptions = new Subscriptions(policies);
    for (const owner of ["a", "b"]) subscriptions.add(channel(), [binding(`owner=in.(${owner},x)`)], 1);
    expect(found(subscriptions, "delete", ["1", undefined])).toHaveLength(2);
    expect(found(subscriptions, "delete", ["1", "b"])).toHaveLength(1);
    expect(found(subscriptions, "update", ["1", undefined])).toHaveLength(0);
  });

  test("whoever leaves takes everything along", () => {
    const subscriptions = new Subscriptions(policies);
    const [one, other] = [channel(), channel()];
    subscriptions.add(one, [binding("owner=eq.a"), binding("", "INSERT")], 1);
    subscriptions.add(other, [binding("owner=eq.a")], 1);
    const remove = subscriptions.remove(one, 5);
    // What was judged before is still for it.
    expect(found(subscriptions, "insert", ["1", "a"])[1]?.members.get(one)).toMatchObject({ from: 1, until: 5 });
    remove();
    expect(found(subscriptions, "insert", ["1", "a"]).map(({ members }) => [...members.keys()])).toEqual([[other]]);
    subscriptions.remove(other, 6)();
    expect(subscriptions.indexOf(table.relation)).toBeNull();
    expect(subscriptions.size).toBe(0);
  });
});

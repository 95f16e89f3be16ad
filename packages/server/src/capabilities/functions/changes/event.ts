import { createHash } from "node:crypto";
import type { Batch, Change, ChangedRelation, RowImage } from "../../../kernel/change.ts";
import { formatLsn, jsonOf } from "../../../platform/changes/index.ts";
import type { Json } from "../../../platform/jobs/types.ts";
import { withoutNul } from "../nul.ts";

/** A change of a row. */
export type RowChange = Exclude<Change, { readonly op: "truncate" }>;

/** Values up to here stay in a row that is too large. */
const smallBytes = 64;
/** Longer keys of rows are known by their hash. */
const longestOrderKey = 200;

/**
 * A change as its handler gets it (`ChangeEvent` of `@mainstay/functions`, times as ISO 8601). What the log does not say of a row is not in it,
 * and of one that is too large neither are values above 64 bytes, or everything but the key.
 * @param at its number within its transaction
 * @param table as the handler has named it: of a partition, the whole
 */
export function changeEvent(
  change: RowChange,
  { lsn, committedAtUs }: Pick<Batch, "lsn" | "committedAtUs">,
  at: number,
  table: { readonly schema: string; readonly name: string },
  maxBytes: number,
): Json {
  const head = {
    id: `${formatLsn(lsn)}/${at}`,
    schema: table.schema,
    table: table.name,
    operation: change.op,
    committedAt: new Date(Number(committedAtUs / 1_000n)).toISOString(),
  };
  const { row, oldRow } = rowsOf(change, maxBytes);
  return { ...head, row: row === null ? null : read(row), oldRow: oldRow === null ? null : read(oldRow) };
}

type Rows = { readonly row: string | null; readonly oldRow: string | null };
type Keep = (text: string | null, isKey: boolean) => boolean;

/** From all there is to the least that says which row it is. */
const kept: readonly Keep[] = [
  () => true,
  (text) => text === null || Buffer.byteLength(text) <= smallBytes,
  (_text, isKey) => isKey,
];

function rowsOf(change: RowChange, maxBytes: number): Rows {
  let rows: Rows = { row: null, oldRow: null };
  for (const keep of kept) {
    rows = {
      row: change.new === null ? null : rowOf(change.relation, change.new, keep),
      oldRow: oldRowOf(change, keep),
    };
    if (Buffer.byteLength(rows.row ?? "") + Buffer.byteLength(rows.oldRow ?? "") <= maxBytes) break;
  }
  return rows;
}

function oldRowOf(change: RowChange, keep: Keep): string | null {
  if (change.op === "insert") return null;
  const { relation } = change;
  if (change.old !== null) return rowOf(relation, change.old, keep);
  // Without an old image the key is what it was.
  const key = change.new.map((text, at) => (relation.columns[at]!.isKey ? text : undefined));
  return relation.columns.some(({ isKey }) => isKey) ? rowOf(relation, key, keep) : null;
}

function rowOf(relation: ChangedRelation, image: RowImage, keep: Keep): string {
  const pairs = relation.columns.flatMap((column, at) => {
    const text = image[at];
    if (text === undefined || !keep(text, column.isKey)) return [];
    return [`${JSON.stringify(column.name)}:${jsonOf(column, text)}`];
  });
  return `{${pairs.join(",")}}`;
}

const read = (text: string): Json => withoutNul(JSON.parse(text) as Json, text);

/**
 * Names a row among those of its table: changes with the same one come one after another. `null` when there is no primary key to
 * name it by. A change of the key itself goes by the old one, so that it comes after what was done to the row before.
 */
export function rowKey(change: RowChange, primaryKey: readonly string[]): string | null {
  const { relation } = change;
  const values = primaryKey.map((name) => {
    const at = relation.indexOf(name);
    return change.old?.[at] ?? change.new?.[at];
  });
  if (values.length === 0 || values.some((value) => value == null)) return null;
  const text = values.length === 1 ? values[0]! : JSON.stringify(values);
  return text.length <= longestOrderKey ? text : createHash("sha256").update(text).digest("base64url");
}

/** Whether an update changes one of these columns, as far as the log tells; what it does not tell may have changed. */
export function changesOneOf(change: RowChange, columns: readonly string[]): boolean {
  if (change.op !== "update") return true;
  return columns.some((name) => {
    const at = change.relation.indexOf(name);
    // Not published, or gone.
    if (at < 0) return false;
    const [now, before] = [change.new[at], change.old?.[at]];
    // What is not in the log was left as it was.
    if (now === undefined) return false;
    if (before === undefined) return change.old !== null || !change.relation.columns[at]!.isKey;
    return now !== before;
  });
}

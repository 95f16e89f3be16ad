import type { Change, ChangedRelation, RowImage } from "../../kernel/change.ts";
import type { Database, Queryable } from "../postgres/database.ts";
import { unchangedStore } from "./unchanged-store.ts";
import { becomeVisible } from "./visible.ts";

type Update = Extract<Change, { readonly op: "update" }>;

/**
 * Large values that an UPDATE left as they were are not in the log. This asks the table for them, once per table: for exactly the row
 * that this transaction wrote, known by its key, its `xmin` and all else that the log says of it. A row that has been changed since
 * stays as it is, as does one without a key; a later version's value would be one that nobody was meant to see (threat R04). Never
 * rejects: what cannot be asked for stays as it is, too.
 * @param xid of the transaction that made the changes
 * @returns the changes, in order: the very same where there is nothing to fill
 */
export async function fillUnchanged(
  db: Pick<Database, "transaction">,
  xid: number,
  changes: readonly Change[],
): Promise<readonly Change[]> {
  const wanting = new Map<ChangedRelation, number[]>();
  for (const [at, change] of changes.entries()) {
    if (change.op !== "update" || !change.new.includes(undefined) || !hasKey(change)) continue;
    const places = wanting.get(change.relation);
    if (places === undefined) wanting.set(change.relation, [at]);
    else places.push(at);
  }
  const filled = [...changes];
  for (const [relation, places] of wanting) {
    await db
      .transaction(async (tx) => {
        await unchangedStore.fixFormats(tx);
        await fillTable(tx, xid, relation, places, filled);
      })
      // The table may be another by now, or the database away.
      .catch(() => {});
  }
  return wanting.size === 0 ? changes : filled;
}

function hasKey({ relation: { columns }, new: now }: Update): boolean {
  return columns.some(({ isKey }) => isKey) && columns.every(({ isKey }, at) => !isKey || now[at] != null);
}

async function fillTable(
  tx: Queryable,
  xid: number,
  relation: ChangedRelation,
  places: readonly number[],
  filled: Change[],
): Promise<void> {
  const updates = places.map((at) => filled[at] as Update);
  const images = updates.map((update) => update.new);
  let rows = await unchangedStore.rowsWrittenBy(tx, xid, relation, images);
  if (rows.size < images.length) {
    await becomeVisible(tx, xid);
    rows = await unchangedStore.rowsWrittenBy(tx, xid, relation, images);
  }
  for (const [index, at] of places.entries()) {
    const row = rows.get(index + 1);
    const update = updates[index]!;
    if (row !== undefined && agrees(update.new, row)) filled[at] = { ...update, new: row };
  }
}

/** A transaction may write a row more than once: what the log says of this version must be what the table says. */
const agrees = (image: RowImage, row: RowImage): boolean =>
  image.every((value, at) => value === undefined || value === row[at]);

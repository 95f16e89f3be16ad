import type { Change, ChangedRelation, RowImage } from "../../kernel/change.ts";
import { type OldTuple, PgoutputError, type PgoutputMessage, type TupleMessage } from "./pgoutput.ts";

/** A message of the decoder that is about rows. */
export type RowMessage = Extract<PgoutputMessage, { readonly tag: "insert" | "update" | "delete" | "truncate" }>;

/** What a message says of a table that is known. @throws PgoutputError when it does not fit the table */
export function changeOf(row: RowMessage, relation: ChangedRelation): Change {
  switch (row.tag) {
    case "insert":
      return { op: "insert", relation, new: fit(row.new, relation), old: null };
    case "update": {
      const old = row.old === null ? null : oldImage(row.old, relation);
      const now = fit(row.new, relation);
      if (row.old?.isWhole) fillFrom(now, row.old.values);
      return { op: "update", relation, new: now, old };
    }
    case "delete":
      return { op: "delete", relation, new: null, old: oldImage(row.old, relation) };
    case "truncate":
      return { op: "truncate", relation, new: null, old: null };
  }
}

function fit(values: TupleMessage, { columns, schema, name }: ChangedRelation): TupleMessage {
  if (values.length === columns.length) return values;
  throw new PgoutputError(`A row has ${values.length} values, and ${schema}.${name} ${columns.length} columns.`);
}

/** Outside of the key the log has NULL where it means that it does not say. */
function oldImage({ isWhole, values }: OldTuple, relation: ChangedRelation): RowImage {
  fit(values, relation);
  if (isWhole) return values;
  return relation.columns.map(({ isKey }, at) => (isKey ? values[at] : undefined));
}

/** What the change left as it was is in the old row, when that is there whole. */
function fillFrom(now: TupleMessage, old: TupleMessage): void {
  for (let at = 0; at < now.length; at++) if (now[at] === undefined) now[at] = old[at];
}

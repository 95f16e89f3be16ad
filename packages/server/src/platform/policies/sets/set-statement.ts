import type { Row, Statement } from "../../postgres/session/types.ts";
import type { SetQuery } from "../compile/index.ts";
import { buildSet, type SetContent } from "../evaluate/index.ts";
import { Snapshot } from "../snapshot.ts";

export interface FetchedSet {
  readonly snapshot: Snapshot;
  /** How many it takes in memory. */
  readonly rows: number;
  /** `null` when there are more than the limit, or a value that cannot be compared here. */
  readonly content: SetContent | null;
}

/** Fetches a set together with the snapshot it is of: they must be of one statement. One row more than the limit says that there are more. */
export function setStatement({ sql, correlates, value }: SetQuery, limitRows: number): Statement {
  const count = Math.max(1, correlates.length + (value === null ? 0 : 1));
  const names = Array.from({ length: count }, (_, at) => `c${at}`);
  const none = names.map(() => "null::text").join(", ");
  const texts = names.map((name) => `q.${name}::text`).join(", ");
  return {
    text: `select pg_catalog.pg_current_snapshot()::text, ${none}
      union all select null, s.* from (select ${texts} from (${sql}) as q limit ${limitRows + 1}) as s`,
    values: [],
  };
}

/** @throws RangeError when it is no answer to such a statement */
export function readSet(query: SetQuery, answer: readonly Row[], limitRows: number): FetchedSet {
  let snapshot: Snapshot | null = null;
  const rows: (string | null)[][] = [];
  for (const [first, ...values] of answer) {
    if (first) snapshot = new Snapshot(first.toString());
    else rows.push(values.map((value) => value?.toString("utf8") ?? null));
  }
  if (snapshot === null) throw new RangeError("The answer has no snapshot.");
  return rows.length > limitRows
    ? { snapshot, rows: 0, content: null }
    : { snapshot, rows: rows.length, content: buildSet(query, rows) };
}

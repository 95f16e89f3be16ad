import type { FlightResult, Param } from "../../../platform/postgres/session/types.ts";
import { asStorageCaller } from "./context.ts";
import type { Level, Listed, Page, TimeColumn } from "./list-types.ts";
import type { Asking } from "./store.ts";

/**
 * All SQL that reads a bucket by name. It walks an index and jumps over folders (`mainstay.walk_objects`, migration 0023): 1,000 names of
 * 1,000,000 take some ms, with folders or without. By time a folder is read whole, and then sorted.
 */
export const listStore = {
  /** One folder as the older lists have it, as a JSON list of rows with names relative to `level.relativeTo`. */
  async level(asking: Asking, level: Level, signal: AbortSignal): Promise<string> {
    const { bucketId, folder, search, relativeTo, column, isDescending, offset, limit } = level;
    const values = [bucketId, folder, search, String(isDescending), String(relativeTo.length + 1)];
    const { rows } = await fly(asking, signal, levelText(column, isDescending), [
      ...values,
      String(offset),
      String(limit),
    ]);
    return rows[0]![0]!.toString();
  },

  /** The file of exactly that name; `null` where there is none for the caller. */
  async one(asking: Asking, bucketId: string, name: string, signal: AbortSignal): Promise<Listed | null> {
    const { rows } = await fly(
      asking,
      signal,
      `select ${pageColumns} from storage.objects w where bucket_id = $1 and name = $2`,
      [bucketId, name],
    );
    const [row] = rows;
    return row === undefined ? null : { name, object: JSON.parse(row[1]!.toString()), time: null };
  },

  /** Names after a place, in order; folders too when `isLevel`. */
  async page(asking: Asking, page: Page, signal: AbortSignal | undefined): Promise<readonly Listed[]> {
    const { bucketId, prefix, isLevel, column, isDescending, after, limit } = page;
    const values = [bucketId, prefix, String(isLevel), String(isDescending), after?.name ?? null, String(limit)];
    const { rows } = await fly(
      asking,
      signal,
      column === "name" ? pageByName : pageByTime(column, isDescending),
      column === "name" ? values : [...values, after?.time ?? null],
    );
    return rows.map(([name, object, time]) => ({
      name: name!.toString(),
      object: object == null ? null : JSON.parse(object.toString()),
      time: time?.toString() ?? null,
    }));
  },
};

/** Among the slow: what a policy hides is looked at all the same, and how much that is nobody knows before. */
function fly(
  { session, who, operation }: Asking,
  signal: AbortSignal | undefined,
  text: string,
  values: readonly Param[],
): Promise<FlightResult> {
  const prologue = asStorageCaller(who, operation);
  return session.fly({
    role: who.role,
    prologue,
    statement: { text, values },
    lane: "slow",
    isRetryable: true,
    signal,
  });
}

const iso = (column: string): string => `to_char(w.${column} at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')`;
const facts = `'id', w.id, 'updated_at', ${iso("updated_at")}, 'created_at', ${iso("created_at")},
  'last_accessed_at', ${iso("last_accessed_at")}, 'metadata', w.metadata`;

/** A folder's name is without its slash. What has no name of its own, a folder's marker, is not in the folder. */
const levelName = "case when w.id is null then left(substr(w.name, $5::int), -1) else substr(w.name, $5::int) end";

function levelText(column: Level["column"], isDescending: boolean): string {
  const walk = (offset: string, limit: string) =>
    `mainstay.walk_objects($1, $2, $3, true, $4::boolean, null, ${offset}, ${limit}) w`;
  const item = `json_build_object('name', ${levelName}, ${facts})`;
  if (column === "name") {
    return `
      select coalesce(json_agg(${item}), '[]') from ${walk("$6::bigint", "$7::bigint")} where ${levelName} <> ''`;
  }
  const order = isDescending ? "desc" : "asc";
  // Folders have no times, and come first.
  return `
    select coalesce(json_agg(page.item), '[]') from (
      select ${item} as item from ${walk("0", "null")} where ${levelName} <> ''
      order by w.id is not null, w.${column} ${order}, w.name collate "C" ${order} offset $6::bigint limit $7::bigint
    ) page`;
}

const pageColumns = `w.name, case when w.id is not null then json_build_object('name', w.name, ${facts}) end`;
const pageByName = `
  select ${pageColumns}, null
  from mainstay.walk_objects($1, $2, '', $3::boolean, $4::boolean, $5, 0, $6::bigint) w`;

function pageByTime(column: TimeColumn, isDescending: boolean): string {
  const [order, beyond] = isDescending ? ["desc", "<"] : ["asc", ">"];
  const moment = `coalesce(w.${column}, 'epoch')`;
  // Folders first, by name; then files by time, and by name where that is the same.
  return `
    select ${pageColumns},
      case when w.id is not null then to_char(${moment} at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS.US') || '+00' end
    from mainstay.walk_objects($1, $2, '', $3::boolean, $4::boolean, null, 0, null) w
    where $5::text is null
      or case when $7::timestamptz is null then w.id is not null or w.name collate "C" ${beyond} $5
        else w.id is not null and (${moment}, w.name collate "C") ${beyond} ($7::timestamptz, $5) end
    order by w.id is not null, ${moment} ${order}, w.name collate "C" ${order} limit $6::bigint`;
}

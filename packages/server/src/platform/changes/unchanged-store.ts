import { sql } from "pg-sql2";
import type { ChangedRelation, RowImage } from "../../kernel/change.ts";
import type { Queryable } from "../postgres/database.ts";

type Db = Pick<Queryable, "query">;

export const unchangedStore = {
  /** For the transaction it is called in: values are printed as the log has them. */
  async fixFormats(tx: Db): Promise<void> {
    await tx.query(sql`
      select set_config('datestyle', 'ISO, YMD', true), set_config('intervalstyle', 'postgres', true),
        set_config('timezone', 'UTC', true), set_config('extra_float_digits', '1', true), set_config('bytea_output', 'hex', true)`);
  },

  /**
   * The rows with the keys of these, where this transaction wrote them last; by their place among the keys. Found by the key's index,
   * so the keys are made values of its type. A large value is read nowhere else but here.
   */
  async rowsWrittenBy(
    tx: Db,
    xid: number,
    { schema, name, columns }: ChangedRelation,
    images: readonly RowImage[],
  ): Promise<ReadonlyMap<number, RowImage>> {
    const key = columns.flatMap((column, at) => (column.isKey ? [{ ...column, at }] : []));
    const types = await tx.query<{ schema: string; name: string }>(sql`
      select ns.nspname as schema, ty.typname as name
      from unnest(${sql.value(key.map(({ typeOid }) => typeOid))}::oid[]) with ordinality as t (oid, n)
      join pg_catalog.pg_type ty on ty.oid = t.oid join pg_catalog.pg_namespace ns on ns.oid = ty.typnamespace
      order by t.n`);
    const k = sql.identifier("k");
    const t = sql.identifier("t");
    const names = key.map((_, at) => sql.identifier(`key${at}`));
    const values = key.map(({ at }) => sql`${sql.value(images.map((image) => image[at] ?? null))}::text[]`);
    const isSame = key.map((column, at) => {
      const type = sql.identifier(types[at]!.schema, types[at]!.name);
      return sql`${t}.${sql.identifier(column.name)} = ${k}.${names[at]!}::${type}`;
    });
    // What the type's own output function prints, as in the log: a cast would make `true` of `t`, and lose blanks of `char`.
    const printed = columns.map(({ name: column }) => {
      const value = sql`${t}.${sql.identifier(column)}`;
      return sql`case when num_nulls(${value}) = 0 then format('%s', ${value}) end`;
    });
    const rows = await tx.query<{ place: number; row: (string | null)[] }>(sql`
      select ${k}.place::int as place, array[${sql.join(printed, ", ")}]::text[] as "row"
      from unnest(${sql.join(values, ", ")}) with ordinality as ${k} (${sql.join(names, ", ")}, place)
      join ${sql.identifier(schema, name)} ${t} on ${sql.join(isSame, " and ")}
      where ${t}.xmin::text = ${sql.value(String(xid))}`);
    return new Map(rows.map(({ place, row }) => [place, row]));
  },
};

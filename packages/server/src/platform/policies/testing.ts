import { templateDatabase, testDatabase } from "@mainstay/testing";
import pg from "pg";
import type { RowImage } from "../../kernel/change.ts";
import type { Claims, Principal } from "../../kernel/principal.ts";
import { asCaller } from "../postgres/caller.ts";
import type { CompiledPolicy, KnownFunction, PolicyText, RelationShape, SetQuery, TableName } from "./compile/index.ts";
import { buildSet, type SetContent } from "./evaluate/index.ts";

export const allKnown: ReadonlySet<KnownFunction> = new Set<KnownFunction>([
  "auth.uid",
  "auth.role",
  "auth.email",
  "auth.jwt",
]);
/** The cluster's: the builtin provider's C.UTF-8. */
export const plainCollation = { isDeterministic: true, isByteOrder: true, foldsAscii: true };

export function principal(role: string, claims: Claims, subject: string | null = null): Principal {
  const claimsJson = JSON.stringify(claims);
  return { role, claims, claimsJson, subject, isAuthenticated: role !== "anon", expiresAtMs: Number.POSITIVE_INFINITY };
}

/** What a policy says here, and what PostgreSQL says of the same rows. */
export interface PolicyBench {
  run(sql: string): Promise<void>;
  /** As the log would have them: every column's text, in the order of `columns`. */
  images(
    table: string,
    columns: readonly string[],
  ): Promise<readonly { readonly id: number; readonly row: RowImage }[]>;
  shapeOf(name: TableName): RelationShape | null;
  /** Reads all shapes anew. */
  readShapes(): Promise<void>;
  /** Gives the table these policies and nothing else; their text as the catalogue prints it. */
  setPolicies(table: string, using: readonly PolicyText[]): Promise<readonly PolicyText[]>;
  /** Ids of visible rows by PostgreSQL; rows for which it raises an error are told apart. */
  visible(
    table: string,
    who: Principal,
    ids: readonly number[],
  ): Promise<{ readonly seen: ReadonlySet<number>; readonly failing: ReadonlyMap<number, string> }>;
  fetchSets(
    policy: Extract<CompiledPolicy, { kind: "predicate" }>,
    who: Principal,
  ): Promise<readonly (SetContent | null)[]>;
  close(): Promise<void>;
}

const raw = { getTypeParser: () => (text: string) => text } as unknown as pg.CustomTypesConfig;

export async function openPolicyBench(): Promise<PolicyBench> {
  const database = await testDatabase(await templateDatabase());
  const client = new pg.Client({ connectionString: database.url });
  await client.connect();
  let shapes = new Map<string, RelationShape>();

  const as = async <T>(who: Principal, work: () => Promise<T>): Promise<T> => {
    await client.query("begin");
    try {
      for (const { text, values } of asCaller(who)) await client.query(text, [...(values ?? [])]);
      return await work();
    } finally {
      await client.query("rollback");
    }
  };
  const rowsOf = async (query: SetQuery): Promise<(string | null)[][]> =>
    (await client.query<(string | null)[]>({ text: query.sql, rowMode: "array", types: raw })).rows;

  const bench: PolicyBench = {
    async run(sql) {
      await client.query(sql);
    },
    async images(table, columns) {
      const list = columns.map((name) => pg.escapeIdentifier(name)).join(", ");
      const { rows } = await client.query<[string, ...(string | null)[]]>({
        text: `select id, ${list} from ${table} order by id`,
        rowMode: "array",
        types: raw,
      });
      return rows.map(([id, ...row]) => ({ id: Number(id), row }));
    },
    shapeOf: ({ schema, name }) => shapes.get(`${schema}.${name}`) ?? null,
    async readShapes() {
      const { rows } = await client.query<{ schema: string; name: string; columns: RelationShape["columns"] }>(
        shapesSql,
      );
      shapes = new Map(rows.map((shape) => [`${shape.schema}.${shape.name}`, shape]));
    },
    async setPolicies(table, using) {
      const { rows: old } = await client.query<{ name: string }>(
        "select polname as name from pg_policy where polrelid = $1::regclass",
        [table],
      );
      const drops = old.map(({ name }) => `drop policy "${name}" on ${table};`);
      const makes = using.map(
        ({ sql, isPermissive }, at) =>
          `create policy "p${at}" on ${table} as ${isPermissive ? "permissive" : "restrictive"} for select using (${sql});`,
      );
      await client.query([...drops, ...makes].join("\n"));
      const { rows } = await client.query<PolicyText>(
        `select pg_get_expr(polqual, polrelid) as sql, polpermissive as "isPermissive"
         from pg_policy, set_config('search_path', '', false) where polrelid = $1::regclass order by polname`,
        [table],
      );
      await client.query("reset search_path");
      return rows;
    },
    async visible(table, who, ids) {
      const ask = (some: readonly number[]): Promise<number[]> =>
        as(who, async () =>
          (await client.query<{ id: number }>(`select id from ${table} where id = any($1)`, [some])).rows.map(
            ({ id }) => id,
          ),
        );
      try {
        return { seen: new Set(await ask(ids)), failing: new Map() };
      } catch {
        const seen = new Set<number>();
        const failing = new Map<number, string>();
        for (const id of ids) {
          const found = await ask([id]).catch((error: Error) => {
            failing.set(id, error.message);
            return [];
          });
          for (const one of found) seen.add(one);
        }
        return { seen, failing };
      }
    },
    async fetchSets(policy, who) {
      const contents: (SetContent | null)[] = [];
      for (const query of policy.sets) {
        const rows = await as(who, () => rowsOf(query)).catch((error: pg.DatabaseError) => {
          // Our text must be SQL: it may lack a right (42501), or meet a policy that reads itself (42P17).
          const isOurs = error.code?.startsWith("42") && error.code !== "42501" && error.code !== "42P17";
          if (isOurs) throw new Error(`${query.sql}: ${error.message}`);
          return null;
        });
        contents.push(rows && buildSet(query, rows));
      }
      return contents;
    },
    async close() {
      await client.end();
      await database.drop();
    },
  };
  return bench;
}

const shapesSql = `
  select n.nspname as schema, c.relname as name, json_agg(json_build_object(
    'name', a.attname, 'typeOid', b.oid::int8,
    'enumName', case when b.typtype = 'e' then json_build_object('schema', bn.nspname, 'name', b.typname) end,
    'collation', case when a.attcollation not in (0, 100) then json_build_object(
      'isDeterministic', l.collisdeterministic, 'isByteOrder', l.collname in ('C', 'POSIX'), 'foldsAscii', l.collname in ('C', 'POSIX')) end)) as columns
  from pg_class c join pg_namespace n on n.oid = c.relnamespace
  join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
  join pg_type t on t.oid = a.atttypid
  join pg_type b on b.oid = case when t.typtype = 'd' then (
    with recursive base as (select t.typbasetype as oid union all
      select d.typbasetype from base join pg_type d on d.oid = base.oid where d.typtype = 'd')
    select base.oid from base join pg_type d on d.oid = base.oid where d.typtype <> 'd') else t.oid end
  join pg_namespace bn on bn.oid = b.typnamespace
  left join pg_collation l on l.oid = a.attcollation
  where c.relkind in ('r', 'p') and n.nspname not like 'pg\\_%' and n.nspname <> 'information_schema'
  group by 1, 2`;

import pg from "pg";
import type { ChangedRelation, RowImage } from "../../../kernel/change.ts";
import type { Principal } from "../../../kernel/principal.ts";
import { arrayOf } from "../../../platform/changes/filters/store.ts";
import type { Policies, ReadRights, ViewerGroup } from "../../../platform/policies/types.ts";
import { asCaller } from "../../../platform/postgres/caller.ts";

interface Rules {
  readonly primaryKey: readonly string[];
  readonly isSecured: boolean;
  readonly using: string;
  readonly columnsOf: ReadonlyMap<string, ReadonlySet<string>>;
}

export interface AskingPolicies extends Policies {
  /** Statements that have asked PostgreSQL about rows. */
  readonly asked: () => number;
  /** Reads the rules anew and tells everybody. */
  changed(): Promise<void>;
}

/**
 * Policies that decide nothing themselves: every row is put to PostgreSQL, as its caller. For tests of what is built on policies; knows
 * permissive ones for everybody, and roles that do not bypass.
 */
export async function openAskingPolicies(url: string): Promise<AskingPolicies> {
  const client = new pg.Client({ connectionString: url });
  client.on("error", () => {});
  await client.connect();
  const rules = new Map<number, Rules>();
  const groups = new Map<string, ViewerGroup>();
  const listeners = new Set<() => void>();
  let asked = 0;
  let tail: Promise<unknown> = Promise.resolve();

  const alone = <T>(work: () => Promise<T>): Promise<T> => {
    const done = tail.then(work);
    tail = done.catch(() => {});
    return done;
  };

  async function see(
    relation: ChangedRelation,
    who: Principal,
    rows: readonly RowImage[],
  ): Promise<readonly boolean[]> {
    asked++;
    const { using } = rules.get(relation.oid)!;
    const table = `${pg.escapeIdentifier(relation.schema)}.${pg.escapeIdentifier(relation.name)}`;
    await client.query("begin");
    try {
      for (const { text, values } of asCaller(who)) await client.query(text, [...values]);
      const { rows: answers } = await client.query<{ seen: boolean }>(
        `select (${using}) is true as seen from unnest($1::${table}[]) as ${pg.escapeIdentifier(relation.name)}`,
        [arrayOf(rows.map(recordOf))],
      );
      return answers.map(({ seen }) => seen);
    } finally {
      await client.query("rollback");
    }
  }

  async function read(oid: number): Promise<void> {
    const { rows } = await client.query<{ key: string[] | null; secured: boolean; using: string | null }>(
      `select (select array_agg(a.attname::text) from pg_index i join pg_attribute a on a.attrelid = c.oid and a.attnum = any (i.indkey)
         where i.indrelid = c.oid and i.indisprimary) as key, c.relrowsecurity as secured,
         (select string_agg('(' || pg_get_expr(p.polqual, c.oid) || ')', ' or ') from pg_policy p
          where p.polrelid = c.oid and p.polcmd in ('r', '*')) as using
       from pg_class c where c.oid = $1`,
      [oid],
    );
    const { rows: columns } = await client.query<{ role: string; names: string[] }>(
      `select r.rolname as role, array_agg(a.attname::text) as names from pg_roles r, pg_attribute a
       where a.attrelid = $1 and a.attnum > 0 and not a.attisdropped
         and has_column_privilege(r.oid, a.attrelid, a.attnum, 'select') group by 1`,
      [oid],
    );
    rules.set(oid, {
      primaryKey: rows[0]?.key ?? [],
      isSecured: rows[0]?.secured ?? true,
      using: rows[0]?.using ?? "false",
      columnsOf: new Map(columns.map(({ role, names }) => [role, new Set(names)])),
    });
  }

  return {
    async prepare(relations) {
      for (const { oid } of relations) if (!rules.has(oid)) await alone(() => read(oid));
    },
    groupOf(relation, who) {
      const key = `${relation.oid} ${relation.columns.map(({ name }) => name).join()} ${who.role} ${who.claimsJson}`;
      const known = groups.get(key);
      if (known !== undefined) return known;
      const { primaryKey, isSecured, columnsOf } = rules.get(relation.oid)!;
      const rights: ReadRights = {
        columns: columnsOf.get(who.role) ?? new Set(),
        isRowSecured: isSecured && who.role !== "service_role",
        primaryKey,
      };
      const group: ViewerGroup = { key, rights, sees: (rows) => alone(() => see(relation, who, rows)) };
      groups.set(key, group);
      return group;
    },
    followTables() {},
    onChange(listener) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    asked: () => asked,
    async changed() {
      for (const oid of [...rules.keys()]) await alone(() => read(oid));
      groups.clear();
      for (const listener of listeners) listener();
    },
    close: () => client.end(),
  };
}

/** A row in PostgreSQL's text format (PostgreSQL manual: composite value input). */
const recordOf = (row: RowImage): string =>
  `(${row.map((text) => (text == null ? "" : `"${text.replace(/[\\"]/g, "\\$&")}"`)).join(",")})`;

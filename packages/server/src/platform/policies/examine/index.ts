import type { Principal } from "../../../kernel/principal.ts";
import type { Database } from "../../postgres/database.ts";
import { Rules } from "../rules/rules.ts";
import { type RulesRows, rulesStore, type TableRow } from "../rules/store.ts";
import { Trees } from "../rules/trees.ts";
import { publicationStore } from "../sets/publication-store.ts";

/** A policy for which PostgreSQL is asked about each change, once for each group of callers. */
export interface AskedPolicy {
  /** `public.messages` */
  readonly table: string;
  readonly policy: string;
  /** What of it is not decided in memory, for people. */
  readonly reason: string;
}

/** Which policies of these tables are not decided in memory. Changes nothing. Rejects as the database does. */
export async function examinePolicies(database: Database, oids: readonly number[]): Promise<readonly AskedPolicy[]> {
  if (oids.length === 0) return [];
  const rows = await rulesStore.read(database, oids);
  const parser = new Trees({ idleMs: 0 });
  try {
    const trees = await parser.keep(rows.tables.flatMap(({ policies }) => policies.map(({ sql }) => sql)));
    const asked: AskedPolicy[] = [];
    for (const table of rows.tables) {
      if (!oids.includes(table.oid) || !table.hasRowSecurity) continue;
      for (const policy of table.policies) {
        const alone = new Rules(onlyWith(rows, table, policy), trees);
        const readings = callersOf(rows, policy).map((who) => alone.readingOf(table.oid, who).secured);
        const secured = readings.find((reading) => reading !== null);
        const reason = secured ? await reasonOf(database, secured) : null;
        if (reason !== null) asked.push({ table: `${table.schema}.${table.name}`, policy: policy.name, reason });
      }
    }
    return asked;
  } finally {
    await parser.close();
  }
}

type Policy = TableRow["policies"][number];
type Secured = NonNullable<ReturnType<Rules["readingOf"]>["secured"]>;

/** The same rules, but for this table with this policy alone. */
const onlyWith = (rows: RulesRows, table: TableRow, policy: Policy): RulesRows => ({
  ...rows,
  tables: rows.tables.map((other) =>
    other.oid === table.oid ? { ...other, policies: [{ ...policy, isPermissive: true }] } : other,
  ),
});

/** Somebody of each role that the policy is for, signed in as people are. */
function callersOf({ roles }: RulesRows, policy: Policy): readonly Principal[] {
  const named = roles.filter(({ oid }) => policy.roles.includes(oid)).map(({ name }) => name);
  return (named.length > 0 ? named : ["authenticated"]).map(callerOf);
}

function callerOf(role: string): Principal {
  const subject = "00000000-0000-0000-0000-000000000000";
  const claims = { sub: subject, role, email: "somebody@example.com" };
  return {
    role,
    subject,
    claims,
    claimsJson: JSON.stringify(claims),
    isAuthenticated: true,
    expiresAtMs: Number.POSITIVE_INFINITY,
  };
}

async function reasonOf(database: Database, { compiled, sets }: Secured): Promise<string | null> {
  if (compiled.kind === "beyond") return compiled.reason;
  if (compiled.beyond !== null) return compiled.beyond;
  for (const { tables, readsClock } of sets) {
    if (tables === "unknown") return "what it looks up depends on more than rows of tables";
    if (readsClock) return "what it looks up depends on the clock";
    for (const { schema, name, isFollowed, obstacle } of await publicationStore.look(database, tables)) {
      if (!isFollowed && obstacle !== null) return `changes of ${schema}.${name} are not in the log: ${obstacle}`;
    }
  }
  return null;
}

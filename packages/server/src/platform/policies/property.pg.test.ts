import pg from "pg";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Principal } from "../../kernel/principal.ts";
import { claimsKey } from "./claims-key.ts";
import { compareWithPostgres, type Table } from "./compare.testing.ts";
import { type ClaimPath, type CompiledPolicy, createPolicyCompiler } from "./compile/index.ts";
import { caller, columnTypes, innerRows, prelude, random, values } from "./generate.testing.ts";
import { type GeneratedColumn, policyWriter } from "./generate-policy.testing.ts";
import { allKnown, openPolicyBench, type PolicyBench } from "./testing.ts";

/** A case is one row judged for one caller under one set of policies. `MAINSTAY_POLICY_CASES=100000` for the long run. */
const wantedCases = Number(process.env.MAINSTAY_POLICY_CASES ?? 5_000);
const seed = Number(process.env.MAINSTAY_POLICY_SEED ?? Date.now() % 1_000_000);
const policiesPerTable = 60;
const callersPerPolicy = 4;
const rowsPerPolicy = 12;

/** The caller with these claims alone and others that differ; `null` for one whose claims are no JSON to PostgreSQL. */
function onlyClaims(who: Principal, paths: readonly ClaimPath[]): Principal | null {
  if (/\\u|[\d.]e|"n":|1\.50/i.test(who.claimsJson)) return null;
  const claims: Record<string, unknown> = { tenant: "another", email: "another", app_metadata: { level: "another" } };
  for (const path of paths) {
    let [from, to]: [unknown, Record<string, unknown>] = [who.claims, claims];
    for (const [at, key] of path.entries()) {
      const isThere = typeof from === "object" && from !== null && Object.hasOwn(from, key);
      from = isThere ? (from as Record<string, unknown>)[key] : undefined;
      if (!isThere) {
        delete to[key];
        break;
      }
      const isObject = typeof from === "object" && from !== null && !Array.isArray(from);
      if (at === path.length - 1 || !isObject) {
        to[key] = from;
        break;
      }
      const inner = Object.hasOwn(to, key) ? to[key] : null;
      to[key] = typeof inner === "object" && inner !== null && !Array.isArray(inner) ? inner : {};
      to = to[key] as Record<string, unknown>;
    }
  }
  return { ...who, claims, claimsJson: JSON.stringify(claims) };
}

const compiler = createPolicyCompiler({ parserIdleMs: 1_000 });
let bench: PolicyBench;
beforeAll(async () => {
  bench = await openPolicyBench();
  await bench.run(prelude);
});
afterAll(async () => {
  await compiler.close();
  await bench.close();
});

describe("policies here and in PostgreSQL", () => {
  it(`agree on ${wantedCases} cases (seed ${seed})`, { timeout: 3_600_000 }, async () => {
    const r = random(seed);
    let [cases, asked, granted, policies, refused, tables, nothing, groups] = [0, 0, 0, 0, 0, 0, 0, 0];
    while (cases < wantedCases) {
      const { table, columns } = await makeTable(`t${tables++}`);
      const writer = policyWriter(r, table.name, columns);
      for (let n = 0; n < policiesPerTable && cases < wantedCases; n++) {
        const using = Array.from({ length: r.pick([1, 1, 1, 2, 3]) }, (_, at) => ({
          sql: writer.condition(r.below(4)),
          isPermissive: at === 0 ? !r.once(20) : !r.once(3),
        }));
        const start = r.below(table.images.length - rowsPerPolicy);
        const some = { ...table, images: table.images.slice(start, start + rowsPerPolicy) };
        const callers = Array.from({ length: callersPerPolicy }, () => caller(r));
        const options = {
          // Somebody's own `auth.uid()`, now and then, and values that the log does not hold.
          knownFunctions: r.once(6) ? new Set([...allKnown].filter(() => r.once(2))) : allKnown,
          isMissing: r.once(4) ? () => r.once(3) : () => false,
        };
        const result = await compareWithPostgres(bench, compiler, some, using, callers, options).catch(
          (error: Error & { code?: string }) => {
            // Not every sentence is SQL: an operator that is not there, a type that does not fit.
            if (error.code === undefined) throw error;
            return null;
          },
        );
        if (result === null) {
          refused++;
          continue;
        }
        expect(result.wrong.slice(0, 3)).toEqual([]);
        policies++;
        groups += await checkGroup(some, result.policy, callers[0]!);
        cases += result.cases;
        asked += result.asked;
        granted += result.granted;
        if (result.policy.kind === "beyond") nothing++;
      }
      await bench.run(`drop table ${table.name}`);
    }
    console.info(
      `${cases} cases of ${policies} policies on ${tables} tables (seed ${seed}): ${granted} seen, ${asked} asked, ${nothing} policies wholly; ${groups} pairs of one group; ${refused} sentences were no SQL`,
    );
    // Were everything asked, or nothing seen, nothing could be wrong.
    expect(granted / cases).toBeGreaterThan(0.1);
    expect(asked / cases).toBeLessThan(0.7);
    expect(refused).toBeLessThan(policies / 2 + 20);

    /** Another caller with no claims but those that the policy reads must see the same. @returns how many were compared */
    async function checkGroup(table: Table, policy: CompiledPolicy, who: Principal): Promise<number> {
      const { claims } = policy.depends;
      if (claims === "all") return 0;
      // What the policy on `secured` reads.
      const paths = [...claims, ["sub"]];
      const other = onlyClaims(who, paths);
      if (other === null) return 0;
      expect(claimsKey(paths, other)).toBe(claimsKey(paths, who));
      const ids = table.images.map(({ id }) => id);
      const [mine, theirs] = [await bench.visible(table.name, who, ids), await bench.visible(table.name, other, ids)];
      if (mine.failing.size > 0 || theirs.failing.size > 0) return 0;
      expect([...theirs.seen], `${JSON.stringify(policy.depends)} ${who.claimsJson} ${other.claimsJson}`).toEqual([
        ...mine.seen,
      ]);
      return 1;
    }

    async function makeTable(
      name: string,
    ): Promise<{ readonly table: Table; readonly columns: readonly GeneratedColumn[] }> {
      const odd = ["select", "Weird name", 'a"b', "label", "who", "links", name];
      const columns = Array.from({ length: 22 }, (_, at) => {
        const [declared, type] = r.pick(columnTypes);
        return { name: odd[at] ?? `c${at}`, declared, type };
      });
      const rows = Array.from({ length: 80 }, (_, id) => {
        const cells = columns.map(({ type }) => (r.once(6) ? "null" : r.pick(values[type]!)));
        return `(${[id, ...cells].join(", ")})`;
      });
      await bench.run(`create table ${name} (id int primary key, ${columns.map((column) => `${pg.escapeIdentifier(column.name)} ${column.declared}`).join(", ")});
        alter table ${name} enable row level security; grant select on ${name} to anon, authenticated;`);
      // A value that its column has no room for, above all.
      for (const row of rows) await bench.run(`insert into ${name} values ${row}`).catch(() => undefined);
      await bench.run(innerRows(r));
      await bench.readShapes();
      const images = await bench.images(
        name,
        columns.map((column) => column.name),
      );
      return { table: { schema: "public", name, columns: columns.map((column) => column.name), images }, columns };
    }
  });
});

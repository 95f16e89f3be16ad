import pg from "pg";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { compareWithPostgres, type Table } from "./compare.testing.ts";
import { createPolicyCompiler } from "./compile/index.ts";
import { caller, columnTypes, innerRows, prelude, random, values } from "./generate.testing.ts";
import { type GeneratedColumn, policyWriter } from "./generate-policy.testing.ts";
import { openPolicyBench, type PolicyBench } from "./testing.ts";

/** A case is one row judged for one caller under one set of policies. `MAINSTAY_POLICY_CASES=100000` for the long run. */
const wantedCases = Number(process.env.MAINSTAY_POLICY_CASES ?? 5_000);
const seed = Number(process.env.MAINSTAY_POLICY_SEED ?? Date.now() % 1_000_000);
const policiesPerTable = 60;
const callersPerPolicy = 4;
const rowsPerPolicy = 12;

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
    let [cases, asked, policies, refused, tables, nothing] = [0, 0, 0, 0, 0, 0];
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
        const result = await compareWithPostgres(bench, compiler, some, using, callers).catch(
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
        cases += result.cases;
        asked += result.asked;
        if (result.policy.kind === "beyond") nothing++;
      }
      await bench.run(`drop table ${table.name}`);
    }
    console.info(
      `${cases} cases of ${policies} policies on ${tables} tables (seed ${seed}): ${asked} asked, ${nothing} policies wholly; ${refused} sentences were no SQL`,
    );
    // Were everything asked, nothing could be wrong.
    expect(asked / cases).toBeLessThan(0.7);
    expect(refused).toBeLessThan(policies / 2 + 20);

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

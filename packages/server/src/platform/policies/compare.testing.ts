import type { Principal } from "../../kernel/principal.ts";
import type { CompiledPolicy, KnownFunction, PolicyCompiler, PolicyText } from "./compile/index.ts";
import { bindPolicy, type Verdict } from "./evaluate/index.ts";
import { allKnown, type PolicyBench, plainCollation } from "./testing.ts";

export interface Comparison {
  readonly policy: CompiledPolicy;
  readonly texts: readonly PolicyText[];
  readonly cases: number;
  readonly asked: number;
  /** Seen, by what is said here. */
  readonly granted: number;
  /** What is wrong, in words: empty when everything agrees. */
  readonly wrong: readonly string[];
}

export interface Table {
  readonly schema: string;
  readonly name: string;
  readonly columns: readonly string[];
  readonly images: Awaited<ReturnType<PolicyBench["images"]>>;
}

export interface Options {
  readonly knownFunctions?: ReadonlySet<KnownFunction>;
  /** Whether the log would not hold the value, by row and column: an unchanged large one. */
  isMissing?(id: number, column: string): boolean;
}

/**
 * Gives `table` these policies, and holds what is said here of every row and caller against what PostgreSQL shows. An error of
 * PostgreSQL's must be `ask` here, or not visible.
 */
export async function compareWithPostgres(
  bench: PolicyBench,
  compiler: PolicyCompiler,
  table: Table,
  using: readonly PolicyText[],
  callers: readonly Principal[],
  { knownFunctions = allKnown, isMissing = () => false }: Options = {},
): Promise<Comparison> {
  const texts = await bench.setPolicies(`${table.schema}.${table.name}`, using);
  const relation = bench.shapeOf(table) ?? { ...table, columns: [] };
  const policy = await compiler.compile({
    using: texts,
    relation,
    knownFunctions,
    collation: plainCollation,
    tableOf: bench.shapeOf,
  });
  let [cases, asked, granted] = [0, 0, 0];
  const wrong: string[] = [];
  const ids = table.images.map(({ id }) => id);
  for (const who of callers) {
    if (policy.kind === "beyond") {
      cases += ids.length;
      asked += ids.length;
      continue;
    }
    const { seen, failing } = await bench.visible(`${table.schema}.${table.name}`, who, ids);
    // PostgreSQL 18.4 cannot plan `auth.uid() = auth.uid()` beside other conditions: an internal error says nothing of the rows.
    if ([...failing.values()].includes("cannot cope with variable-free clause")) continue;
    const sets = await bench.fetchSets(policy, who);
    const hasRun = failing.size === 0;
    const bound = bindPolicy({ policy, who, indexOf: (name) => table.columns.indexOf(name), hasRun });
    const nowUs = BigInt(Date.now()) * 1000n;
    const now = { earliestUs: nowUs - 60_000_000n, latestUs: nowUs + 60_000_000n };
    for (const { id, row } of table.images) {
      cases++;
      const logged = row.map((value, at) => (isMissing(id, table.columns[at]!) ? undefined : value));
      const verdict: Verdict = bound.decide(logged, { sets, now });
      if (verdict === "ask") asked++;
      if (verdict === true) granted++;
      const isWrong = verdict === true ? !seen.has(id) : verdict !== "ask" && seen.has(id);
      if (!isWrong) continue;
      const truth = failing.has(id) ? `an error (${failing.get(id)})` : seen.has(id) ? "visible" : "not visible";
      const policies = texts
        .map(({ sql, isPermissive }) => `${isPermissive ? "" : "restrictive "}${sql.replaceAll(/\s+/g, " ")}`)
        .join("; ");
      wrong.push(
        `${verdict} here, ${truth} there: ${policies}\n  row ${JSON.stringify(row)}\n  as ${who.role} ${who.claimsJson}`,
      );
    }
  }
  return { policy, texts, cases, asked, granted, wrong };
}

import type { RowImage } from "../../../kernel/change.ts";
import type { Principal } from "../../../kernel/principal.ts";
import type { CompiledPolicy } from "../compile/types.ts";
import { bindExpression } from "./bind.ts";
import { readClaims } from "./caller.ts";
import type { Circumstances } from "./part.ts";
import { truthOf } from "./values.ts";

export type { Circumstances } from "./part.ts";
export { buildSet, type SetContent } from "./sets.ts";

/** SQL's three values, or that only PostgreSQL can tell. NULL is not visible, as false is. */
export type Verdict = boolean | null | "ask";

/** A policy that knows who asks. Shared by all callers with the same role and the same values of the claims it depends on. */
export interface BoundPolicy {
  /** The verdict when it is the same for every row and needs no set; `undefined` when rows matter. */
  readonly always: Verdict | undefined;
  /** Exactly what PostgreSQL would say of this row, or `ask`. Pure. */
  decide(row: RowImage, circumstances: Circumstances): Verdict;
}

export interface BindOptions {
  readonly policy: Extract<CompiledPolicy, { kind: "predicate" }>;
  readonly who: Principal;
  /** Where a column is in a row's image; -1 when it is not published (`ChangedRelation.indexOf`). */
  indexOf(column: string): number;
  /**
   * PostgreSQL has run the whole policy for this caller without an error. A policy that calls what the role may not execute shows it
   * nothing, even rows that another condition would show: until it has run, what is beyond us makes everything `ask`.
   */
  readonly hasRun: boolean;
}

export function bindPolicy({ policy, who, indexOf, hasRun }: BindOptions): BoundPolicy {
  const claims = readClaims(who);
  let hasFailed = false;
  const part = bindExpression(policy.predicate, {
    who,
    claims,
    indexOf,
    sets: policy.sets,
    hasRun,
    onFailure: () => {
      hasFailed = true;
    },
  });
  if (hasFailed) return { always: "ask", decide: () => "ask" };
  const decide = (row: RowImage, circumstances: Circumstances): Verdict => {
    // PostgreSQL may not let the caller read what a set is made of, and then shows nothing at all.
    for (let at = 0; at < policy.sets.length; at++) if (!circumstances.sets[at]) return "ask";
    const truth = truthOf(part.get(row, circumstances));
    return typeof truth === "symbol" ? "ask" : truth;
  };
  return {
    always: part.isConstant && policy.sets.length === 0 ? decide([], { sets: [], now: null }) : undefined,
    decide,
  };
}

import { contextOf } from "./context.ts";
import { dependenciesOf } from "./dependencies.ts";
import type { Expression } from "./expression.ts";
import { createExpressionParser, type Node } from "./parser.ts";
import { both, compileTruth } from "./truth.ts";
import type { CompiledPolicy, PolicyInput } from "./types.ts";
import { columnsOf } from "./walk.ts";

export type { Expression } from "./expression.ts";
export type * from "./types.ts";

/** Turns policies into predicates. */
export interface PolicyCompiler {
  /**
   * What `using` says together: the permissive policies joined by OR, the restrictive ones by AND; nothing is visible without a
   * permissive one. Each text must have been printed by `pg_get_expr` under an empty `search_path`: it is read as such, so a name
   * without a schema is one of `pg_catalog` and nobody else's. Never rejects: what cannot be compiled is beyond.
   */
  compile(input: PolicyInput): Promise<CompiledPolicy>;
  close(): Promise<void>;
}

/** Characters of one policy: longer ones are programs. */
const maxLength = 65_536;

/** @param parserIdleMs how long the parser's process (60 MB) waits for more */
export function createPolicyCompiler({ parserIdleMs }: { readonly parserIdleMs: number }): PolicyCompiler {
  const parser = createExpressionParser({ idleMs: parserIdleMs });
  return {
    async compile(input) {
      if (input.using.some(({ sql }) => sql.length > maxLength)) return unparsed("It is too long.");
      try {
        const trees = await parser.parse(input.using.map(({ sql }) => sql));
        return compileTrees(input, trees);
      } catch (error) {
        // A policy nested so deeply that it cannot be walked, or sent from the parser's process.
        return unparsed(error instanceof Error ? error.message : String(error));
      }
    },
    close: () => parser.close(),
  };
}

const unparsed = (reason: string): CompiledPolicy => ({
  kind: "beyond",
  reason,
  depends: { claims: "all", tables: "unknown", readsClock: true },
});

/** The pure part: trees of `input.using`, in its order; `null` for one that could not be parsed. */
export function compileTrees(input: PolicyInput, trees: readonly (Node | null)[]): CompiledPolicy {
  const context = contextOf(input);
  const depends = dependenciesOf(trees, input.knownFunctions);
  const conditions = trees.map((tree): Expression => {
    if (tree !== null) return compileTruth(tree, context, true);
    context.reasons.push("it cannot be parsed");
    return { node: "beyond", type: "boolean", reason: "it cannot be parsed" };
  });
  const permissive = conditions.filter((_, at) => input.using[at]!.isPermissive);
  const restrictive = conditions.filter((_, at) => !input.using[at]!.isPermissive);
  const granted: Expression =
    permissive.length > 0 ? both("or", permissive) : { node: "constant", type: "boolean", value: false };
  const predicate = both("and", [granted, ...restrictive]);
  if (predicate.node === "beyond") return { kind: "beyond", reason: predicate.reason, depends };
  return {
    kind: "predicate",
    predicate,
    columns: columnsOf(predicate),
    sets: context.sets,
    beyond: context.reasons[0] ?? null,
    depends,
  };
}

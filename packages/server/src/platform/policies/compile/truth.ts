import type { Context } from "./context.ts";
import type { Expression } from "./expression.ts";
import type { Node } from "./parser.ts";
import { compileSet } from "./sets.ts";
import { as, Beyond, beyond, wrapped } from "./tree.ts";
import { compileValue } from "./value.ts";

/**
 * A condition. What only PostgreSQL can decide becomes a node `beyond` in its place, so that the conditions around it still count.
 * @param isPositive NULL and false are the same to whoever asks: not under NOT, not compared
 */
export function compileTruth(node: Node, context: Context, isPositive: boolean): Expression {
  const sets = context.sets.length;
  try {
    const expression = settle(node, context, isPositive);
    return expression.type === "boolean" ? expression : beyond(`a condition of type ${expression.type}`);
  } catch (error) {
    if (!(error instanceof Beyond)) throw error;
    // Nobody looks anything up in the sets of a part that was given up.
    context.sets.length = sets;
    context.reasons.push(error.message);
    return { node: "beyond", type: "boolean", reason: error.message };
  }
}

function settle(node: Node, context: Context, isPositive: boolean): Expression {
  const inner = wrapped(node);
  if (inner) return settle(inner, context, isPositive);
  const set = as("SubLink", node);
  if (set) return compileSet(set, context, isPositive);
  const logic = as("BoolExpr", node);
  if (!logic) return compileValue(node, context);
  const args = logic.args ?? [];
  switch (logic.boolop) {
    case "AND_EXPR":
      return both(
        "and",
        args.map((part) => compileTruth(part, context, isPositive)),
      );
    case "OR_EXPR":
      return both(
        "or",
        args.map((part) => compileTruth(part, context, isPositive)),
      );
    case "NOT_EXPR":
      return { node: "not", type: "boolean", of: compileTruth(args[0] ?? beyond("NOT of nothing"), context, false) };
    default:
      return beyond("an unknown connective");
  }
}

/** Joined by AND or OR, without the levels that say nothing. */
export function both(node: "and" | "or", parts: readonly Expression[]): Expression {
  const flat = parts.flatMap((part) => (part.node === node ? part.of : [part]));
  return flat.length === 1 ? flat[0]! : { node, type: "boolean", of: flat };
}

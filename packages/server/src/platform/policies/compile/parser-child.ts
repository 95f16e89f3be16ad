import { loadModule, type Node, parseSync } from "libpg-query";
import type { ParseReply, ParseRequest } from "./parser.ts";

await loadModule();

// Ends with the server: the channel is all that keeps it.
process.on("message", (message) => {
  const { id, expressions } = message as ParseRequest;
  process.send?.({ id, trees: expressions.map(expression) } satisfies ParseReply);
});

/** The catalogue prints a policy's expression as SQL; in a target list it stands alone. */
function expression(sql: string): Node | null {
  try {
    const { stmts } = parseSync(`select ${sql}`);
    const statement = stmts?.length === 1 ? stmts[0]?.stmt : undefined;
    const targets = statement && "SelectStmt" in statement ? statement.SelectStmt.targetList : undefined;
    const target = targets?.length === 1 ? targets[0] : undefined;
    return target && "ResTarget" in target ? (target.ResTarget.val ?? null) : null;
  } catch {
    return null;
  }
}

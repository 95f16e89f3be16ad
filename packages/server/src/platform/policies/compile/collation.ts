import type { Expression } from "./expression.ts";
import { elementOf, isTextual } from "./sql-types.ts";
import { beyond } from "./tree.ts";
import type { CollationShape } from "./types.ts";
import { partsOf } from "./walk.ts";

/** The collation of `name`, whatever the database's is. */
const c: CollationShape = { isDeterministic: true, isByteOrder: true, foldsAscii: true };

/**
 * The collation that PostgreSQL would choose for a comparison of these texts
 * (https://www.postgresql.org/docs/current/collation.html#COLLATION-CONCEPTS): that of the columns in them, else the database's.
 * Two columns with collations of their own may conflict, which is an error there and beyond us here.
 * @throws Beyond also when it is one under which equal texts may differ
 */
export function collationOf(
  database: CollationShape,
  expressions: readonly Expression[],
  more: readonly (CollationShape | null)[] = [],
): CollationShape {
  const own = new Map<string, CollationShape>();
  const visit = (expression: Expression): void => {
    const type = elementOf(expression.type) ?? expression.type;
    if (expression.node === "column") {
      if (type === "name") own.set("name", c);
      else if (isTextual(type) && expression.collation !== null)
        own.set(`column ${expression.name}`, expression.collation);
    } else if (type === "name") {
      own.set("name", c);
    }
    partsOf(expression).forEach(visit);
  };
  expressions.forEach(visit);
  for (const [at, collation] of more.entries()) if (collation !== null) own.set(`more ${at}`, collation);
  if (own.size > 1) beyond("texts of two collations");
  const [only] = own.values();
  const collation = only ?? database;
  if (!collation.isDeterministic) beyond("text under a collation that is not deterministic");
  return collation;
}

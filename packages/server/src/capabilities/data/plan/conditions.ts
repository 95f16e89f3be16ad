import type { Catalog } from "../../../platform/postgres/catalog/types.ts";
import { problems } from "../problems.ts";
import type { Condition } from "../request.ts";
import { representation, resolveField } from "./fields.ts";
import type { EmbedDraft } from "./read.ts";
import type { ResolvedCondition, Rows } from "./types.ts";

/**
 * Settles one condition. A null test on an embed's name asks whether it found rows.
 * @throws PGRST120 for any other operator on an embed, 42703 for an unknown column.
 */
export function planCondition(
  catalog: Catalog,
  rows: Rows,
  embeds: readonly EmbedDraft[],
  condition: Condition,
): ResolvedCondition {
  if (condition.kind === "logic") {
    const conditions = condition.conditions.map((each) => planCondition(catalog, rows, embeds, each));
    return { ...condition, conditions };
  }
  const embed =
    condition.field.path.length === 0 ? embeds.find(({ name }) => name === condition.field.name) : undefined;
  if (embed !== undefined) {
    if (condition.kind === "is" && (condition.test === "null" || condition.test === "not_null")) {
      embed.isTested = true;
      return { kind: "embed-test", embed, isNull: (condition.test === "null") !== condition.negated };
    }
    // An embed may be called by its foreign key's column, which can still be filtered.
    if (rows.column(condition.field.name) === null) throw problems.embedFilter(embed.name);
  }
  const field = resolveField(catalog, rows, condition.field);
  switch (condition.kind) {
    case "compare":
    case "in":
      return { ...condition, field, representation: representation(catalog, field, "from-text") };
    default:
      return { ...condition, field };
  }
}

import type { Catalog } from "../../../platform/postgres/catalog/types.ts";
import { problems } from "../problems.ts";
import type { OrderTerm } from "../request.ts";
import { resolveField } from "./fields.ts";
import type { EmbedDraft } from "./read.ts";
import type { ResolvedOrder, Rows } from "./types.ts";

/**
 * Settles one order term. `rel(field)` orders by the row of a to-one embed.
 * @throws PGRST108 when `rel` is not embedded, PGRST118 when it is a list.
 */
export function planOrder(catalog: Catalog, rows: Rows, embeds: readonly EmbedDraft[], term: OrderTerm): ResolvedOrder {
  const { direction, nulls } = term;
  if (term.embed === null) return { field: resolveField(catalog, rows, term.field), embed: null, direction, nulls };
  const embed = embeds.find(({ name }) => name === term.embed);
  if (embed === undefined) throw problems.notEmbedded(term.embed);
  if (!embed.isToOne) throw problems.orderByMany(rows.name, embed.name);
  const field = resolveField(catalog, embed.level.rows, term.field);
  embed.orderFields.push(field);
  return { field, embed: { embed, index: embed.orderFields.length - 1 }, direction, nulls };
}

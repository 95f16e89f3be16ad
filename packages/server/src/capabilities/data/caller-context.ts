import type { Principal } from "../../kernel/principal.ts";
import type { Catalog, CatalogHolder } from "../../platform/postgres/catalog/types.ts";
import type { Statement } from "../../platform/postgres/session/types.ts";
import { type DataSettings, effectiveSettings } from "./effective.ts";
import { createPrologue, type Prologue } from "./prologue.ts";

/** What goes ahead of statements that run as `who`, in a transaction on whatever connection. */
export type CallerContext = (who: Principal) => readonly Statement[];

/**
 * The same role, claims, search path, settings and pre-request function as with a request to this API, for whoever lets the app's code run
 * statements of its own. There is no request: SQL that asks for one finds a POST to `/` without headers.
 */
export function createCallerContext(needs: {
  readonly catalog: CatalogHolder;
  readonly settings: DataSettings;
}): CallerContext {
  let known: { readonly catalog: Catalog; readonly schema: string; readonly prologue: Prologue } | null = null;

  return (who) => {
    const catalog = needs.catalog.current();
    if (known?.catalog !== catalog) {
      // What cannot be read there is reported by the API itself.
      const { extraSearchPath, preRequest, schemas } = effectiveSettings(
        needs.settings,
        catalog.configuration,
        () => {},
      );
      const prologue = createPrologue({ extraSearchPath, preRequest, mountLength: 0, catalog, defaults: new Map() });
      known = { catalog, schema: schemas[0] ?? "public", prologue };
    }
    return known.prologue(
      { who, method: "POST", path: "/", headers: {} },
      { schema: known.schema, isReadOnly: false, timezone: null, isolation: null, hoisted: [] },
    );
  };
}

import type { Catalog, Relation } from "../../platform/postgres/catalog/types.ts";
import type { CallShape } from "./plan/call.ts";
import { problems } from "./problems.ts";
import type { MediaRange } from "./request.ts";

/** What the answer is written as, and by whom. */
export type Format =
  | { readonly kind: "json"; readonly contentType: string; readonly stripsNulls: boolean }
  | { readonly kind: "object"; readonly contentType: string; readonly stripsNulls: boolean }
  | { readonly kind: "csv"; readonly contentType: string }
  | { readonly kind: "geojson"; readonly contentType: string }
  /** A scalar as it is; `isBinary` for `bytea`, which PostgreSQL prints in hexadecimal. */
  | { readonly kind: "raw"; readonly contentType: string; readonly isBinary: boolean }
  /** By the app's own aggregate or function over the rows. */
  | {
      readonly kind: "handler";
      readonly contentType: string;
      readonly function: string;
      readonly relation: Relation | null;
      readonly isBinary: boolean;
    };

/** How PostgreSQL would go about it, in place of the answer. */
export interface Explain {
  readonly format: "text" | "json";
  readonly options: readonly ("analyze" | "verbose" | "settings" | "buffers" | "wal")[];
  readonly contentType: string;
}

export interface Negotiated {
  readonly format: Format;
  readonly explain: Explain | null;
}

/** What there is to be written. */
export interface Producible {
  readonly shape: CallShape;
  readonly relation: Relation | null;
  /** Of a scalar: its type as PostgreSQL prints it. */
  readonly scalarType: string | null;
  readonly planEnabled: boolean;
}

const json: Format = { kind: "json", contentType: "application/json; charset=utf-8", stripsNulls: false };

/**
 * The first acceptable format, in the caller's order (RFC 9110 §12.5.1; PostgREST docs, Resource Representation).
 * @throws PGRST107 (406) when there is none.
 */
export function negotiate(catalog: Catalog, accept: readonly MediaRange[], what: Producible): Negotiated {
  for (const range of accept) {
    const explain = explainOf(range, what);
    if (explain !== null)
      return { format: formatFor(catalog, { ...range, type: explainedType(range) }, what) ?? json, explain };
    const format = formatFor(catalog, range, what);
    if (format !== null) return { format, explain: null };
  }
  throw problems.notAcceptable(accept.map(({ type }) => type));
}

function formatFor(catalog: Catalog, { type, parameters }: MediaRange, what: Producible): Format | null {
  const stripsNulls = parameters.nulls === "stripped";
  const own = mediaTypeOfDomain(what.scalarType);
  const wanted = type === "*/*" || type === "application/*" ? (own ?? "application/json") : type;
  if (own === wanted) return { kind: "raw", contentType: contentTypeOf(wanted), isBinary: isBinaryType(wanted) };
  switch (wanted) {
    case "application/json":
      return json;
    case "application/vnd.pgrst.array":
    case "application/vnd.pgrst.array+json":
      return { kind: "json", contentType: vendor("array", stripsNulls), stripsNulls };
    case "application/vnd.pgrst.object":
    case "application/vnd.pgrst.object+json":
      return { kind: "object", contentType: vendor("object", stripsNulls), stripsNulls };
    case "text/csv":
      return { kind: "csv", contentType: "text/csv; charset=utf-8" };
    case "application/geo+json":
      return hasPostgis(catalog) ? { kind: "geojson", contentType: "application/geo+json; charset=utf-8" } : null;
  }
  const handler = catalog.mediaHandlers.find(
    ({ mediaType, relation }) => mediaType === wanted && (relation === null || relation.oid === what.relation?.oid),
  );
  if (handler !== undefined) {
    const { function: fn, relation } = handler;
    return {
      kind: "handler",
      contentType: contentTypeOf(wanted),
      function: fn,
      relation,
      isBinary: isBinaryType(wanted),
    };
  }
  if (what.shape !== "scalar") return null;
  const isMatch =
    (wanted === "application/octet-stream" && what.scalarType === "bytea") ||
    (wanted === "text/plain" && what.scalarType === "text") ||
    (wanted === "text/xml" && what.scalarType === "xml");
  return isMatch ? { kind: "raw", contentType: contentTypeOf(wanted), isBinary: isBinaryType(wanted) } : null;
}

function explainOf({ type, parameters }: MediaRange, { planEnabled }: Producible): Explain | null {
  const match = /^application\/vnd\.pgrst\.plan(?:\+(text|json))?$/.exec(type);
  if (match === null || !planEnabled) return null;
  const format = match[1] === "json" ? "json" : "text";
  const asked = (parameters.options ?? "").split("|");
  const options = (["analyze", "verbose", "settings", "buffers", "wal"] as const).filter((each) =>
    asked.includes(each),
  );
  const about = explainedType({ type, parameters, weight: 1 });
  const detail = options.length === 0 ? "" : `; options=${options.join("|")}`;
  return {
    format,
    options,
    contentType: `application/vnd.pgrst.plan+${format}; for="${about}"${detail}; charset=utf-8`,
  };
}

function explainedType({ parameters }: MediaRange): string {
  const about = parameters.for ?? "";
  // What stands here is repeated in a response header.
  return /^[a-z0-9.+-]+\/[a-z0-9.+-]+$/.test(about) ? about : "application/json";
}

function vendor(what: "array" | "object", stripsNulls: boolean): string {
  return `application/vnd.pgrst.${what}+json${stripsNulls ? ";nulls=stripped" : ""}; charset=utf-8`;
}

function contentTypeOf(mediaType: string): string {
  return mediaType.startsWith("text/") ? `${mediaType}; charset=utf-8` : mediaType;
}

function isBinaryType(mediaType: string): boolean {
  return !mediaType.startsWith("text/");
}

/** A domain named like a media type says what its values are: `"image/png"`, `public."text/html"`. */
function mediaTypeOfDomain(type: string | null): string | null {
  return /(?:^|\.)"([a-z0-9.+-]+\/[a-z0-9.+-]+)"$/.exec(type ?? "")?.[1] ?? null;
}

function hasPostgis(catalog: Catalog): boolean {
  return catalog.allFunctions.some(({ name }) => name === "st_asgeojson");
}

import { integer, type Settings, type Values } from "../../../kernel/settings.ts";

/** Bounds of one request's words. All of them hold before anything recurses (threat B08). */
export const queryLimitSettings = {
  queryBytes: integer({
    env: ["MAINSTAY_QUERY_BYTES"],
    default: 65_536,
    unit: "bytes",
    min: 256,
    summary: "Longest query string of the REST API, still percent-encoded.",
  }),
  queryParameters: integer({
    env: ["MAINSTAY_QUERY_PARAMETERS"],
    default: 500,
    unit: "parameters",
    min: 1,
    summary: "Most parameters one REST query string may hold.",
  }),
  queryDepth: integer({
    env: ["MAINSTAY_QUERY_DEPTH"],
    default: 32,
    unit: "levels",
    min: 1,
    // Each level is a few stack frames of ours and one sub-select of PostgreSQL's.
    max: 500,
    summary: "Deepest nesting of embedded relations or of logic trees in a REST query.",
  }),
  queryNodes: integer({
    env: ["MAINSTAY_QUERY_NODES"],
    default: 1_000,
    unit: "nodes",
    min: 1,
    summary: "Most selected items, conditions and order terms one REST query may name.",
  }),
  listElements: integer({
    env: ["MAINSTAY_LIST_ELEMENTS"],
    default: 10_000,
    unit: "elements",
    min: 1,
    summary: "Most elements of one `in.(…)` list.",
  }),
} satisfies Settings;

export type QueryLimits = Values<typeof queryLimitSettings>;

export const defaultQueryLimits: QueryLimits = {
  queryBytes: queryLimitSettings.queryBytes.default,
  queryParameters: queryLimitSettings.queryParameters.default,
  queryDepth: queryLimitSettings.queryDepth.default,
  queryNodes: queryLimitSettings.queryNodes.default,
  listElements: queryLimitSettings.listElements.default,
};

import type { DatabaseFunction, Relation } from "../../../platform/postgres/catalog/types.ts";
import { type JsonObject, ref } from "./json.ts";
import { argumentParameter, bodyName, filterName } from "./parameters.ts";
import { argumentsSchema } from "./schemas.ts";

export const mediaTypes = [
  "application/json",
  "application/vnd.pgrst.object+json;nulls=stripped",
  "application/vnd.pgrst.object+json",
];

const answer = (description: string) => ({ description });

export const rootPath: JsonObject = {
  get: {
    tags: ["Introspection"],
    summary: "OpenAPI description (this document)",
    produces: ["application/openapi+json", "application/json"],
    responses: { 200: answer("OK") },
  },
};

/** What can be done with a relation: an operation is listed only where it can succeed. */
export function relationPath(relation: Relation): JsonObject {
  const { name } = relation;
  const about = { tags: [name], ...summarised(relation.comment) };
  const filters = relation.columns.map((column) => ref("parameters", filterName(relation, column.name)));
  const shared = (...names: readonly string[]) => names.map((one) => ref("parameters", one));
  const rows = { description: "OK", schema: { type: "array", items: ref("definitions", name) } };
  return {
    get: {
      ...about,
      parameters: [...filters, ...shared("select", "order", "range", "rangeUnit", "offset", "limit", "preferCount")],
      responses: { 200: rows, 206: answer("Partial Content") },
    },
    ...(relation.isInsertable && {
      post: {
        ...about,
        parameters: shared(bodyName(relation), "select", "on_conflict", "preferPost"),
        responses: { 201: answer("Created") },
      },
    }),
    ...(relation.isDeletable && {
      delete: {
        ...about,
        parameters: [...filters, ...shared("preferReturn")],
        responses: { 204: answer("No Content") },
      },
    }),
    ...(relation.isUpdatable && {
      patch: {
        ...about,
        parameters: [...filters, ...shared(bodyName(relation), "preferReturn")],
        responses: { 204: answer("No Content") },
      },
    }),
  };
}

/** A call: POST always, GET where nothing can be written. */
export function functionPath(called: DatabaseFunction): JsonObject {
  const about = {
    tags: [`(rpc) ${called.name}`],
    ...summarised(called.comment),
    produces: mediaTypes,
    responses: { 200: answer("OK") },
  };
  const args = { name: "args", required: true, in: "body", schema: argumentsSchema(called) };
  return {
    ...(called.volatility !== "volatile" && {
      get: { ...about, parameters: called.parameters.filter(({ name }) => name !== "").map(argumentParameter) },
    }),
    post: { ...about, parameters: [args, ref("parameters", "preferParams")] },
  };
}

/** The first line of a comment, and the rest without the line breaks that part them. */
export function summarised(comment: string | null): { readonly summary?: string; readonly description?: string } {
  if (comment === null || comment === "") return {};
  const end = comment.indexOf("\n");
  if (end < 0) return { summary: comment };
  const description = comment.slice(end).replace(/^\n+/, "");
  return { summary: comment.slice(0, end), ...(description === "" ? {} : { description }) };
}

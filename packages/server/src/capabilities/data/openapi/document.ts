import type { Catalog } from "../../../platform/postgres/catalog/types.ts";
import { type JsonObject, object } from "./json.ts";
import { relationParameters, sharedParameters } from "./parameters.ts";
import { functionPath, mediaTypes, relationPath, rootPath, summarised } from "./paths.ts";
import type { Visible } from "./privileges.ts";
import { relationSchema } from "./schemas.ts";

export interface DocumentOptions {
  /** The schema the request is for. */
  readonly schema: string;
  /** What the caller may see; `null` shows everything (`ignore-privileges`). */
  readonly visible: Visible | null;
  /** Public URL of the API with its mount: `https://api.example.com/rest/v1`. */
  readonly serverUrl: string;
  /** Describe the bearer token. */
  readonly isSecured: boolean;
  /** Version of the server. */
  readonly version: string;
}

/**
 * The OpenAPI 2.0 document of one schema, as PostgREST serves it at the root: a path per relation and function, a definition per
 * relation, one named parameter per column. https://docs.postgrest.org/en/stable/references/api/openapi.html
 */
export function openApi(catalog: Catalog, options: DocumentOptions): JsonObject {
  const { schema, visible } = options;
  const relations = catalog.relations.filter(
    (one) => one.schema === schema && (visible === null || visible.relations.has(one.oid)),
  );
  const functions = catalog.allFunctions.filter(
    (one) => one.schema === schema && (visible === null || visible.functions.has(one.oid)),
  );
  const url = new URL(options.serverUrl);
  const { summary: title = "Mainstay REST API", description } = summarised(visible?.comment ?? null);
  return {
    swagger: "2.0",
    info: {
      title,
      description: description ?? "Tables, views and functions of the database, as its schema describes them.",
      version: options.version,
    },
    host: url.port === "" ? `${url.hostname}:${url.protocol === "https:" ? 443 : 80}` : url.host,
    basePath: url.pathname,
    schemes: [url.protocol.slice(0, -1)],
    consumes: [...mediaTypes, "text/csv"],
    produces: [...mediaTypes, "text/csv"],
    paths: object([
      ["/", rootPath],
      ...relations.map((one) => [`/${one.name}`, relationPath(one)] as const),
      // One path may stand for several functions of one name: the last one is shown, as there is room for one.
      ...functions.map((one) => [`/rpc/${one.name}`, functionPath(one)] as const),
    ]),
    definitions: object(relations.map((one) => [one.name, relationSchema(catalog, one)] as const)),
    parameters: object([...sharedParameters, ...relations.flatMap(relationParameters)]),
    ...(options.isSecured && {
      securityDefinitions: {
        JWT: {
          type: "apiKey",
          name: "Authorization",
          in: "header",
          description: 'Add the token prepending "Bearer " (without quotes) to it',
        },
      },
      security: [{ JWT: [] }],
    }),
    externalDocs: {
      description: "The dialect's documentation",
      url: "https://docs.postgrest.org/en/stable/references/api.html",
    },
  };
}

import { Problem } from "../../kernel/problem.ts";

/** The refusals of the dialect, by its own codes (PostgREST docs, Errors, PostgREST Error Codes). */
export const problems = {
  /** The query string, or a value in it, cannot be understood. */
  unreadable: (message: string, details: string | null = null) => new Problem("PGRST100", 400, message, { details }),
  /** A function is called with a method other than GET, HEAD, POST or OPTIONS. */
  functionMethod: (method: string) =>
    new Problem("PGRST101", 405, `Cannot use the ${method} method on RPC`, {
      headers: { Allow: "OPTIONS,GET,HEAD,POST" },
    }),
  /** The body is empty, malformed, or of a shape the operation cannot use. */
  invalidBody: (message: string, details: string | null = null) => new Problem("PGRST102", 400, message, { details }),
  /** A limit, offset or Range that cannot be satisfied. */
  invalidRange: (details: string, total?: number) =>
    new Problem("PGRST103", 416, "Requested range not satisfiable", {
      details,
      headers: total === undefined ? {} : { "Content-Range": `*/${total}` },
    }),
  /** PUT needs one `eq` filter on every primary key column and nothing else. */
  putFilters: () =>
    new Problem("PGRST105", 405, "Filters must include all and only primary key columns with 'eq' operators"),
  /** The profile header names a schema that is not served. */
  unknownSchema: (schema: string, exposed: readonly string[]) =>
    new Problem("PGRST106", 406, `Invalid schema: ${schema}`, {
      hint: `Only the following schemas are exposed: ${exposed.join(", ")}`,
    }),
  /** Nothing the request accepts can be produced. */
  notAcceptable: (types: readonly string[]) =>
    new Problem("PGRST107", 406, `None of these media types are available: ${types.join(", ")}`),
  /** A filter, order or limit is for something that `select` does not embed. */
  notEmbedded: (name: string) =>
    new Problem("PGRST108", 400, `'${name}' is not an embedded resource in this request`, {
      hint: `Verify that '${name}' is included in the 'select' query parameter.`,
    }),
  /** The function set `response.headers` to something that is not a JSON array of single-key objects. */
  responseHeaders: () =>
    new Problem(
      "PGRST111",
      500,
      "response.headers guc must be a JSON array composed of objects with a single key and a string value",
    ),
  /** The function set `response.status` to something that is not a status. */
  responseStatus: () => new Problem("PGRST112", 500, "response.status guc must be a valid status code"),
  /** PUT's body must be the row its URL names. */
  putMismatch: () => new Problem("PGRST115", 400, "Payload values do not match URL in primary key column(s)"),
  /** PUT is about one row: it has no page. */
  putPage: () => new Problem("PGRST114", 400, "limit/offset querystring parameters are not allowed for PUT"),
  /** One object was asked for, and the result has another number of rows. */
  notSingular: (rows: number) =>
    new Problem("PGRST116", 406, "Cannot coerce the result to a single JSON object", {
      details: `The result contains ${rows} rows`,
    }),
  /** Relations know GET, HEAD, POST, PUT, PATCH, DELETE and OPTIONS. */
  unsupportedMethod: (method: string) => new Problem("PGRST117", 405, `Unsupported HTTP method: ${method}`),
  /** Parents can only be ordered by a to-one embed. */
  orderByMany: (origin: string, target: string) =>
    new Problem("PGRST118", 400, `A related order on '${target}' is not possible`, {
      details: `'${origin}' and '${target}' do not form a many-to-one or one-to-one relationship`,
    }),
  /** Embeds are only tested for null. */
  embedFilter: (name: string) =>
    new Problem("PGRST120", 400, `Bad operator on the '${name}' embedded resource`, {
      hint: "Only is null or not is null filters are allowed on embedded resources",
    }),
  /** `raise sqlstate 'PGRST'` needs JSON in MESSAGE and DETAIL. */
  malformedRaise: () =>
    new Problem("PGRST121", 500, "Could not parse JSON in the \"RAISE SQLSTATE 'PGRST'\" error", {
      hint: "MESSAGE must be a JSON object with obligatory keys: 'code', 'message' and optional keys: 'details', 'hint'. DETAIL must be a JSON object with obligatory keys: 'status', 'headers' and optional key: 'status_text'.",
    }),
  /** `handling=strict`, and a preference is not understood. */
  unknownPreferences: (unknown: readonly string[]) =>
    new Problem("PGRST122", 400, "Invalid preferences given with handling=strict", {
      details: `Invalid preferences: ${unknown.join(", ")}`,
    }),
  /** Aggregates are off; see the setting `aggregatesEnabled`. */
  aggregatesOff: () => new Problem("PGRST123", 400, "Use of aggregate functions is not allowed"),
  /** The path is neither a relation nor a function call. */
  badPath: () => new Problem("PGRST125", 404, "Invalid path specified in request URL"),
  /** The document at the root is switched off. */
  rootDisabled: () => new Problem("PGRST126", 404, "Root endpoint metadata is disabled"),
  /** Understood, and refused by the dialect itself: PostgREST defines no aggregates over a spread list of rows either. */
  notImplemented: (details: string) => new Problem("PGRST127", 400, "Feature not implemented", { details }),
  /** `max-affected` counts rows: the function must return a set. */
  maxAffectedScalar: () =>
    new Problem(
      "PGRST128",
      400,
      "Function must return SETOF or TABLE when max-affected preference is used with handling=strict",
    ),
  /** Nothing relates the two. */
  noRelationship: (origin: string, target: string, schema: string, hint: string | null) =>
    new Problem(
      "PGRST200",
      400,
      `Could not find a relationship between '${origin}' and '${target}' in the schema cache`,
      {
        details: `Searched for a foreign key relationship between '${origin}' and '${target}' ${
          hint === null ? "" : `using the hint '${hint}' `
        }in the schema '${schema}', but no matches were found.`,
      },
    ),
  /** More than one thing relates the two: the request must say which. */
  ambiguousRelationship: (origin: string, target: string, choices: readonly unknown[], hints: readonly string[]) =>
    new Problem(
      "PGRST201",
      300,
      `Could not embed because more than one relationship was found for '${origin}' and '${target}'`,
      {
        details: choices,
        hint: `Try changing '${target}' to one of the following: ${hints.map((hint) => `'${hint}'`).join(", ")}. Find the desired relationship in the 'details' key.`,
      },
    ),
  /** No function takes these arguments. */
  noFunction: (schema: string, name: string, given: readonly string[], searched: string) =>
    new Problem(
      "PGRST202",
      404,
      `Could not find the function ${schema}.${name}${given.length === 0 ? " without parameters" : `(${given.join(", ")})`} in the schema cache`,
      {
        details: `Searched for the function ${schema}.${name} ${searched}, but no matches were found in the schema cache.`,
      },
    ),
  /** Several functions take these arguments equally well. */
  ambiguousFunction: (candidates: readonly string[]) =>
    new Problem("PGRST203", 300, `Could not choose the best candidate function between: ${candidates.join(", ")}`, {
      hint: "Try renaming the parameters or the function itself in the database so function overloading can be resolved",
    }),
  /** A key of the body, or a name in `columns`, is not a column. */
  unknownBodyColumn: (column: string, relation: string) =>
    new Problem("PGRST204", 400, `Could not find the '${column}' column of '${relation}' in the schema cache`),
  /** No table or view of this name is served. */
  noRelation: (schema: string, name: string) =>
    new Problem("PGRST205", 404, `Could not find the table '${schema}.${name}' in the schema cache`),
  /** The answer PostgreSQL would give, given before it is asked. */
  unknownColumn: (relation: string, column: string) =>
    new Problem("42703", 400, `column ${relation}.${column} does not exist`),
  /** A name longer than PostgreSQL keeps. */
  longName: (name: string) => problems.unreadable(`The name "${name.slice(0, 40)}…" is longer than 63 bytes`),
  /** More of something than one request may ask. */
  tooMany: (what: string, max: number) =>
    problems.unreadable(`The request asks for too much: at most ${max} ${what} are allowed`),
} as const;

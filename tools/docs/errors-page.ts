import { code, generatedBy, page, table } from "./markdown.ts";
import { readRows, readSpecialStates, readTranslations, type Translation } from "./read-boundary.ts";
import { type DocumentedProblem, type Helper, helpersIn, readProblems, readThrown } from "./read-problems.ts";
import { tokenize } from "./tokens.ts";

/** A source file of the server: its path from the server's `src`, and its text. */
export interface SourceFile {
  readonly path: string;
  readonly text: string;
}

const dataFolder = "capabilities/data/";
const authFolder = "capabilities/auth/";
const storageFolder = "capabilities/storage/";
const functionsFolder = "capabilities/functions/";

/** Sections of the page, by the part of a code before its slash. */
const areas: Readonly<Record<string, string>> = {
  http: "Requests, before and around a route",
  identity: "Keys and tokens",
  postgres: "The database",
  catalog: "The catalogue",
  changes: "The log of changes",
  realtime: "Realtime: `/realtime/v1`",
  transaction: "Transactions of functions",
  jobs: "Jobs, schedules and workflows",
  webhooks: "Webhooks",
  migrations: "Migrations",
  seed: "Seeds",
  internal: "Our mistakes",
};

/** How `statusOf` treats what its tables do not: checked against the source, so that a new case is not forgotten here. */
const specialStates: Readonly<Record<string, readonly [status: string, when: string]>> = {
  "42501": ["403, or 401", "the role may not: 403 when signed in, 401 when anonymous"],
  "21000": ["500, or 400", "400 when an update or delete without a filter is refused by `safeupdate`"],
  "22023": ["400, or 401", "401 when the token's role does not exist"],
  "42883": ["404, or 406", "406 when it is `xmlagg` that is missing"],
};

/** Refusals that a statement of ours raises inside of PostgreSQL; their codes are checked against `raise.ts`. */
const raisedInSql: Readonly<Record<string, string>> = {
  PGRST115: "PUT: the primary key in the body is not the one in the URL.",
  PGRST116: "One object was asked for, and a write would touch another number of rows. Nothing was written.",
  PGRST124: "The write would touch more rows than `max-affected` allows. Nothing was written.",
};

/** What single states mean. https://www.postgresql.org/docs/current/errcodes-appendix.html */
const states: Readonly<Record<string, string>> = {
  "23503": "a foreign key",
  "23505": "a unique constraint",
  "25006": "a write in a read-only transaction: a function called with GET",
  "42P01": "no such table",
  "42P17": "an invalid object definition, such as a policy that asks itself",
  "53400": "a configured limit was exceeded",
  "57P01": "PostgreSQL is shutting down",
  P0001: "`raise exception` of a function of yours",
};

/** What classes are about. https://www.postgresql.org/docs/current/errcodes-appendix.html */
const classes: Readonly<Record<string, string>> = {
  "08": "connection",
  "09": "triggered action",
  "0L": "invalid grantor",
  "0P": "invalid role",
  "25": "transaction state",
  "28": "authorization",
  "2D": "transaction termination",
  "38": "external routine",
  "39": "external routine invocation",
  "3B": "savepoint",
  "40": "transaction rolled back: a conflict or a deadlock",
  "53": "resources: disk, memory, connections",
  "54": "a limit of PostgreSQL",
  "55": "object not in the state it would have to be in",
  "57": "operator intervention, such as `statement_timeout` (57014)",
  "58": "the system PostgreSQL runs on",
  F0: "configuration file",
  HV: "foreign data",
  P0: "PL/pgSQL",
  XX: "internal",
};

/**
 * `errors.md`: every failure the server can name.
 * @throws Error naming a problem without a doc comment, or a case that is described nowhere
 */
export function errorsPage(files: readonly SourceFile[]): string {
  const named = files.filter(({ path }) => path.endsWith("/problems.ts"));
  const found = [
    ...named.flatMap(({ path, text }) =>
      readProblems(text, path, helpersAbove(path, named)).map((problem) => ({ path, problem })),
    ),
    ...thrownElsewhere(files.filter(({ path }) => !path.endsWith("/problems.ts"))),
  ];
  const of = (isWanted: (path: string, area: string) => boolean) =>
    found
      .filter(({ path, problem }) => isWanted(path, areaOf(problem.code)))
      .map(({ problem }) => problem)
      .toSorted((a, b) => compare(a.code, b.code));
  const isElse = (path: string) =>
    ![dataFolder, authFolder, storageFolder, functionsFolder].some((folder) => path.startsWith(folder));
  const unknown = found.find(({ path, problem }) => isElse(path) && !areas[areaOf(problem.code)]);
  if (unknown) throw new Error(`${unknown.problem.code} (${unknown.path}) is of an area that has no section here.`);
  return page(
    generatedBy("every `problems.ts` of the server, and what is thrown beside them"),
    "# Errors",
    "A code never changes its meaning. Messages may be reworded: they are for people, and say what to do next. `{…}` stands for what varies.",
    shapes,
    "## Data: `/rest/v1`",
    "The codes are those of PostgREST, or PostgreSQL's own SQLSTATE.",
    problemTable([...of((path) => path.startsWith(dataFolder)), ...raised(textOf(files, `${dataFolder}raise.ts`))]),
    "What other parts refuse is said here in the dialect's codes:",
    translationTable(readTranslations(textOf(files, `${dataFolder}boundary.ts`))),
    "Whatever else another part refuses (a body that is too large, a header sent twice) keeps its own code.",
    stateSection(textOf(files, `${dataFolder}sqlstate.ts`)),
    "## Sign-in: `/auth/v1`",
    "The codes are those of GoTrue, and stand in `error_code` (or in `code`, see above) without the `auth/`.",
    problemTable(of((path) => path.startsWith(authFolder))),
    "What other parts refuse is said here in the dialect's codes:",
    translationTable(readTranslations(textOf(files, `${authFolder}boundary.ts`))),
    "Whatever else another part refuses takes the code of its status: 400 `validation_failed`, 401 `no_authorization`, 404 `feature_disabled`, 413 `request_entity_too_large`, 429 `over_request_rate_limit`, 500 and 503 `unexpected_failure`, 504 `request_timeout`, any other `unknown`.",
    "## Files: `/storage/v1`",
    "The codes are those of Supabase's storage, in `code`. Clients of that protocol expect status 400 for nearly all of them, and the status below in `statusCode`. Resumable uploads and S3 answer with the status itself.",
    problemTable(of((path) => path.startsWith(storageFolder))),
    "## Functions: `/functions/v1`",
    "Codes in capitals are answers of the endpoint, those of Supabase's Edge Functions among them; `timeout`, `network` and their like are what `ctx.http` rejects with; the others are errors in a handler, by their `code`.",
    problemTable(of((path) => path.startsWith(functionsFolder))),
    ...Object.entries(areas).flatMap(([area, title]) => {
      const problems = of((path, each) => isElse(path) && each === area);
      return problems.length === 0 ? [] : [`## ${title}`, problemTable(problems)];
    }),
  );
}

const shapes = `Each protocol says an error in the shape its clients know:

| where | shape |
|---|---|
| \`/rest/v1\` | \`{"code", "details", "hint", "message"}\`, all four always there |
| \`/auth/v1\` | \`{"code": <status>, "error_code", "msg"}\`; with the header \`X-Supabase-Api-Version: 2024-01-01\` it is \`{"code": "<error_code>", "message"}\` |
| \`/functions/v1\` | \`{"code", "message"}\` |
| \`/realtime/v1\` | \`{"error"}\` in place of a websocket |
| everything else | \`application/problem+json\` ([RFC 9457](https://www.rfc-editor.org/rfc/rfc9457)) |

A command line shows the message, and the hint below it.`;

function thrownElsewhere(files: readonly SourceFile[]): { path: string; problem: DocumentedProblem }[] {
  const shared: readonly Helper[] = files.flatMap(({ text }) => helpersIn(tokenize(text)));
  const seen = new Set<string>();
  return files.flatMap(({ path, text }) =>
    readThrown(text, shared)
      .filter((problem) => {
        const key = `${problem.code} ${problem.message}`;
        return !seen.has(key) && seen.add(key);
      })
      .map((problem) => ({ path, problem })),
  );
}

/** A room of a capability says whose failure it is by its capability's helper. */
function helpersAbove(path: string, named: readonly SourceFile[]): readonly Helper[] {
  const above = path.replace(/[^/]+\/problems\.ts$/, "problems.ts");
  return named.filter((file) => file.path === above && above !== path).flatMap(({ text }) => helpersIn(tokenize(text)));
}

/** One row for what has the same code, status and meaning: only the words differ. */
function problemTable(problems: readonly DocumentedProblem[]): string {
  const rows = Map.groupBy(problems, (problem) =>
    JSON.stringify([problem.code, problem.statuses.join(" or "), meaningOf(problem)]),
  );
  return table(
    ["code", "status", "message", "what it means"],
    [...rows].map(([key, same]) => {
      const [name = "", statuses = "", meaning = ""] = JSON.parse(key) as string[];
      const messages = same.flatMap(({ message }) => (message === null ? [] : [code(message)]));
      return [code(name), statuses, messages.join("<br>"), meaning];
    }),
  );
}

function meaningOf({ meaning, hint }: DocumentedProblem): string {
  return [meaning, hint].filter((text) => text !== null && text !== "").join(" ") || "The message says it.";
}

function raised(source: string): readonly DocumentedProblem[] {
  const rows = readRows(source, "ownStatus");
  if (rows.map(([each]) => each).join() !== Object.keys(raisedInSql).join()) {
    throw new Error(`raise.ts answers ${rows.map(([each]) => each).join(", ")}; described are others.`);
  }
  return rows.map(([each = "", status]) => ({
    code: each,
    statuses: [Number(status)],
    message: null,
    meaning: raisedInSql[each] ?? null,
    hint: null,
  }));
}

function translationTable(translations: readonly Translation[]): string {
  return table(
    ["elsewhere", "here", "status"],
    translations.map((translation) => [
      code(translation.code),
      translation.becomes.map((each) => code(each.code)).join(" or "),
      translation.becomes.map((each) => each.status ?? "the same").join(" or "),
    ]),
  );
}

function stateSection(source: string): string {
  const special = readSpecialStates(source);
  const described = Object.keys(specialStates).sort();
  if (special.join() !== described.join()) {
    throw new Error(`statusOf treats ${special.join(", ")} by themselves; described are ${described.join(", ")}.`);
  }
  const rows = [
    ...described.map((state) => [code(state), ...(specialStates[state] ?? [])]),
    ...readRows(source, "byCode")
      .filter(([state = ""]) => specialStates[state] === undefined)
      .map(([state = "", status = ""]) => [code(state), status, states[state] ?? ""]),
    ...readRows(source, "byClass").map(([state = "", status = ""]) => [
      `the rest of class ${code(state)}`,
      status,
      classes[state] ?? "",
    ]),
    ["anything else", "400", "a value, a constraint or a name that PostgreSQL refuses"],
  ];
  return [
    "### SQLSTATE to status",
    "",
    "What PostgreSQL refuses keeps its SQLSTATE as `code`, and its message, detail and hint. `raise sqlstate 'PT402'` answers with that status; `raise sqlstate 'PGRST'` with JSON in MESSAGE and DETAIL says the whole answer.",
    "",
    table(["SQLSTATE", "status", ""], rows),
  ].join("\n");
}

function textOf(files: readonly SourceFile[], path: string): string {
  const file = files.find((each) => each.path === path);
  if (file === undefined) throw new Error(`There is no ${path} to read.`);
  return file.text;
}

const areaOf = (problemCode: string): string => problemCode.split("/")[0] ?? "";
const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

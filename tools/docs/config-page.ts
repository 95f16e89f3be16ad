import type { Setting, Settings } from "@mainstay/server";
import { type GroupName, settingGroups } from "@mainstay/server/config";
import { code, generatedBy, page, table } from "./markdown.ts";
import { readRows } from "./read-boundary.ts";

/** What each group is about. A new group does not compile until it is said. */
const groupTexts: Readonly<Record<GroupName, string>> = {
  http: "Where the server listens, whom it believes, and how much and how long it lets anyone take.",
  postgres: "The database, and the server's connections to it.",
  embedded: "The PostgreSQL that Mainstay starts itself. None of these applies when a database URL is given.",
  migrations: "Migrations and seeds.",
  catalog: "How the server keeps up with the database's schema.",
  identity: "Keys, and whose tokens are believed.",
  auth: "Sign-in: who may have an account, passwords, sessions, limits, mails and text messages.",
  outbox: "How messages to the outside are delivered, and for how long that is tried.",
  data: "The data API under `/rest/v1`. The `PGRST_…` names are PostgREST's.",
  queries: "Bounds of one request to the data API.",
  changes: "The log of committed changes that realtime and others read.",
  nodes: "How the processes on one database know each other.",
  policies: "How row level security is decided for what the log says.",
  realtime: "Websockets under `/realtime/v1`: channels, broadcast, presence, row changes.",
  jobs: "Work that outlives a request: jobs, workflows, schedules.",
  functions:
    "The app's own code in `functions/`: endpoints under `/functions/v1`, jobs, schedules, reactions to changes.",
  webhooks:
    "Calls to other servers that the database causes: webhooks, `net.http_post`, `supabase_functions.http_request`.",
  storage: "Files under `/storage/v1`: buckets, uploads, images, signed URLs, S3.",
  observe: "Logs.",
};

/**
 * `config.md`: every setting of the server.
 * @param supabaseConfigSource text of the module that reads `supabase/config.toml`
 * @throws Error when that module names a setting that does not exist
 */
export function configPage(supabaseConfigSource: string): string {
  const groups = (Object.keys(settingGroups) as GroupName[]).map((name) => groupSection(name));
  return page(
    generatedBy("every `settings.ts` of the server"),
    "# Settings",
    `Every setting has a default: the server starts with none given. \`mainstay config show\` prints the values in force and where each comes from.`,
    [
      "What is said in several places is taken from the first of:",
      "",
      "1. a flag of the command: `--port`, `--host`",
      "2. the environment",
      "3. `.env.local`, then `.env`, in the project's folder",
      "4. `mainstay.config.ts`",
      "5. `supabase/config.toml`",
      "6. the default",
    ].join("\n"),
    "Several variables may set one thing: the first that is set counts, in the order shown. The first is ours, the others are those of other products, so that an existing configuration carries over. A variable that is set to nothing counts as not set.",
    "In the environment and in `supabase/config.toml` a value in `s` or `ms` may also be a duration as Go writes it, `90s`, `5m0s`, `1h30m`, `300ms`; what is left of a whole unit counts as one. A rate with a time of its own, `30/1h`, is none of ours.",
    "A **secret** is never printed. It may also be read from a file, whose path is in the variable's name with `_FILE` added: `MAINSTAY_JWT_SECRET_FILE=/run/secrets/jwt`.",
    "In `mainstay.config.ts` settings are grouped as below. A name that does not exist is refused:",
    '```ts\nexport default {\n  http: { port: 8080 },\n  data: { schemas: ["public", "api"], maxRows: 500 },\n};\n```',
    ...groups,
    supabaseSection(supabaseConfigSource),
  );
}

function groupSection(name: GroupName): string {
  const rows = Object.entries(settingGroups[name] as Settings).map(([setting, value]) => [
    code(setting),
    value.env.map(code).join("<br>"),
    kindOf(value),
    defaultOf(value),
    `${value.summary}${value.isSecret ? " **Secret.**" : ""}`,
  ]);
  return `## \`${name}\`\n\n${groupTexts[name]}\n\n${table(["setting", "environment", "value", "default", "what it is"], rows)}`;
}

function kindOf(setting: Setting): string {
  switch (setting.type) {
    case "string":
      return setting.choices?.map(code).join(", ") ?? "text";
    case "boolean":
      return "`true`, `false`";
    case "list":
      return "list, with commas";
    case "object":
      return "JSON object";
    case "integer":
      return `${setting.unit}${bounds(setting.min, setting.max)}`;
  }
}

function bounds(min: number | undefined, max: number | undefined): string {
  if (min !== undefined && max !== undefined) return `, ${min} to ${max}`;
  if (min !== undefined) return `, at least ${min}`;
  return max === undefined ? "" : `, at most ${max}`;
}

function defaultOf(setting: Setting): string {
  const value: unknown = setting.default;
  if (value === null || (Array.isArray(value) && value.length === 0)) return "none";
  if (Array.isArray(value)) return code(value.join(","));
  if (setting.type === "object")
    return Object.keys(setting.default).length === 0 ? "none" : code(JSON.stringify(value));
  if (typeof value !== "number" || setting.type !== "integer") return code(String(value));
  const readable = readableOf(value, setting.unit);
  return readable === null ? code(String(value)) : `${code(String(value))} (${readable})`;
}

/** A number in the larger unit a person would use, where it comes out even. */
function readableOf(value: number, unit: string): string | null {
  const larger: Readonly<Record<string, readonly (readonly [size: number, name: string])[]>> = {
    bytes: [
      [1024 ** 3, "GiB"],
      [1024 ** 2, "MiB"],
      [1024, "KiB"],
    ],
    KiB: [[1024, "MiB"]],
    ms: [
      [3_600_000, "h"],
      [60_000, "min"],
      [1000, "s"],
    ],
    s: [
      [86_400, "days"],
      [3600, "h"],
      [60, "min"],
    ],
  };
  const fit = larger[unit]?.find(([size]) => value >= size && value % size === 0);
  return fit === undefined ? null : `${value / fit[0]} ${fit[1]}`;
}

function supabaseSection(source: string): string {
  const rows = readRows(source, "known").map(([key = "", group = "", name = "", convert]) => {
    const settings = settingGroups[group as GroupName] as Readonly<Record<string, unknown>> | undefined;
    if (settings?.[name] === undefined) {
      throw new Error(`${key} of supabase/config.toml is given to ${group}.${name}, and there is no such setting.`);
    }
    return [code(key), `${code(`${group}.${name}`)}${convert === undefined ? "" : `, ${convert}`}`];
  });
  return [
    "## From `supabase/config.toml`",
    "",
    "Of an existing project these keys are read, and nothing else of the file. `env(NAME)` is looked up in the environment and the `.env` files.",
    "",
    table(["key", "setting"], rows),
    "",
    "Of each `[auth.external.<provider>]` these are read: `enabled`, `client_id`, `secret`, `url`, `redirect_uri`, `email_optional`, `skip_nonce_check`; they are the provider's settings above.",
    "",
    "Sizes are as that file has them: `MB` and `MiB` are the same. Each `[storage.buckets.<name>]` is made at start, with `public`, `file_size_limit`, `allowed_mime_types`, and the files of `objects_path`: [files](../guide/storage.md#buckets).",
  ].join("\n");
}

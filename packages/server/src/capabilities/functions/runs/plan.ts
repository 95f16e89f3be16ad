import type { CronOptions, JobOptions, WebhookOptions } from "@mainstay/functions";
import { reasonOf } from "../../../kernel/reason.ts";
import { calendarOf } from "../../../platform/jobs/schedules/index.ts";
import { type ChangeHandler, changeJobs } from "../changes/types.ts";
import { inboundJobs } from "../inbound/types.ts";
import type { BuiltFunction, DefinitionSummary, Diagnostic } from "../types.ts";

/** Schedules' jobs have their names behind this. */
export const cronJobs = "mainstay.cron/";

/** A definition that runs as a job. */
export interface Runnable {
  /** The job's name. */
  readonly name: string;
  readonly functionName: string;
  readonly index: number;
  readonly kind: "job" | "batch" | "cron" | "change" | "webhook";
  /** Most of a batch; of all others `null`. */
  readonly size: number | null;
  readonly options: JobOptions;
}

export interface PlannedSchedule {
  readonly name: string;
  readonly functionName: string;
  readonly expression: string;
  readonly jobName: string;
  readonly options: CronOptions;
}

export interface PlannedWebhook {
  readonly functionName: string;
  readonly options: WebhookOptions;
}

/** What the functions of this node do besides answering requests. */
export interface Plan {
  readonly runnables: readonly Runnable[];
  readonly schedules: readonly PlannedSchedule[];
  readonly changes: readonly (ChangeHandler & { readonly functionName: string })[];
  readonly webhooks: readonly PlannedWebhook[];
  readonly diagnostics: readonly Diagnostic[];
}

/** Longest name of a job, a schedule or a handler, in characters. */
const longestName = 200;
const reserved = "mainstay.";
const operations = ["insert", "update", "delete"] as const;

type Found = { readonly of: BuiltFunction; readonly definition: DefinitionSummary };

/**
 * Reads what loaded functions define. Of what is named twice neither runs: which of them would is for its author to say.
 * @param defined by the name of the function: its definitions, or why there are none
 */
export function planOf(
  functions: readonly BuiltFunction[],
  defined: ReadonlyMap<string, readonly DefinitionSummary[] | Diagnostic>,
): Plan {
  const diagnostics: Diagnostic[] = [];
  const refuse = (of: BuiltFunction, message: string, hint: string | null = null) =>
    diagnostics.push(errorOf(of, message, hint));
  const found: Found[] = functions.flatMap((of) => {
    const given = defined.get(of.name) ?? [];
    return "severity" in given ? [] : given.map((definition) => ({ of, definition }));
  });
  const named = found.flatMap((one) => {
    const name = nameOf(one);
    if (name === null) return [];
    const problem = problemOf(one, name);
    if (problem === null) return [{ ...one, name }];
    refuse(one.of, ...problem);
    return [];
  });
  const unique: typeof named = [];
  for (const [name, same] of Map.groupBy(named, ({ name }) => name)) {
    const [first, ...others] = same;
    if (others.length === 0) {
      unique.push(first!);
      continue;
    }
    const files = [...new Set(same.map(({ of }) => of.file))];
    const where = files.length === 1 ? `twice in ${files[0]}` : `in ${files.join(" and in ")}`;
    for (const of of new Set(same.map((one) => one.of)))
      refuse(of, `"${shownName(name)}" is defined ${where}: none of them runs.`, "Give each a name of its own.");
  }
  const runnables = unique.map(({ of, definition, name }) => runnableOf(of, definition, name));
  return {
    runnables,
    schedules: unique.flatMap(({ of, definition, name }) =>
      definition.kind === "cron"
        ? [
            {
              name: name.slice(cronJobs.length),
              functionName: of.name,
              expression: definition.expression,
              jobName: name,
              options: definition.options,
            },
          ]
        : [],
    ),
    changes: unique.flatMap(({ of, definition, name }) =>
      definition.kind === "change" ? [{ ...handlerOf(definition, name), functionName: of.name }] : [],
    ),
    webhooks: unique.flatMap(({ of, definition }) =>
      definition.kind === "webhook" ? [{ functionName: of.name, options: definition.options }] : [],
    ),
    diagnostics,
  };
}

/** The job's name; `null` of an endpoint, which is none. */
function nameOf({ of, definition }: Found): string | null {
  switch (definition.kind) {
    case "http":
      return null;
    case "job":
    case "batch":
      return definition.name;
    case "cron":
      return `${cronJobs}${definition.options.name ?? `${of.name}/${definition.expression}`}`;
    case "change":
      return `${changeJobs}${
        definition.options.name ?? `${of.name}/${definition.table}/${definition.operations.join(",")}`
      }`;
    case "webhook":
      return `${inboundJobs}${of.name}`;
  }
}

/** As its author knows it. */
const shownName = (name: string): string =>
  [cronJobs, changeJobs, inboundJobs].reduce((shown, prefix) => shown.replace(prefix, ""), name);

function problemOf({ definition }: Found, name: string): [message: string, hint: string | null] | null {
  if (typeof name !== "string" || shownName(name) === "" || name.length > longestName) {
    return [`A job's name has 1 to ${longestName} characters.`, null];
  }
  const isOwn = definition.kind !== "job" && definition.kind !== "batch";
  if (!isOwn && name.startsWith(reserved)) {
    return [`"${name}": names that begin with "${reserved}" are the server's own.`, "Choose another name."];
  }
  if (definition.kind === "batch" && !(Number.isInteger(definition.options.size) && definition.options.size >= 1)) {
    return [`The batch "${name}" needs a size of at least 1.`, null];
  }
  if (definition.kind === "cron") {
    try {
      calendarOf(definition.expression, definition.options.timeZone ?? "UTC");
    } catch (error) {
      return [reasonOf(error), null];
    }
  }
  if (definition.kind === "change") {
    const unknown = definition.operations.find((one) => !operations.includes(one));
    if (unknown !== undefined) return [`There is no operation "${unknown}".`, `There are ${operations.join(", ")}.`];
    if (definition.operations.length === 0) return [`"${shownName(name)}" waits for no operation.`, null];
    const order = definition.options.order ?? "row";
    if (!["row", "handler", "none"].includes(order)) return [`There is no order "${order}".`, "row, handler or none."];
  }
  return null;
}

function runnableOf(of: BuiltFunction, definition: DefinitionSummary, name: string): Runnable {
  const { index, kind } = definition;
  const options: JobOptions = kind === "http" ? {} : definition.options;
  return {
    name,
    functionName: of.name,
    index,
    kind: kind as Runnable["kind"],
    size: kind === "batch" ? definition.options.size : null,
    options,
  };
}

function handlerOf(
  { table, operations, options }: Extract<DefinitionSummary, { readonly kind: "change" }>,
  name: string,
): ChangeHandler {
  const dot = table.indexOf(".");
  return {
    name: name.slice(changeJobs.length),
    schema: dot < 0 ? "public" : table.slice(0, dot),
    table: table.slice(dot + 1),
    operations,
    filter: options.filter ?? "",
    columns: options.columns ?? null,
    order: options.order ?? "row",
    maxAttempts: options.maxAttempts ?? null,
  };
}

const errorOf = (of: BuiltFunction, message: string, hint: string | null): Diagnostic => ({
  severity: "error",
  file: of.file,
  line: null,
  column: null,
  message,
  hint,
  source: null,
});

import type { Definition } from "./definition.ts";

type Options = Readonly<Record<string, unknown>>;

const amounts = [
  "timeoutMs",
  "memoryMb",
  "concurrency",
  "sharedBy",
  "size",
  "maxAttempts",
  "retryFirstMs",
  "retryMaxMs",
] as const;
const choices: Readonly<Record<string, readonly string[]>> = {
  missed: ["once", "all", "skip"],
  order: ["row", "handler", "none"],
  provider: ["stripe", "github", "standard", "hmac"],
};
const switches = ["verifyJwt", "ownsPreflight", "keepsDone"] as const;
const texts = ["name", "queue", "timeZone", "filter"] as const;
const operations: readonly unknown[] = ["insert", "update", "delete"];

/**
 * Says what is wrong with a definition, at the line that it stands on: the server reads definitions as a stranger's, and has no word for their author.
 * @throws TypeError naming what it should be
 */
export function checkDefinition(definition: Definition): void {
  const what = nameOf(definition);
  const must = (holds: boolean, words: string): void => {
    if (!holds) throw new TypeError(`${what}: ${words}.`);
  };
  must(typeof definition.handler === "function", "the last argument must be the function that does it");
  const options = definition.options as unknown;
  must(isRecord(options), "options must be an object, before the function");
  checkOptions(options as Options, must);
  switch (definition.kind) {
    case "job":
    case "batch":
      must(isText(definition.name), "the name must be a text");
      if (definition.kind === "batch") must(definition.options.size !== undefined, "options must have a size");
      break;
    case "cron":
      must(isText(definition.expression), "the expression must be a text, such as `0 8 * * *`");
      break;
    case "change": {
      must(isText(definition.table), "the table must be a text");
      const given = definition.operations as readonly unknown[];
      must(
        Array.isArray(given) && given.length > 0 && given.every((one) => operations.includes(one)),
        "operations are insert, update, delete, a list of these, or *",
      );
      break;
    }
    case "webhook":
      must(isText(definition.options.secret), "options must have a secret: its name in functions/.env");
      must(definition.options.provider !== undefined, "options must have a provider");
      if (definition.options.provider === "hmac")
        must(isText(definition.options.signature?.header), "of hmac, options must have signature.header");
  }
}

function checkOptions(options: Options, must: (holds: boolean, words: string) => void): void {
  for (const name of amounts) {
    const value = options[name];
    must(value === undefined || (typeof value === "number" && value > 0), `${name} must be a number above 0`);
  }
  for (const name of switches) {
    must(options[name] === undefined || typeof options[name] === "boolean", `${name} must be true or false`);
  }
  for (const name of texts) must(options[name] === undefined || isText(options[name]), `${name} must be a text`);
  for (const [name, allowed] of Object.entries(choices)) {
    const value = options[name];
    must(value === undefined || allowed.includes(value as string), `${name} must be one of ${allowed.join(", ")}`);
  }
}

const isText = (value: unknown): boolean => typeof value === "string" && value !== "";
const isRecord = (value: unknown): boolean => typeof value === "object" && value !== null && !Array.isArray(value);

/** As it is written in the file. */
function nameOf(definition: Definition): string {
  switch (definition.kind) {
    case "http":
      return "serve";
    case "job":
      return `job(${JSON.stringify(definition.name)})`;
    case "batch":
      return `batchJob(${JSON.stringify(definition.name)})`;
    case "cron":
      return `cron(${JSON.stringify(definition.expression)})`;
    case "change":
      return `on(${JSON.stringify(definition.table)})`;
    case "webhook":
      return "webhook";
  }
}

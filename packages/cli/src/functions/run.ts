import { readFile } from "node:fs/promises";
import { resolve } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import type { FunctionLog } from "@mainstay/server";
import { Command, InvalidArgumentError, Option } from "commander";
import { type Cli, CommandError, exitCodes } from "../cli.ts";
import { type JsonOptions, type ProjectOptions, projectDir, withJson, withProject } from "../commands/options.ts";
import { styleFor } from "../output/style.ts";
import { answerText, type CalledFunction, jsonOf } from "./answer.ts";
import { showLog } from "./show-log.ts";
import { type Served, withServed } from "./with-served.ts";

interface RunOptions extends ProjectOptions, JsonOptions {
  readonly data?: string;
  readonly method: string;
  readonly header?: readonly string[];
  readonly as: string;
}

const methods = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];
/** How long the log of an invocation is waited for, in ms, and how often it is looked for. */
const [logWaitMs, logLookMs] = [3_000, 100];
const logLimit = 1_000;

export function runCommand(cli: Cli): Command {
  return withJson(
    withProject(
      new Command("run")
        .description(
          "Call a function, and show what it answers and logs. Asks the server that runs; without one the project is started for this, for requests only. Ends with 1 when the answer is an error.",
        )
        .argument("<name>", "the function; a path or a query may follow: hello/world?x=1", nameOf)
        .option("--data <text>", "the body: JSON, other text, or a file as @path")
        .addOption(new Option("--method <method>", "how it is called").choices(methods).default("POST"))
        .option("--header <header>", "a header, as `name: value`; more than once for several", headerOf)
        .option("--as <caller>", "who calls: anon, service, or user:<id or address>", callerOf, "anon"),
    ),
  ).action((name: string, options: RunOptions) => run(cli, name, options));
}

async function run(cli: Cli, name: string, options: RunOptions): Promise<void> {
  const body = options.data === undefined ? undefined : await bodyOf(cli, options.data);
  const called = await withServed(cli, projectDir(cli, options), (served) => call(served, name, options, body));
  if (options.json) cli.out.write(`${JSON.stringify(jsonOf(called), null, 2)}\n`);
  else {
    cli.out.write(answerText(called, styleFor(cli.out, cli.env), cli.out.isTTY === true));
    const style = styleFor(cli.err, cli.env);
    for (const line of called.logs.filter(({ isEnd, level }) => !isEnd || level === "error")) {
      cli.err.write(`${showLog(line, style)}\n`);
    }
  }
  if (called.status >= 400) process.exitCode = exitCodes.failed;
}

async function call(
  served: Served,
  name: string,
  { method, header = [], as }: RunOptions,
  body: string | undefined,
): Promise<CalledFunction> {
  const { keys } = served.callers;
  const token = as === "service" ? keys.serviceRoleKey : as === "anon" ? keys.anonKey : await tokenOf(served, as);
  const headers = new Headers({
    apikey: as === "service" ? keys.serviceRoleKey : keys.anonKey,
    authorization: `Bearer ${token}`,
  });
  if (body !== undefined) headers.set("content-type", isJson(body) ? "application/json" : "text/plain;charset=UTF-8");
  for (const line of header) {
    const [given = "", ...rest] = line.split(":");
    headers.set(given.trim(), rest.join(":").trim());
  }
  const startedAtMs = performance.now();
  const answer = await fetch(`${served.url}/functions/v1/${name}`, {
    method,
    headers,
    redirect: "manual",
    ...(body === undefined || method === "GET" || method === "HEAD" ? {} : { body }),
  });
  const bytes = Buffer.from(await answer.arrayBuffer());
  const durationMs = performance.now() - startedAtMs;
  const requestId = answer.headers.get("x-request-id");
  // What the platform answers by itself was no invocation: of that there is no log.
  const isRelayed = answer.headers.get("x-relay-error") !== null;
  const logs = requestId === null || (isRelayed && answer.status < 500) ? [] : await logOf(served, requestId, name);
  return {
    status: answer.status,
    statusText: answer.statusText,
    headers: [...answer.headers],
    bytes,
    durationMs,
    requestId,
    logs,
  };
}

/** What this request alone has logged, when its end is there, or after a while: of some ends nothing is kept. */
async function logOf({ logs }: Served, requestId: string, name: string): Promise<readonly FunctionLog[]> {
  const [functionName] = name.split(/[/?]/);
  const untilMs = performance.now() + logWaitMs;
  for (;;) {
    const lines = (await logs.list({ requestId, limit: logLimit })).filter((line) => line.invocationId === requestId);
    const isOver = lines.some((line) => line.isEnd && line.functionName === functionName);
    if (isOver || performance.now() > untilMs) return lines;
    await delay(logLookMs);
  }
}

async function tokenOf({ callers }: Served, as: string): Promise<string> {
  const name = as.slice("user:".length);
  const token = await callers.tokenOf(name);
  if (token === null) {
    throw new CommandError(`There is no user ${name}.`, { hint: "`mainstay user list` shows who there is." });
  }
  return token;
}

async function bodyOf(cli: Cli, data: string): Promise<string> {
  if (!data.startsWith("@")) return data;
  const path = resolve(cli.cwd, data.slice(1));
  return readFile(path, "utf8").catch((error: unknown) => {
    throw new CommandError(`The file ${path} cannot be read.`, { exitCode: exitCodes.usage, cause: error });
  });
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

function nameOf(text: string): string {
  if (!/^[A-Za-z0-9][\w-]*(?:[/?][^\s#]*)?$/.test(text))
    throw new InvalidArgumentError("It is the name of a function.");
  return text;
}

function headerOf(text: string, before: readonly string[] = []): readonly string[] {
  if (!/^[!#$%&'*+.^_`|~\w-]+:[\t\x20-\x7e]*$/.test(text)) throw new InvalidArgumentError("A header is `name: value`.");
  return [...before, text];
}

function callerOf(text: string): string {
  if (!/^(?:anon|service|user:.+)$/.test(text))
    throw new InvalidArgumentError("It is anon, service, or user:<id or address>.");
  return text;
}

import type { DefinitionSummary, ProjectFunctions } from "@mainstay/server";
import { Command } from "commander";
import { type Cli, exitCodes } from "../cli.ts";
import { type JsonOptions, type ProjectOptions, projectDir, withJson, withProject } from "../commands/options.ts";
import { createProgress } from "../output/progress.ts";
import { type Style, styleFor } from "../output/style.ts";
import { showDiagnostic } from "./show.ts";

type ListOptions = ProjectOptions & JsonOptions;

export function listCommand(cli: Cli): Command {
  return withJson(
    withProject(
      new Command("list").description(
        "Load every function as the server would, and show what it defines. Ends with 1 when one cannot be loaded.",
      ),
    ),
  ).action((options: ListOptions) => run(cli, options));
}

async function run(cli: Cli, options: ListOptions): Promise<void> {
  const progress = createProgress(cli.err, styleFor(cli.err, cli.env));
  progress.update("Loading functions");
  const { inspectProjectFunctions } = await import("@mainstay/server");
  const found = await inspectProjectFunctions({
    projectDir: projectDir(cli, options),
    env: cli.env,
    observe: () => {},
  }).finally(() => progress.clear());
  if (options.json) cli.out.write(`${JSON.stringify(found)}\n`);
  else cli.out.write(table(found, styleFor(cli.out, cli.env)));
  if (found.diagnostics.some(({ severity }) => severity === "error")) process.exitCode = exitCodes.failed;
}

function table({ functions, diagnostics }: ProjectFunctions, style: Style): string {
  const rows = functions.flatMap(({ name, file, definitions }) =>
    definitions.map((definition, at) => [
      at === 0 ? name : "",
      definition.kind,
      wordsOf(definition, name),
      at === 0 ? file : "",
    ]),
  );
  const widths = [0, 1, 2].map((column) => Math.max(...rows.map((row) => row[column]!.length), 0));
  const lines = rows.map(([name = "", kind = "", words = "", file = ""]) =>
    `${style.bold(name.padEnd(widths[0]!))}  ${kind.padEnd(widths[1]!)}  ${words.padEnd(widths[2]!)}  ${style.dim(file)}`.trimEnd(),
  );
  if (rows.length === 0 && diagnostics.length === 0)
    lines.push("No functions. Write one: mainstay functions new hello");
  return [...lines, ...diagnostics.map((diagnostic) => showDiagnostic(diagnostic, style)), ""].join("\n");
}

/** What a definition answers to. */
function wordsOf(definition: DefinitionSummary, name: string): string {
  switch (definition.kind) {
    case "http":
      return `/functions/v1/${name}${definition.options.verifyJwt === false ? " (open to all)" : ""}`;
    case "webhook":
      return `/functions/v1/${name} (${definition.options.provider})`;
    case "job":
      return definition.name;
    case "batch":
      return `${definition.name} (up to ${definition.options.size} at once)`;
    case "cron":
      return `${definition.expression} ${definition.options.timeZone ?? "UTC"}`;
    case "change":
      return `${definition.table}: ${definition.operations.join(", ")}`;
  }
}

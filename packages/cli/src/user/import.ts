import { existsSync, readFileSync } from "node:fs";
import { resolve } from "node:path";
import { Command, Option } from "commander";
import { type Cli, CommandError, exitCodes } from "../cli.ts";
import { type JsonOptions, type ProjectOptions, withJson, withProject } from "../commands/options.ts";
import { createProgress } from "../output/progress.ts";
import { styleFor } from "../output/style.ts";
import { readHashConfig } from "./firebase.ts";
import { type ImportSummary, importFile } from "./import-file.ts";
import { RecordError } from "./record.ts";
import { openSource, type SourceName, sourceNames } from "./source.ts";
import { wholeNumber } from "./whole-number.ts";
import { withAccounts } from "./with-accounts.ts";

interface ImportOptions extends ProjectOptions, JsonOptions {
  readonly from: SourceName;
  readonly hashConfig?: string;
  readonly dryRun?: boolean;
  readonly confirmEmails?: boolean;
  readonly batch: number;
}

/** Refused entries printed one by one; the rest are counted. */
const maxPrinted = 20;

export function importCommand(cli: Cli): Command {
  return withJson(
    withProject(
      new Command("import")
        .description(
          "Take over accounts with their passwords. What is there already stays as it is, so an import can be repeated.",
        )
        .argument("<file>", "the export")
        .addOption(new Option("--from <product>", "where it is from").choices([...sourceNames]).makeOptionMandatory())
        .option("--hash-config <file>", "Firebase's password hash parameters, as its console shows them")
        .option("--confirm-emails", "count every e-mail address as confirmed")
        .option("--dry-run", "try everything, keep nothing")
        .addOption(
          new Option("--batch <number>", "accounts in one transaction").argParser(wholeNumber(1, 5_000)).default(500),
        ),
    ),
  ).action((file: string, options: ImportOptions) => run(cli, file, options));
}

async function run(cli: Cli, file: string, options: ImportOptions): Promise<void> {
  const path = existing(cli, file);
  const source = await openSource(options.from, path, hashConfigOf(cli, options));
  const progress = createProgress(cli.err, styleFor(cli.err, cli.env));
  const abort = new AbortController();
  const interrupt = () => abort.abort(new CommandError("Interrupted. What was imported stays; run it again to go on."));
  process.once("SIGINT", interrupt);
  let printed = 0;
  let summary: ImportSummary;
  try {
    summary = await withAccounts(cli, options, (accounts) =>
      importFile(accounts, source, {
        isDryRun: options.dryRun === true,
        batchSize: options.batch,
        confirmsEmails: options.confirmEmails === true,
        signal: abort.signal,
        onProgress: ({ read }) => progress.update("Importing", read),
        onFailure({ line, who, reason }) {
          if (printed++ < maxPrinted) progress.warn(`Line ${line}${who === "" ? "" : `, ${who}`}: ${reason}`);
        },
      }),
    );
  } finally {
    progress.clear();
    process.off("SIGINT", interrupt);
  }
  report(cli, options, summary, printed);
  if (summary.read === 0) {
    throw new CommandError(`${file} has no accounts in it.`, { hint: `Is it really an export of ${options.from}?` });
  }
  if (summary.invalid > 0) {
    const what = summary.invalid === 1 ? "1 entry was" : `${summary.invalid} entries were`;
    throw new CommandError(`${what} refused.`, { hint: "The others are in. Correct them and run it again." });
  }
}

function report(cli: Cli, options: ImportOptions, summary: ImportSummary, printed: number): void {
  if (options.json) {
    cli.out.write(`${JSON.stringify({ dryRun: options.dryRun === true, ...summary }, null, 2)}\n`);
    return;
  }
  const style = styleFor(cli.out, cli.env);
  if (printed > maxPrinted) cli.err.write(`  … and ${printed - maxPrinted} more; --json has the first 1,000\n`);
  const count = (value: number) => value.toLocaleString("en");
  const verb = options.dryRun ? "would be imported" : "imported";
  cli.out.write(`${style.green("✓")} ${count(summary.imported)} of ${count(summary.read)} ${verb}`);
  cli.out.write(summary.exists === 0 ? "\n" : `, ${count(summary.exists)} were there already\n`);
}

function existing(cli: Cli, file: string): string {
  const path = resolve(cli.cwd, file);
  if (!existsSync(path)) throw new CommandError(`There is no file ${file}.`, { exitCode: exitCodes.usage });
  return path;
}

function hashConfigOf(cli: Cli, { hashConfig }: ImportOptions) {
  if (hashConfig === undefined) return null;
  try {
    return readHashConfig(readFileSync(existing(cli, hashConfig), "utf8"));
  } catch (error) {
    if (!(error instanceof RecordError)) throw error;
    throw new CommandError(`${hashConfig}: ${error.message}.`, { exitCode: exitCodes.usage });
  }
}

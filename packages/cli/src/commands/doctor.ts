import { Command } from "commander";
import { type Cli, exitCodes } from "../cli.ts";
import { checks } from "../doctor/checks.ts";
import { unreadable } from "../doctor/configuration.ts";
import { type DoctorContext, type Finding, guarded } from "../doctor/finding.ts";
import { describeFailure } from "../output/failure.ts";
import { type Style, styleFor } from "../output/style.ts";
import { type JsonOptions, type ProjectOptions, projectDir, withJson, withProject } from "./options.ts";
import { projectConfig } from "./project-database.ts";

export function command(cli: Cli): Command {
  return withJson(
    withProject(
      new Command("doctor").description(
        "Check everything that can be checked, and say what to do. Ends with 1 when something does not work.",
      ),
    ),
  ).action(async (options: ProjectOptions & JsonOptions) => {
    const findings = await examine(cli, projectDir(cli, options), options.json ? null : styleFor(cli.out, cli.env));
    if (options.json) cli.out.write(`${JSON.stringify(findings, null, 2)}\n`);
    if (findings.some(({ state }) => state === "fail")) process.exitCode = exitCodes.failed;
  });
}

/** Runs every check in turn; with a style, each line is printed as it is known. */
async function examine(cli: Cli, dir: string, style: Style | null): Promise<readonly Finding[]> {
  const findings: Finding[] = [];
  const add = (found: readonly Finding[]) => {
    findings.push(...found);
    if (style !== null) for (const finding of found) cli.out.write(`${line(finding, style)}\n`);
  };
  let context: DoctorContext = { cli, projectDir: dir, config: null };
  try {
    context = { ...context, config: await projectConfig(cli, dir) };
  } catch (error) {
    const { message, hint } = describeFailure(error);
    add([unreadable(message, hint)]);
  }
  for (const [name, check] of checks) add(await guarded(name, check, context));
  if (style !== null) cli.out.write(`\n${summary(findings)}\n`);
  return findings;
}

function line({ name, state, found, remedy }: Finding, style: Style): string {
  const mark = state === "ok" ? style.green("ok  ") : state === "warn" ? style.yellow("warn") : style.red("fail");
  return `${mark}  ${name.padEnd(18)} ${found}${remedy === null ? "" : `\n      ${" ".repeat(18)} ${style.dim(remedy)}`}`;
}

function summary(findings: readonly Finding[]): string {
  const count = (state: Finding["state"]) => findings.filter((finding) => finding.state === state).length;
  if (count("fail") === 0 && count("warn") === 0) return "All is well.";
  return `${count("ok")} ok, ${count("warn")} to look at, ${count("fail")} not working.`;
}

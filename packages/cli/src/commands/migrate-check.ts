import { relative } from "node:path";
import type { Finding, Level } from "@mainstay/server/migrate";
import { type Cli, exitCodes } from "../cli.ts";
import { type Style, styleFor } from "../output/style.ts";
import { projectConfig } from "./project-database.ts";

/** Lints the project's migrations and prints what was found. Needs no database. Gives the exit code. */
export async function checkProject(cli: Cli, projectDir: string, isJson: boolean): Promise<number> {
  const findings = await findingsOf(cli, projectDir);
  const isBad = findings.some(({ level }) => level === "error");
  if (isJson) cli.out.write(`${JSON.stringify(findings, null, 2)}\n`);
  else {
    const style = styleFor(cli.out, cli.env);
    for (const finding of findings) cli.out.write(`${line(finding, cli, style)}\n`);
    cli.out.write(findings.length === 0 ? "Nothing to complain about.\n" : `\n${summary(findings)}\n`);
  }
  return isBad ? exitCodes.failed : exitCodes.ok;
}

/** What the linter says of the project's files; nothing when there are none. */
export async function findingsOf(cli: Cli, projectDir: string): Promise<readonly Finding[]> {
  const config = await projectConfig(cli, projectDir);
  const { checkMigrations, readMigrations } = await import("@mainstay/server/migrate");
  const { migrationsDir } = config.project;
  return migrationsDir === null
    ? []
    : checkMigrations(await readMigrations(migrationsDir), { schemas: config.data.schemas });
}

function line({ level, file, line: at, object, rule, message, advice }: Finding, cli: Cli, style: Style): string {
  const place =
    file === null ? object : `${file.startsWith("/") ? relative(cli.cwd, file) : file}${at === null ? "" : `:${at}`}`;
  return `${colourOf(level, style)(level.padEnd(7))}  ${place}  ${message} ${style.dim(`(${rule})`)}\n         ${style.dim(advice)}`;
}

function colourOf(level: Level, style: Style): (text: string) => string {
  if (level === "error") return style.red;
  return level === "warning" ? style.yellow : style.dim;
}

export function summary(findings: readonly Finding[]): string {
  const levels = [...Map.groupBy(findings, ({ level }) => level)];
  return levels.map(([level, found]) => `${found.length} ${level}`).join(", ");
}

import { relative } from "node:path";
import { fileURLToPath } from "node:url";
import type { OpenProjectDatabase } from "@mainstay/server";
import type { MigrationState } from "@mainstay/server/migrate";
import { Command } from "commander";
import { type Cli, exitCodes } from "../cli.ts";
import { createProgress } from "../output/progress.ts";
import { type Style, styleFor } from "../output/style.ts";
import { type JsonOptions, type ProjectOptions, projectDir, withJson, withProject } from "./options.ts";
import { withProjectDatabase } from "./project-database.ts";

type Options = ProjectOptions & JsonOptions;

export function command(cli: Cli): Command {
  const migrate = new Command("migrate").description("Apply, list, create and check migrations.");
  migrate.addCommand(
    withJson(
      withProject(
        new Command("up")
          .description("Apply what is pending, each file in a transaction of its own.")
          .option("--strict", "refuse when files and history differ, rather than report it"),
      ),
    ).action((options: Options & { readonly strict?: boolean }) => up(cli, options)),
  );
  migrate.addCommand(
    withJson(
      withProject(
        new Command("status").description(
          "List what is applied and what is pending. Ends with 1 where files and history differ.",
        ),
      ),
    ).action((options: Options) => status(cli, options)),
  );
  migrate.addCommand(
    withJson(
      withProject(
        new Command("new")
          .description("Create an empty migration, named by the time.")
          .argument("<name...>", "such as: add places"),
      ),
    ).action((words: string[], options: Options) => create(cli, words, options)),
  );
  migrate.addCommand(
    withJson(
      withProject(
        new Command("check").description(
          "Look for mistakes: tables without policies, slow policies, missing indexes, statements that block. Ends with 1 where an error is found.",
        ),
      ),
    ).action(async (options: Options) => {
      const { checkProject } = await import("./migrate-check.ts");
      process.exitCode = await checkProject(cli, projectDir(cli, options), options.json === true);
    }),
  );
  return migrate;
}

async function up(cli: Cli, options: Options & { readonly strict?: boolean }): Promise<void> {
  const env = options.strict ? { ...cli.env, MAINSTAY_MIGRATIONS_STRICT: "true" } : cli.env;
  const { applied, differences, warnings } = await withProjectDatabase(
    { ...cli, env },
    projectDir(cli, options),
    (open) => open.migrate(),
  );
  if (options.json) {
    cli.out.write(`${JSON.stringify({ applied, differences, warnings })}\n`);
    return;
  }
  const progress = createProgress(cli.out, styleFor(cli.out, cli.env));
  for (const { source, version, name, durationMs } of applied) {
    if (source === "project") progress.done(`${version}_${name} (${Math.round(durationMs)} ms)`);
  }
  const own = applied.filter(({ source }) => source === "own").length;
  if (own > 0) progress.done(`${own} of Mainstay's own`);
  if (applied.length === 0) progress.done("Nothing to do: everything is applied.");
}

async function status(cli: Cli, options: Options): Promise<void> {
  const { migrationStatus } = await import("@mainstay/server/migrate");
  const { migrations, differences } = await withProjectDatabase(cli, projectDir(cli, options), (open) =>
    migrationStatus({ database: open.database, own: ownMigrations(), project: projectMigrations(open) }),
  );
  if (differences.length > 0) process.exitCode = exitCodes.failed;
  if (options.json) {
    cli.out.write(`${JSON.stringify({ migrations, differences })}\n`);
    return;
  }
  const style = styleFor(cli.out, cli.env);
  for (const { source, ...migration } of migrations) {
    // Ours are of interest when something is the matter with them.
    if (source === "own" && migration.state === "applied") continue;
    const name = `${migration.version}${migration.name === null ? "" : `_${migration.name}`}`;
    cli.out.write(
      `${stateWord(migration.state, style)}  ${name}${source === "own" ? style.dim("  (Mainstay's own)") : ""}\n`,
    );
  }
  if (!migrations.some(({ source }) => source === "project"))
    cli.out.write("The project has no migrations: mainstay migrate new <name>\n");
  for (const { version, detail } of differences)
    cli.err.write(`${styleFor(cli.err, cli.env).yellow("!")} ${version}: ${detail}\n`);
}

function stateWord(state: MigrationState["state"], style: Style): string {
  const word = state.padEnd(12);
  if (state === "applied") return style.green(word);
  return state === "pending" ? style.cyan(word) : style.yellow(word);
}

async function create(cli: Cli, words: readonly string[], options: Options): Promise<void> {
  const { findProject } = await import("@mainstay/server/project");
  const { newMigration } = await import("@mainstay/server/migrate");
  const project = findProject(projectDir(cli, options));
  const base = project.layout === "supabase" ? "supabase/migrations" : "migrations";
  const path = await newMigration(project.migrationsDir ?? `${project.dir}/${base}`, words.join(" "));
  cli.out.write(options.json ? `${JSON.stringify({ path })}\n` : `${relative(cli.cwd, path)}\n`);
}

/** Where the server keeps its own migrations: beside its source. */
export const ownMigrations = (): string =>
  fileURLToPath(new URL("../migrations", import.meta.resolve("@mainstay/server")));

export const projectMigrations = ({ project }: OpenProjectDatabase): { readonly dir: string } | null =>
  project.migrationsDir === null ? null : { dir: project.migrationsDir };

import { spawn } from "node:child_process";
import { constants } from "node:os";
import { Command } from "commander";
import { type Cli, CommandError } from "../cli.ts";
import { type JsonOptions, type ProjectOptions, projectDir, withJson, withProject } from "./options.ts";
import { withProjectDatabase } from "./project-database.ts";

export function command(cli: Cli): Command {
  const db = new Command("db").description("Reach the database: its URL, or psql.");
  db.addCommand(
    withJson(
      withProject(
        new Command("url").description(
          "Print the administrator's connection URL: a secret. The embedded database must be running.",
        ),
      ),
    ).action(async (options: ProjectOptions & JsonOptions) => {
      const { url, isShared } = await withProjectDatabase(cli, projectDir(cli, options), async (open) => open);
      if (!isShared) {
        throw new CommandError("The embedded PostgreSQL is not running: its URL is good only while it is.", {
          hint: "Start the project first (`mainstay dev`), or use `mainstay db psql`, which starts it for as long as you need.",
        });
      }
      cli.out.write(options.json ? `${JSON.stringify({ url })}\n` : `${url}\n`);
    }),
  );
  db.addCommand(
    withProject(
      new Command("psql")
        .description("Open psql on the database, as its administrator. Arguments after -- go to psql.")
        .argument("[arguments...]", "for psql: -- -c 'select 1'"),
    ).action(async (args: string[], options: ProjectOptions) => {
      process.exitCode = await withProjectDatabase(cli, projectDir(cli, options), (open) => psql(open.url, args, cli));
    }),
  );
  return db;
}

/** The URL goes by the environment: arguments can be read by everyone on the machine. */
async function psql(url: string, args: readonly string[], cli: Cli): Promise<number> {
  const child = spawn("psql", args, { stdio: "inherit", env: { ...cli.env, ...(await environmentOf(url)) } });
  // Ctrl-C belongs to psql: it cancels a query, and psql goes on.
  const ignore = () => {};
  process.on("SIGINT", ignore);
  return new Promise<number>((resolve, reject) => {
    child.on("error", (error: NodeJS.ErrnoException) =>
      reject(
        error.code === "ENOENT"
          ? new CommandError("psql is not installed.", {
              hint: "Install PostgreSQL's client: apt install postgresql-client, or brew install libpq.",
            })
          : error,
      ),
    );
    child.on("exit", (code, signal) => resolve(signal === null ? (code ?? 1) : 128 + constants.signals[signal]));
  }).finally(() => process.off("SIGINT", ignore));
}

/** libpq's own variables: https://www.postgresql.org/docs/current/libpq-envars.html */
async function environmentOf(url: string): Promise<Record<string, string>> {
  const { parseConnectionUrl } = await import("@mainstay/server/external");
  const { host, port, user, password, database, tls } = parseConnectionUrl(url);
  return {
    PGHOST: host,
    PGPORT: String(port),
    PGUSER: user,
    PGDATABASE: database,
    PGSSLMODE: tls.mode,
    ...(password === null ? {} : { PGPASSWORD: password }),
    ...(tls.rootCertificatePath === null ? {} : { PGSSLROOTCERT: tls.rootCertificatePath }),
  };
}

import { writeFileSync } from "node:fs";
import { relative, resolve } from "node:path";
import { Command, Option } from "commander";
import { type Cli, CommandError, exitCodes } from "../cli.ts";
import { refreshFunctionTypes } from "../types/function-types.ts";
import { introspect } from "../types/introspect.ts";
import { writeTypeScript } from "../types/typescript.ts";
import { type ProjectOptions, projectDir, withProject } from "./options.ts";
import { withProjectDatabase } from "./project-database.ts";

interface TypesOptions extends ProjectOptions {
  readonly lang: "ts" | "typescript";
  readonly schema?: readonly string[];
  readonly output?: string;
}

export function command(cli: Cli): Command {
  return withProject(
    new Command("types")
      .description(
        "Write TypeScript types of the database, for createClient<Database>() of supabase-js; and into functions/database.d.ts, for ctx.db.",
      )
      .addOption(new Option("-l, --lang <language>", "the language").choices(["ts", "typescript"]).default("ts"))
      .addOption(
        new Option("-s, --schema <names>", "schemas to write, with commas (default: those the API shows)").argParser(
          (text: string) =>
            text
              .split(",")
              .map((name) => name.trim())
              .filter((name) => name !== ""),
        ),
      )
      .option("-o, --output <file>", "write to a file, not to standard output"),
  ).action(async (options: TypesOptions) => {
    const text = await withProjectDatabase(cli, projectDir(cli, options), async (open) => {
      // Of an embedded database that nobody serves now, which may never have been started. Any other is not ours to change here.
      if (!open.isShared) await open.migrate();
      const client = await open.database.connect();
      try {
        const model = await introspect(client);
        const schemas = options.schema ?? open.config.data.schemas;
        await refuseUnknown(schemas, async (text, values) => (await client.query<{ name: string }>(text, values)).rows);
        const { functionsDir } = open.project;
        if (functionsDir !== null) {
          const file = await refreshFunctionTypes(client, functionsDir, open.config.data.schemas);
          if (file !== null) cli.err.write(`Wrote ${relative(cli.cwd, file)}\n`);
        }
        return writeTypeScript(model, schemas);
      } finally {
        await client.end();
      }
    });
    if (options.output === undefined) cli.out.write(text);
    else {
      writeFileSync(resolve(cli.cwd, options.output), text);
      cli.err.write(`Wrote ${options.output}\n`);
    }
  });
}

async function refuseUnknown(
  schemas: readonly string[],
  query: (text: string, values: unknown[]) => Promise<readonly { readonly name: string }[]>,
): Promise<void> {
  const found = await query("select nspname as name from pg_namespace where nspname = any($1)", [schemas]);
  const names = new Set(found.map(({ name }) => name));
  const unknown = schemas.filter((schema) => !names.has(schema));
  if (unknown.length === 0) return;
  throw new CommandError(`There is no schema ${unknown.map((schema) => `"${schema}"`).join(", ")}.`, {
    hint: "Check --schema, or create it in a migration.",
    exitCode: exitCodes.usage,
  });
}

import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { findProject } from "@mainstay/server/project";
import { Command, Option } from "commander";
import { type Cli, CommandError, exitCodes } from "../cli.ts";
import { type JsonOptions, type ProjectOptions, projectDir, withJson, withProject } from "../commands/options.ts";
import { styleFor } from "../output/style.ts";
import { type TemplateKind, templateKinds, templates } from "./templates.ts";

interface NewOptions extends ProjectOptions, JsonOptions {
  readonly kind: TemplateKind;
  readonly table: string;
}

export function newCommand(cli: Cli): Command {
  return withJson(
    withProject(
      new Command("new")
        .description("Write a function to begin with.")
        .argument("<name>", "letters, digits, - and _: its file, and its address")
        .addOption(new Option("-k, --kind <kind>", "what it answers to").choices(templateKinds).default("http"))
        .option("-t, --table <name>", "of a change: the table", "items"),
    ),
  ).action((name: string, options: NewOptions) => {
    const file = writeFunction(projectDir(cli, options), name, options.kind, options.table);
    if (options.json) cli.out.write(`${JSON.stringify({ file })}\n`);
    else cli.out.write(`${styleFor(cli.out, cli.env).green("+")} ${file}\n`);
  });
}

/**
 * Writes it where the project has its functions. Nothing that exists is overwritten.
 * @returns the file, relative to the project
 * @throws CommandError when the name cannot be one, or is taken
 */
export function writeFunction(dir: string, name: string, kind: TemplateKind, table = "items"): string {
  if (!/^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$/.test(name)) {
    throw new CommandError(`A function cannot be called "${name}".`, {
      hint: "Use letters, digits, - and _, at most 64, and begin with a letter or digit.",
      exitCode: exitCodes.usage,
    });
  }
  const { layout, functionsDir } = findProject(dir);
  const folder = functionsDir ?? join(dir, layout === "supabase" ? "supabase/functions" : "functions");
  const taken = [`${name}/index`, name]
    .flatMap((path) =>
      ["ts", "tsx", "mts", "js", "jsx", "mjs"].map((extension) => join(folder, `${path}.${extension}`)),
    )
    .find((path) => existsSync(path));
  if (taken !== undefined)
    throw new CommandError(`There is a function "${name}" already: ${relative(dir, taken)}.`, {
      hint: "Choose another name.",
    });
  // Each project keeps to one way: that product's CLI knows folders only.
  const file = join(folder, layout === "supabase" ? `${name}/index.ts` : `${name}.ts`);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, templates[kind](name, table), { flag: "wx" });
  return relative(dir, file);
}

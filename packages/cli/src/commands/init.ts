import { relative, resolve } from "node:path";
import { Command } from "commander";
import type { Cli } from "../cli.ts";
import { initProject } from "../init/init-project.ts";
import { invocation } from "../init/invocation.ts";
import { styleFor } from "../output/style.ts";
import { type JsonOptions, withJson } from "./options.ts";

interface InitOptions extends JsonOptions {
  readonly yes?: boolean;
}

export function command(cli: Cli): Command {
  return withJson(
    new Command("init")
      .description(
        "Make a project: config, a first migration with policies, seed. An existing supabase/ folder is used as it is.",
      )
      .argument("[dir]", "the folder to make it in", ".")
      .option("-y, --yes", "ask nothing"),
  ).action(async (dir: string, options: InitOptions) => {
    const target = resolve(cli.cwd, dir);
    if (cli.isInteractive && !options.yes && !options.json && !(await isWanted(target))) return;
    const result = initProject(target, new Date());
    if (options.json) {
      cli.out.write(`${JSON.stringify({ dir: target, layout: result.layout, created: result.created })}\n`);
      return;
    }
    const style = styleFor(cli.out, cli.env);
    for (const file of result.created) cli.out.write(`${style.green("+")} ${file}\n`);
    for (const file of result.kept) cli.out.write(`${style.dim(`  ${file} is yours already: left as it is`)}\n`);
    const path = relative(cli.cwd, target);
    // From here, not from the new folder: how this command was called may not work there.
    const start = `${invocation(cli.cwd, cli.env)} dev${path === "" ? "" : ` --dir ${path.startsWith("..") ? target : path}`}`;
    cli.out.write(`\n${layoutNote[result.layout]}\n\n  ${start}\n`);
  });
}

const layoutNote = {
  mainstay: "Your schema is in migrations/, its policies with it. Start it:",
  supabase: "Your supabase/ folder stays where it is: its migrations and its seed are used in place. Start it:",
} as const;

async function isWanted(target: string): Promise<boolean> {
  const { confirm, isCancel } = await import("@clack/prompts");
  const answer = await confirm({ message: `Make a Mainstay project in ${target}?` });
  return !isCancel(answer) && answer;
}

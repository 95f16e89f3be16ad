import { Command } from "commander";
import type { Cli } from "../cli.ts";
import { withJson, withProject } from "../commands/options.ts";
import { styleFor } from "../output/style.ts";
import { type Options, withWebhooks } from "./with-webhooks.ts";

export function listCommand(cli: Cli): Command {
  return withJson(withProject(new Command("list").description("List webhooks, and how they are."))).action(
    (options: Options) => list(cli, options),
  );
}

async function list(cli: Cli, options: Options): Promise<void> {
  const webhooks = await withWebhooks(cli, options, (tools) => tools.list());
  if (options.json) {
    // Headers may have credentials of the receiver in them.
    const shown = webhooks.map(({ headers, since, ...webhook }) => ({ ...webhook, headers: Object.keys(headers) }));
    cli.out.write(`${JSON.stringify({ webhooks: shown }, null, 2)}\n`);
    return;
  }
  const style = styleFor(cli.out, cli.env);
  for (const { name, url, schema, table, operations, filter, isEnabled, disabledReason, failingSince } of webhooks) {
    const what = `${operations.join(", ")} of ${schema}.${table}${filter === "" ? "" : ` where ${filter}`}`;
    const state = !isEnabled
      ? style.red(`off: ${disabledReason ?? "turned off"}`)
      : failingSince === null
        ? style.green("on")
        : style.yellow(`failing since ${failingSince}`);
    cli.out.write(`${name}  ${url}  ${style.dim(what)}  ${state}\n`);
  }
  const count = webhooks.length === 1 ? "1 webhook" : `${webhooks.length} webhooks`;
  cli.err.write(styleFor(cli.err, cli.env).dim(`${count}\n`));
}

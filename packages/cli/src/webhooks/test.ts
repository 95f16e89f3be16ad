import { Command } from "commander";
import type { Cli } from "../cli.ts";
import { withJson, withProject } from "../commands/options.ts";
import { styleFor } from "../output/style.ts";
import { noSuchWebhook, type Options, withWebhooks } from "./with-webhooks.ts";

export function testCommand(cli: Cli): Command {
  return withJson(
    withProject(
      new Command("test")
        .description("Send a message of the type TEST, signed and delivered as any other.")
        .argument("<name>", "the webhook"),
    ),
  ).action((name: string, options: Options) => test(cli, name, options));
}

async function test(cli: Cli, name: string, options: Options): Promise<void> {
  const id = await withWebhooks(cli, options, (tools) => tools.test(name));
  if (id === null) throw noSuchWebhook(name);
  if (options.json) {
    cli.out.write(`${JSON.stringify({ id })}\n`);
    return;
  }
  cli.out.write(`${styleFor(cli.out, cli.env).green("✓")} ${id} is on its way\n`);
  cli.err.write(styleFor(cli.err, cli.env).dim(`mainstay webhooks deliveries ${id} shows what came of it.\n`));
}

import { Command } from "commander";
import type { Cli } from "../cli.ts";
import { withJson, withProject } from "../commands/options.ts";
import { styleFor } from "../output/style.ts";
import { noSuchWebhook, type Options, withWebhooks } from "./with-webhooks.ts";

export function secretCommand(cli: Cli): Command {
  return withJson(
    withProject(
      new Command("secret")
        .description(
          "Print what a webhook's messages are signed with (Standard Webhooks). The newest is first; SQL makes another: select mainstay.rotate_webhook_secret('name').",
        )
        .argument("<name>", "the webhook"),
    ),
  ).action((name: string, options: Options) => secret(cli, name, options));
}

async function secret(cli: Cli, name: string, options: Options): Promise<void> {
  const secrets = await withWebhooks(cli, options, (tools) => tools.secrets(name));
  if (secrets === null) throw noSuchWebhook(name);
  if (options.json) {
    const shown = secrets.map(({ text, expiresAt }) => ({ secret: text, expiresAt }));
    cli.out.write(`${JSON.stringify({ secrets: shown }, null, 2)}\n`);
    return;
  }
  const style = styleFor(cli.out, cli.env);
  for (const { text, expiresAt } of secrets) {
    cli.out.write(`${text}${expiresAt === null ? "" : `  ${style.dim(`until ${expiresAt}`)}`}\n`);
  }
}

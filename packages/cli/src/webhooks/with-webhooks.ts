import type { WebhookTools } from "@mainstay/server";
import { type Cli, CommandError } from "../cli.ts";
import { type JsonOptions, type ProjectOptions, projectDir } from "../commands/options.ts";
import { withProjectDatabase } from "../commands/project-database.ts";

export type Options = ProjectOptions & JsonOptions;

/** Opens the project's webhooks for one command. What it puts on its way leaves with the server, when one runs. */
export async function withWebhooks<T>(
  cli: Cli,
  options: ProjectOptions,
  work: (tools: WebhookTools) => Promise<T>,
): Promise<T> {
  const { openProjectWebhooks } = await import("@mainstay/server");
  return withProjectDatabase(cli, projectDir(cli, options), async (open, say) => {
    // Of an embedded database that nobody serves now, which may never have been started. Any other is not ours to change here.
    if (!open.isShared) await open.migrate();
    const { tools, close } = await openProjectWebhooks(open, (observation) => {
      if (observation.kind === "warning") say(observation);
    });
    try {
      return await work(tools);
    } finally {
      await close();
    }
  });
}

export const noSuchWebhook = (name: string): CommandError =>
  new CommandError(`There is no webhook "${name}".`, { hint: "`mainstay webhooks list` shows them." });

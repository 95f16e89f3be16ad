import { Command } from "commander";
import { type Cli, CommandError, exitCodes } from "../cli.ts";
import { withJson, withProject } from "../commands/options.ts";
import { styleFor } from "../output/style.ts";
import { timeOf } from "../output/time.ts";
import { type Options, withWebhooks } from "./with-webhooks.ts";

interface ReplayOptions extends Options {
  readonly failedSince?: string;
  readonly webhook?: string;
}

/** The most that are sent again at once. */
const replayMax = 100_000;

export function replayCommand(cli: Cli): Command {
  return withJson(
    withProject(
      new Command("replay")
        .description(
          "Send a message again that is over, or all that have failed. They keep their ids, by which receivers know them.",
        )
        .argument("[id]", "one message")
        .option("--failed-since <time>", "all that have failed since then: 2026-11-22T10:00:00Z, or 2h ago as `2h`")
        .option("--webhook <name>", "of those only this webhook's"),
    ),
  ).action((id: string | undefined, options: ReplayOptions) => replay(cli, id, options));
}

async function replay(cli: Cli, id: string | undefined, options: ReplayOptions): Promise<void> {
  const { failedSince, webhook } = options;
  if ((id === undefined) === (failedSince === undefined)) {
    throw new CommandError("Say which: the id of one message, or --failed-since.", { exitCode: exitCodes.usage });
  }
  const count = await withWebhooks(cli, options, async (tools) => {
    if (id !== undefined) return (await tools.replay(id)) ? 1 : 0;
    const filter = { sinceMs: timeOf(failedSince!), limit: replayMax };
    return tools.replayFailed(webhook === undefined ? filter : { ...filter, webhook });
  });
  if (id !== undefined && count === 0) {
    throw new CommandError(`There is no message ${id} that could be sent again.`, {
      hint: "`mainstay webhooks deliveries` shows them. One that is pending is on its way.",
    });
  }
  if (options.json) cli.out.write(`${JSON.stringify({ replayed: count })}\n`);
  else {
    const what = count === 1 ? "1 message is" : `${count} messages are`;
    cli.out.write(`${styleFor(cli.out, cli.env).green("✓")} ${what} sent again\n`);
  }
}

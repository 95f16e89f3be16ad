import { Command, InvalidArgumentError, Option } from "commander";
import { type Cli, CommandError } from "../cli.ts";
import { withJson, withProject } from "../commands/options.ts";
import { printable } from "../output/printable.ts";
import { styleFor } from "../output/style.ts";
import { type Options, withWebhooks } from "./with-webhooks.ts";

interface DeliveriesOptions extends Options {
  readonly webhook?: string;
  readonly state?: "pending" | "delivered" | "failed";
  readonly limit: number;
}

/** The most that one look shows. */
const limitMax = 1_000;

export function deliveriesCommand(cli: Cli): Command {
  return withJson(
    withProject(
      new Command("deliveries")
        .description("Show messages of webhooks, the newest first; of one, every attempt and what was answered.")
        .argument("[id]", "one message")
        .option("--webhook <name>", "only of this webhook")
        .addOption(new Option("--state <state>", "only these").choices(["pending", "delivered", "failed"]))
        .addOption(new Option("--limit <number>", "how many").default(20).argParser(limit)),
    ),
  ).action((id: string | undefined, options: DeliveriesOptions) =>
    id === undefined ? list(cli, options) : show(cli, id, options),
  );
}

async function list(cli: Cli, { webhook, state, limit: count, ...options }: DeliveriesOptions): Promise<void> {
  const deliveries = await withWebhooks(cli, options, (tools) =>
    tools.deliveries({
      limit: count,
      ...(webhook === undefined ? {} : { webhook }),
      ...(state === undefined ? {} : { state }),
    }),
  );
  if (options.json) {
    cli.out.write(`${JSON.stringify({ deliveries }, null, 2)}\n`);
    return;
  }
  const style = styleFor(cli.out, cli.env);
  const colours = { pending: style.yellow, delivered: style.green, failed: style.red };
  for (const one of deliveries) {
    const attempts = one.attempts === 1 ? "1 attempt" : `${one.attempts} attempts`;
    const last = one.lastError ?? (one.lastStatus === null ? "" : `${one.lastStatus}`);
    cli.out.write(
      `${one.id}  ${one.webhook}  ${colours[one.state](one.state)}  ${attempts}  ${style.dim(`${one.createdAt} ${last}`)}\n`,
    );
  }
}

async function show(cli: Cli, id: string, options: DeliveriesOptions): Promise<void> {
  const attempts = await withWebhooks(cli, options, (tools) => tools.attempts(id));
  if (options.json) {
    cli.out.write(`${JSON.stringify({ id, attempts }, null, 2)}\n`);
    return;
  }
  if (attempts.length === 0) throw new CommandError(`There is no attempt to deliver ${id} yet.`);
  const style = styleFor(cli.out, cli.env);
  for (const { at, status, durationMs, error, answer } of attempts) {
    cli.out.write(`${at}  ${status ?? "–"}  ${durationMs} ms${error === null ? "" : `  ${style.red(error)}`}\n`);
    if (answer) cli.out.write(`  ${style.dim(printable(answer))}\n`);
  }
}

function limit(text: string): number {
  const value = Number(text);
  if (!/^\d+$/.test(text) || value < 1 || value > limitMax) {
    throw new InvalidArgumentError(`It is a number from 1 to ${limitMax}.`);
  }
  return value;
}

import { Command } from "commander";
import type { Cli } from "../cli.ts";
import { deliveriesCommand } from "../webhooks/deliveries.ts";
import { listCommand } from "../webhooks/list.ts";
import { replayCommand } from "../webhooks/replay.ts";
import { secretCommand } from "../webhooks/secret.ts";
import { testCommand } from "../webhooks/test.ts";

export function command(cli: Cli): Command {
  const webhooks = new Command("webhooks").description("Look at what webhooks have delivered, and send it again.");
  for (const make of [listCommand, deliveriesCommand, replayCommand, testCommand, secretCommand]) {
    webhooks.addCommand(make(cli));
  }
  return webhooks;
}

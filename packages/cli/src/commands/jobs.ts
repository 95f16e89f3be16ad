import { Command } from "commander";
import type { Cli } from "../cli.ts";
import { cancelCommand } from "../jobs/cancel.ts";
import { listCommand } from "../jobs/list.ts";
import { pauseCommand, queuesCommand, resumeCommand } from "../jobs/queues.ts";
import { retryCommand } from "../jobs/retry.ts";
import { showCommand } from "../jobs/show.ts";

export function command(cli: Cli): Command {
  const jobs = new Command("jobs").description("Look at jobs and their queues, run them again, cancel them.");
  const all = [listCommand, showCommand, retryCommand, cancelCommand, queuesCommand, pauseCommand, resumeCommand];
  for (const make of all) jobs.addCommand(make(cli));
  return jobs;
}

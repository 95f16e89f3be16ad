import { relative } from "node:path";
import type { Config, Observation, Observe, RunningServer } from "@mainstay/server";
import { type Cli, exitCodes } from "../cli.ts";
import type { ListenOptions } from "../commands/options.ts";
import { invocation } from "../init/invocation.ts";
import { createProgress, type Progress } from "../output/progress.ts";
import { styleFor } from "../output/style.ts";
import { announce } from "./announce.ts";
import { choosePort } from "./choose-port.ts";
import { giveBackMemory } from "./give-back-memory.ts";
import { reportStart } from "./report-start.ts";
import { keepRunRecord } from "./run-record.ts";
import { listenForStop } from "./until-stopped.ts";

export interface ServeOptions extends ListenOptions {
  /** Absolute. */
  readonly projectDir: string;
  /** `dev` is for a person at a terminal, and takes up new migrations; `start` is for an operator and a log collector. */
  readonly mode: "dev" | "start";
}

/** How long a stop may take beyond the time that requests have to finish: PostgreSQL writes a checkpoint. */
const stopPatienceMs = 40_000;

async function endsLate(work: Promise<void>, patienceMs: number): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<boolean>((resolve) => {
    timer = setTimeout(() => resolve(true), patienceMs);
  });
  return await Promise.race([work.then(() => false), late]).finally(() => clearTimeout(timer));
}

/** How long a forced stop may take. */
const forcedStopMs = 3_000;

/** A process ends once nothing in it is open any more. What was forgotten must not keep a terminal waiting, and is told of. */
function leaveInTime(progress: Progress): void {
  setTimeout(() => {
    const left = process.getActiveResourcesInfo().filter((name) => name !== "Timeout" && !isOutput(name));
    progress.warn(`Ending with something left open: ${left.join(", ")}.`);
    process.exit();
  }, forcedStopMs).unref();
}

/** Standard output and standard error, which are always open. */
const isOutput = (name: string): boolean => name === "PipeWrap" || name === "TTYWrap";

/** Serves a project until it is asked to stop, then stops all of it. Gives the exit code. */
export async function serve(cli: Cli, options: ServeOptions): Promise<number> {
  const style = styleFor(cli.err, cli.env);
  const progress = createProgress(cli.err, style);
  const abort = new AbortController();
  const hurry = new AbortController();
  const stop = listenForStop(() => {
    progress.update("Stopping without waiting");
    hurry.abort();
    // PostgreSQL survives this, and the next start finds it; better than a terminal that does not come back.
    setTimeout(() => process.exit(exitCodes.interrupted), forcedStopMs).unref();
  });
  let isStopping = false;
  void stop.requested.then(() => {
    isStopping = true;
    abort.abort();
  });
  try {
    const server = await start(cli, options, progress, abort.signal);
    const removeRecord = keepRunRecord(server.project.dataDir, server.url);
    const cancelGivingBack = giveBackMemory();
    const leave = options.mode === "dev" ? await greet(cli, options, server, progress) : async () => {};
    const reason = await stop.requested;
    cancelGivingBack();
    progress.update("Stopping");
    await leave();
    const isLate = await endsLate(server.stop(hurry.signal), server.config.http.drainMs + stopPatienceMs);
    if (isLate) {
      progress.warn("Stopping takes too long: ending without it. The next start takes over what is left, or recovers.");
      process.exit(exitCodes.failed);
    }
    removeRecord();
    leaveInTime(progress);
    progress.done(reason === "launcher-gone" ? "Stopped, since the launcher is gone" : "Stopped");
    return exitCodes.ok;
  } catch (error) {
    progress.clear();
    if (!isStopping) throw error;
    progress.note("Stopped before it was ready");
    return exitCodes.interrupted;
  } finally {
    stop.dispose();
  }
}

async function start(cli: Cli, options: ServeOptions, progress: Progress, signal: AbortSignal): Promise<RunningServer> {
  progress.update("Loading");
  const { loadConfig } = await import("@mainstay/server/config");
  const given = { projectDir: options.projectDir, env: cli.env };
  const config = await loadConfig({ ...given, flags: flagsOf(options) });
  const { startServer } = await import("@mainstay/server");
  for (let attempt = 1; ; attempt++) {
    const { port, notice } = await choosePort(config.http.port, config.http.host, options.mode);
    if (notice !== null) progress.warn(notice);
    const report = reportStart(progress, styleFor(cli.err, cli.env));
    try {
      const server = await startServer({
        ...given,
        flags: flagsOf({ ...options, port }),
        observe: await observer(options.mode, config, cli, report.observe),
        mode: options.mode,
        onProgress: report.seedProgress,
        signal,
      });
      report.end();
      return server;
    } catch (error) {
      // Somebody has taken it since we looked, and another one will do as well.
      const isTaken = (error as { code?: unknown }).code === "http/port-busy";
      if (!isTaken || options.mode !== "dev" || attempt === portAttempts) throw error;
    }
  }
}

/** How often `dev` chooses a port. */
const portAttempts = 3;

const flagsOf = ({ port, host }: ListenOptions) => ({
  http: { ...(port === undefined ? {} : { port }), ...(host === undefined ? {} : { host }) },
});

/** An operator gets the log alone. A person gets lines about the start, and of the log only what calls for attention. */
async function observer(
  mode: ServeOptions["mode"],
  config: Config,
  cli: Cli,
  report: (observation: Observation) => void,
): Promise<Observe> {
  const { createLogger } = await import("@mainstay/server/observe");
  if (mode === "start") return createLogger({ settings: config.observe });
  const isQuiet = config.origins.observe.logLevel === "default";
  const log = createLogger({
    settings: { ...config.observe, logLevel: isQuiet ? "warn" : config.observe.logLevel, logFormat: "human" },
    sink: { isTerminal: cli.err.isTTY === true, write: (line) => void cli.err.write(line) },
  });
  const observe = (observation: Observation) => {
    report(observation);
    if (!reported.has(observation.kind)) log(observation);
  };
  return Object.assign(observe, {
    wants: (kind: Observation["kind"]) => reported.has(kind) || log.wants?.(kind) !== false,
  });
}

/** What `reportStart` says in its own words. */
const reported: ReadonlySet<Observation["kind"]> = new Set([
  "postgres.starting",
  "postgres.recovering",
  "postgres.ready",
  "migration.applied",
  "migration.history-differs",
  "seed.finished",
  "seed.failed",
  "catalog.loaded",
  "catalog.failed",
  "functions.built",
  "functions.diagnostic",
  "functions.log",
  "warning",
]);

/** Shows a person what there is now, and begins to watch. */
async function greet(
  cli: Cli,
  options: ServeOptions,
  server: RunningServer,
  progress: Progress,
): Promise<() => Promise<void>> {
  const { sampleTable } = await import("./sample-table.ts");
  const { watchMigrations } = await import("./watch-migrations.ts");
  const { keepFunctionTypes } = await import("./keep-types.ts");
  const table = await sampleTable(server, server.config.data.schemas).catch(() => null);
  // Counted from the start of this process, which is where the person's wait began.
  const readyMs = performance.now();
  const dir = relative(cli.cwd, options.projectDir);
  const dirOption = dir === "" ? "" : ` --dir ${dir.startsWith("..") ? options.projectDir : dir}`;
  const { url, inboxUrl, keys } = server;
  // Before anything is shown: whoever has read it may save a file at once.
  const stopWatching = watchMigrations(server, progress, () => keepFunctionTypes(server, progress));
  const command = invocation(cli.cwd, cli.env);
  cli.out.write(announce({ url, inboxUrl, keys, command, dirOption, table, readyMs }, styleFor(cli.out, cli.env)));
  return stopWatching;
}

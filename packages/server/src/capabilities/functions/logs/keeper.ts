import type { Clock } from "../../../kernel/clock.ts";
import { reasonOf } from "../../../kernel/reason.ts";
import type { Values } from "../../../kernel/settings.ts";
import type { Observe } from "../../../platform/observe/observation.ts";
import type { Database } from "../../../platform/postgres/database.ts";
import { sqlStateOf } from "../../../platform/postgres/sql-state.ts";
import type { Invocation, InvocationEnd, LogLine } from "../types.ts";
import { endOf, lineOf, rowOf, type Waiting } from "./line.ts";
import type { functionLogsSettings } from "./settings.ts";
import { functionLogsStore } from "./store.ts";

export interface LogKeeperNeeds {
  readonly db: Pick<Database, "query" | "background">;
  readonly settings: Values<typeof functionLogsSettings>;
  readonly observe: Observe;
  readonly clock: Clock;
}

/** Keeps what functions log, off their way: nothing here waits for the database, and nothing waits for this. */
export interface LogKeeper {
  line(line: LogLine): void;
  /** An invocation is over. */
  end(invocation: Invocation, end: InvocationEnd): void;
  start(): void;
  /** Writes what waits, once. */
  stop(): Promise<void>;
}

/** What a line takes besides its text, in bytes. */
const lineBytes = 256;
/** Most of one statement. */
const [batchLines, batchBytes] = [1_000, 1_048_576];
/** After the database has refused, in ms; doubled with every time. */
const [retryFirstMs, retryMaxMs] = [1_000, 30_000];
const sweepEveryMs = 3_600_000;
const sweepAtOnce = 5_000;
/** A node that has written this part of what is kept looks whether there is too much. */
const sweepPart = 0.1;
/** The database cannot keep the value whatever is done: classes of SQLSTATE. */
const unkeepable = /^(?:22|23|54)/;

export function createLogKeeper({ db, settings, observe, clock }: LogKeeperNeeds): LogKeeper {
  const { functionsLogsQueueBytes: roomBytes, functionsLogsSlowMs: slowMs } = settings;
  const quietMax = settings.functionsLogsQuietPerSecond;
  let waiting: Waiting[] = [];
  let bytes = 0;
  let dropped = 0;
  let timer: NodeJS.Timeout | null = null;
  let writing: Promise<void> | null = null;
  let failures = 0;
  let quietSecond = 0;
  let quiet = 0;
  let sweeper: NodeJS.Timeout | null = null;
  let sweeping: Promise<void> | null = null;
  let written = 0;
  let isStopped = false;

  const sizeOf = ({ message, fields }: Waiting): number => lineBytes + message.length + (fields?.length ?? 0);

  function put(line: Waiting): void {
    if (!settings.functionsLogs || isStopped) return;
    const size = sizeOf(line);
    if (bytes + size > roomBytes) {
      if (dropped++ === 0) say("There are more log lines of functions than can be written: some are dropped.");
      return;
    }
    bytes += size;
    waiting.push(line);
    if (writing === null) timer ??= setTimeout(write, settings.functionsLogsFlushMs).unref();
  }

  /** Few of those that nobody will ask for: a fast function would write more than the rest of the server. */
  function isQuietEnough(nowMs: number): boolean {
    const second = Math.floor(nowMs / 1_000);
    if (second !== quietSecond) {
      quietSecond = second;
      quiet = 0;
    }
    return ++quiet <= quietMax;
  }

  function write(): void {
    timer = null;
    writing ??= writeAll().finally(() => {
      writing = null;
      if (waiting.length === 0 || isStopped) return;
      const waitMs = failures === 0 ? 0 : Math.min(retryMaxMs, retryFirstMs * 2 ** (failures - 1));
      timer ??= setTimeout(write, Math.max(waitMs, settings.functionsLogsFlushMs)).unref();
    });
  }

  async function writeAll(): Promise<void> {
    while (waiting.length > 0 && (await writeSome()));
    if (written >= settings.functionsLogsKeepRows * sweepPart) sweep();
  }

  /** @returns whether to go on */
  async function writeSome(): Promise<boolean> {
    const batch = take();
    const lost = dropped;
    const rows = batch.map(rowOf);
    if (lost > 0) rows.push(rowOf(droppedLine(lost, batch.at(-1)!.atMs)));
    try {
      await functionLogsStore.put(db, rows);
    } catch (error) {
      failures++;
      const isOurs = unkeepable.test(sqlStateOf(error) ?? "");
      if (failures === 1 || isOurs) say(`Log lines of functions could not be written: ${reasonOf(error)}`);
      // What cannot be kept must not keep others from it.
      if (isOurs) dropped += batch.length;
      else waiting = [...batch, ...waiting];
      if (isOurs) bytes -= sum(batch);
      return isOurs;
    }
    failures = 0;
    bytes -= sum(batch);
    dropped -= lost;
    written += rows.length;
    return true;
  }

  function take(): readonly Waiting[] {
    let size = 0;
    let count = 0;
    for (; count < Math.min(waiting.length, batchLines) && size < batchBytes; count++) size += sizeOf(waiting[count]!);
    return waiting.splice(0, count);
  }

  const sum = (lines: readonly Waiting[]): number => lines.reduce((total, line) => total + sizeOf(line), 0);

  const say = (message: string): void => observe({ kind: "warning", area: "functions", message });

  function sweep(): void {
    written = 0;
    const { functionsLogsKeepMs, functionsLogsKeepDebugMs, functionsLogsKeepRows } = settings;
    const pieces = [
      () => functionLogsStore.sweepOld(db.background, { level: "debug", ms: functionsLogsKeepDebugMs }, sweepAtOnce),
      () => functionLogsStore.sweepOld(db.background, { level: "all", ms: functionsLogsKeepMs }, sweepAtOnce),
      () => functionLogsStore.sweepMany(db.background, functionsLogsKeepRows, sweepAtOnce),
    ];
    const all = async (): Promise<void> => {
      for (const piece of pieces) while (!isStopped && (await piece()) === sweepAtOnce);
    };
    // PostgreSQL is away, which others tell: what is left is removed the next time.
    sweeping ??= all()
      .catch(() => {})
      .finally(() => {
        sweeping = null;
      });
  }

  return {
    line: (line) => put(lineOf(line)),
    end(invocation, end) {
      const isNotable =
        end.error !== null ||
        end.logLines > 0 ||
        end.durationMs >= slowMs ||
        (end.status !== null && end.status >= 500);
      const nowMs = clock.nowMs();
      if (isNotable || isQuietEnough(nowMs)) put(endOf(invocation, end, nowMs));
    },
    start() {
      if (settings.functionsLogs) sweeper = setInterval(sweep, sweepEveryMs).unref();
    },
    async stop() {
      if (sweeper !== null) clearInterval(sweeper);
      if (timer !== null) clearTimeout(timer);
      timer = null;
      isStopped = true;
      await writing;
      if (waiting.length > 0) await writeAll();
      await sweeping;
    },
  };
}

/** Says in the log itself that some of it is missing. */
const droppedLine = (count: number, atMs: number): Waiting => ({
  atMs,
  level: "warn",
  functionName: "",
  invocationId: "",
  requestId: "",
  message: `${count === 1 ? "1 line was" : `${count} lines were`} dropped here: more was logged than could be written.`,
  fields: null,
  end: null,
});

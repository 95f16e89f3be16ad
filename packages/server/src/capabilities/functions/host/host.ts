import type { Values } from "../../../kernel/settings.ts";
import type { Observe } from "../../../platform/observe/observation.ts";
import type { Loaded } from "../channel/messages.ts";
import { problems } from "../problems.ts";
import type { functionsSettings } from "../settings.ts";
import type { ThreadInit } from "../thread/wire.ts";
import type {
  BuiltFunction,
  DefinitionSummary,
  Diagnostic,
  FunctionHost,
  FunctionSet,
  HttpInput,
  HttpOutput,
  InternalFetch,
  Invocation,
  InvocationEnd,
  LogLine,
  RunResult,
  Services,
} from "../types.ts";
import { Deadlines } from "./deadlines.ts";
import { endingOf } from "./endings.ts";
import { FunctionsProcess } from "./functions-process.ts";
import { limitsOf } from "./limits.ts";
import { Places } from "./places.ts";
import { FunctionPool, type PoolNeeds } from "./pool.ts";
import { Task, type Work } from "./task.ts";
import { stackMb, Thread, type ThreadEnd } from "./thread.ts";

export interface HostNeeds {
  readonly settings: Values<typeof functionsSettings>;
  readonly services: Services;
  readonly internalFetch: InternalFetch;
  /** What threads are told when they start; asked for each time. */
  surroundings(): Omit<ThreadInit, "limits" | "allowedHosts">;
  /** Absolute: what threads may read besides the server's own modules and the set's packages. */
  readonly readable: readonly string[];
  readonly observe: Observe;
  onLog(line: LogLine): void;
  /** An invocation is over, however: what it has left open is to be closed. */
  onOver(invocation: Invocation, end: InvocationEnd): void;
}

const mib = 1_048_576;
const lookMs = 200;
const loadedAtOnce = 4;
/** Threads that rest, of those that are ended with each look while there is little memory left. */
const endedWhenFull = 4;

/** Runs the project's code in threads of a process of its own. Nothing is started before there is something to load. */
export function createFunctionHost(needs: HostNeeds): FunctionHost {
  return new Host(needs);
}

class Host implements FunctionHost {
  readonly #needs: HostNeeds;
  readonly #pools = new Map<string, FunctionPool>();
  readonly #definitions = new Map<string, readonly DefinitionSummary[] | Diagnostic>();
  #process: FunctionsProcess | null = null;
  #readable: readonly string[] = [];
  readonly #old = new Set<FunctionsProcess>();
  readonly #deadlines: Deadlines;
  readonly #isWatched: boolean;
  readonly #places: Places;
  #isStopping = false;
  #isClosed = false;
  /** Sets that are being loaded: what could be prepared is needed for them. */
  #loads = 0;
  #idle: NodeJS.Timeout | null = null;
  #onQuiet: (() => void) | null = null;

  constructor(needs: HostNeeds) {
    this.#needs = needs;
    this.#isWatched = needs.observe.wants?.("functions.run-finished") ?? true;
    this.#places = new Places(needs.settings.functionsThreads, () => this.#pools.values());
    this.#deadlines = new Deadlines({
      queueMs: needs.settings.functionsQueueMs,
      onQueuedTooLong: (task) => this.#giveUp(task, problems.busy()),
      onDeadline: (task) => this.#giveUp(task, problems.workerLimit("it took too long.")),
      onGone: (task) => this.#giveUp(task, problems.left()),
      onEnd: (task) => task.thread?.end({ reason: "ended", message: "It took too long." }),
      onBusy: (isBusy) => this.#process?.watch(isBusy),
    });
  }

  async load(
    set: FunctionSet,
    options: { readonly isAnew?: boolean } = {},
  ): Promise<ReadonlyMap<string, readonly DefinitionSummary[] | Diagnostic>> {
    const isOther = this.#openProcess(set) || options.isAnew === true;
    const names = new Set(set.functions.map(({ name }) => name));
    for (const name of [...this.#pools.keys()]) if (!names.has(name)) this.#replace(name, null);
    for (const name of [...this.#definitions.keys()]) if (!names.has(name)) this.#definitions.delete(name);
    const waiting = set.functions.filter(
      (built) => isOther || this.#pools.get(built.name)?.built.bundle !== built.bundle,
    );
    this.#loads++;
    await Promise.all(
      Array.from({ length: loadedAtOnce }, async () => {
        for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) await this.#load(next);
      }),
    );
    this.#loads--;
    this.#prepare();
    return new Map(this.#definitions);
  }

  fetch(invocation: Invocation, input: HttpInput): Promise<HttpOutput> {
    return new Promise((resolve, reject) => this.#put(invocation, { kind: "request", input, resolve }, reject));
  }

  run(invocation: Invocation, input: RunInput, context: RunInput): Promise<RunResult> {
    return new Promise((resolve, reject) => this.#put(invocation, { kind: "run", input, context, resolve }, reject));
  }

  async stop(signal?: AbortSignal): Promise<void> {
    this.#isStopping = true;
    if (this.#idle !== null) clearInterval(this.#idle);
    if (this.#deadlines.count > 0 && signal?.aborted !== true) {
      await new Promise<void>((resolve) => {
        this.#onQuiet = resolve;
        signal?.addEventListener("abort", () => resolve(), { once: true });
      });
    }
    for (const task of this.#deadlines) task.fail(problems.stopping());
    // Who waits for a thread, as a module that is being loaded, is told that there will be none.
    this.#isClosed = true;
    this.#places.close();
    await Promise.all([...this.#old, ...(this.#process === null ? [] : [this.#process])].map((one) => one.close()));
    this.#deadlines.stop();
  }

  #put(invocation: Invocation, work: Work, reject: (error: unknown) => void): void {
    const pool = this.#pools.get(invocation.functionName);
    if (this.#isStopping) return reject(problems.stopping());
    if (pool === undefined) {
      return reject(this.#definitions.has(invocation.functionName) ? problems.bootError() : problems.notFound());
    }
    const nowMs = performance.now();
    const task = new Task(invocation, work, reject, nowMs);
    if (invocation.timeoutMs !== null) task.deadlineAtMs = nowMs + invocation.timeoutMs;
    if (!pool.push(task)) return reject(problems.busy());
    this.#deadlines.add(task);
  }

  /** Whoever waits is told; the handler too, and when it goes on nevertheless, its thread is ended. */
  #giveUp(task: Task, why: Error): void {
    const { thread } = task;
    const isAnswering = task.isSettled;
    task.fail(why);
    task.error ??= why;
    if (thread === null) {
      this.#pools.get(task.invocation.functionName)?.remove(task);
      return this.#over(task, 0);
    }
    // The signal first: with its stream the invocation may be over.
    thread.cancel(task, why.message);
    if (isAnswering) thread.cut(task, why);
    task.endAtMs = Math.min(task.endAtMs, performance.now() + this.#needs.settings.functionsGraceMs);
  }

  #over(task: Task, micros: number): void {
    this.#deadlines.delete(task);
    // A thread may say that it is over and have answered nothing. An error is not made for those that have: it would cost a third of the call.
    if (!task.isSettled) task.fail(problems.workerError());
    const memoryBytes = task.thread?.memoryBytes ?? 0;
    task.forget();
    const status = task.work.kind === "request" ? task.status : null;
    const durationMs = performance.now() - task.queuedAtMs;
    const { error, logLines } = task;
    this.#needs.onOver(task.invocation, { status, durationMs, error, logLines });
    if (this.#isWatched || error !== null) {
      const { id, functionName } = task.invocation;
      const cpuMs = micros / 1_000;
      const kind = "functions.run-finished";
      this.#needs.observe({ kind, id, functionName, status, durationMs, cpuMs, memoryBytes, error });
    }
    if (this.#onQuiet !== null && this.#deadlines.count === 0) this.#onQuiet();
  }

  async #load(built: BuiltFunction): Promise<void> {
    const { settings } = this.#needs;
    const process = this.#process!; // opened before anything is loaded
    const pool: FunctionPool = new FunctionPool({
      built,
      maxThreads: settings.functionsConcurrency,
      maxQueued: settings.functionsQueueLimit,
      memoryMb: settings.functionsMemoryMb,
      openThread: (events) => this.#openThread(process, pool, events),
      onOver: (task, micros) => this.#over(task, micros),
      onLog: (line) => this.#needs.onLog(line),
      onIdle: () => this.#places.freed(),
      onThreadEnded: (begun, end) => this.#onThreadEnded(pool, begun, end),
      onBootFailed: (loaded) => this.#onBootFailed(pool, loaded),
    });
    const loaded = await pool.load();
    if ("thrown" in loaded) {
      this.#definitions.set(built.name, diagnosticOf(built, loaded));
      this.#replace(built.name, null);
      for (const task of pool.retire()) task.fail(problems.bootError());
      return;
    }
    pool.definitions = loaded.definitions;
    pool.limit(limitsOf(loaded.definitions, settings));
    this.#definitions.set(built.name, loaded.definitions);
    this.#replace(built.name, pool);
    // Its thread has nothing to do, and others can be given its place now.
    this.#places.freed();
  }

  /** What waits for the old one is done by the new one. */
  #replace(name: string, pool: FunctionPool | null): void {
    const before = this.#pools.get(name);
    if (pool === null) this.#pools.delete(name);
    else this.#pools.set(name, pool);
    if (before === undefined) return;
    const waiting = before.retire();
    for (const task of waiting) {
      if (pool?.push(task) === true) continue;
      task.fail(pool === null ? problems.notFound() : problems.busy());
      this.#over(task, 0);
    }
  }

  #openThread(
    process: FunctionsProcess,
    pool: FunctionPool,
    events: Parameters<PoolNeeds["openThread"]>[0],
  ): Thread | "full" | "never" {
    const { settings, services, internalFetch, observe } = this.#needs;
    if (this.#isClosed) return "never";
    if (!this.#places.take(pool, process.hasRoom)) return "full";
    const { name, bundle } = pool.built;
    return new Thread({
      process,
      bootMs: settings.functionsBootMs,
      services,
      internalFetch,
      observe,
      start: { ...this.#startOf(), module: { functionName: name, bundle } },
      responseLimitBytes: settings.functionsResponseLimitBytes,
      logLines: settings.functionsLogLines,
      ...events,
      onLoaded: (thread, loaded) => {
        events.onLoaded(thread, loaded);
        this.#prepare();
      },
    });
  }

  /** What threads of all functions are started with. */
  #startOf(): Omit<Parameters<FunctionsProcess["start"]>[0], "module"> {
    const { settings } = this.#needs;
    return {
      init: {
        ...this.#needs.surroundings(),
        allowedHosts: settings.functionsAllowedHosts,
        limits: {
          responseBytes: settings.functionsResponseLimitBytes,
          logLineBytes: settings.functionsLogLineBytes,
          logLines: settings.functionsLogLines,
        },
      },
      measuresCpu: this.#isWatched,
    };
  }

  /** The next thread that is needed is there already: for a save in `dev`, a function that was idle, or one that has much to do. */
  #prepare(): void {
    const { settings } = this.#needs;
    const process = this.#process;
    if (!settings.functionsSpareThread || this.#loads > 0 || this.#isClosed || process?.hasRoom !== true) return;
    process.prepare({ ...this.#startOf(), module: null }, { memoryMb: settings.functionsMemoryMb, stackMb });
  }

  #onThreadEnded(pool: FunctionPool, begun: readonly Task[], end: ThreadEnd): void {
    this.#places.giveBack();
    const { problem, isWorth } = endingOf(end);
    // Once it is closed it is we who end them.
    if (isWorth && !this.#isClosed) {
      const { name } = pool.built;
      this.#needs.observe({
        kind: "functions.thread-ended",
        functionName: name,
        reason: end.reason,
        message: end.message ?? "",
      });
      for (const { invocation } of begun) {
        const { id: invocationId, functionName, causedBy } = invocation;
        const message = end.message ?? problem.message;
        this.#needs.onLog({
          invocationId,
          ...(causedBy === undefined ? {} : { causedBy }),
          functionName,
          level: "error",
          message,
          fields: { reason: end.reason },
          atMs: Date.now(),
        });
      }
    }
    for (const task of begun) {
      task.error ??= problem;
      task.fail(problem);
      this.#over(task, 0);
    }
    this.#places.freed();
  }

  #onBootFailed(pool: FunctionPool, loaded: Loaded): void {
    if (this.#pools.get(pool.built.name) !== pool) return;
    const { message } = diagnosticOf(pool.built, loaded);
    this.#needs.observe({ kind: "functions.thread-ended", functionName: pool.built.name, reason: "boot", message });
    for (const task of this.#deadlines) {
      if (task.thread !== null || task.invocation.functionName !== pool.built.name) continue;
      pool.remove(task);
      task.fail(problems.bootError());
      this.#over(task, 0);
    }
  }

  /** With other packages to read the process is another one. @returns whether it is */
  #openProcess(set: FunctionSet): boolean {
    const { settings, observe, readable } = this.#needs;
    if (set.functions.length === 0) return false;
    const wanted = [...readable, ...(set.packageFolders ?? []), ...Object.values(set.code ?? {})].sort();
    if (this.#process !== null && wanted.join("\n") === this.#readable.join("\n")) return false;
    const before = this.#process;
    if (before !== null) {
      this.#old.add(before);
      void before.closeWhenUnused().then(() => this.#old.delete(before));
    }
    this.#readable = wanted;
    this.#process = new FunctionsProcess({
      limits: {
        memoryBytes: settings.functionsProcessMemoryMb * mib,
        // And the one that is prepared.
        threads: settings.functionsThreads + 1,
        blockedMs: settings.functionsBlockedMs,
        bootMs: settings.functionsBootMs,
        lookMs,
        threadFile: set.code?.thread ?? null,
      },
      code: set.code ?? null,
      hangMs: settings.functionsHangMs,
      readable: wanted,
      onFull: () => {
        this.#process?.endSpare();
        for (let i = 0; i < endedWhenFull && this.#places.endIdle(null); i++);
      },
      onRoom: () => this.#places.freed(),
      onDeath: ({ code, signal, lastWords }) => observe({ kind: "functions.process-died", code, signal, lastWords }),
    });
    this.#idle ??= setInterval(() => this.#endIdle(), settings.functionsIdleMs / 2).unref();
    return true;
  }

  #endIdle(): void {
    const sinceMs = performance.now() - this.#needs.settings.functionsIdleMs;
    for (const pool of this.#pools.values()) pool.endIdle(sinceMs);
  }
}

type RunInput = Parameters<FunctionHost["run"]>[1];

function diagnosticOf({ name, file }: BuiltFunction, loaded: Loaded): Diagnostic {
  const thrown = "thrown" in loaded ? loaded.thrown : null;
  const at = thrown?.stack?.split("\n").find((line) => line.includes(file));
  const [, line, column] = /:(\d+):(\d+)\)?$/.exec(at ?? "") ?? [];
  return {
    severity: "error",
    functionName: name,
    file,
    line: line === undefined ? null : Number(line),
    column: column === undefined ? null : Number(column),
    message: thrown === null ? "The thread that loaded it ended." : `${thrown.name}: ${thrown.message}`,
    hint: null,
    source: null,
  };
}

import { type ChildProcess, spawn } from "node:child_process";
import { writeFileSync } from "node:fs";
import type { Socket } from "node:net";
import { setPriority } from "node:os";
import { fileURLToPath } from "node:url";
import type { Order, ProcessLimits, Report, ThreadStart } from "../channel/messages.ts";
import type { ThreadModule } from "../thread/wire.ts";
import type { ProcessCode } from "../types.ts";
import { Reception } from "./reception.ts";

type Ended = Extract<Report, { kind: "ended" }>;

/** What is told of a thread that was started. */
export interface ThreadEvents {
  /** It has come in and said who it is. From here on the socket is the listener's. */
  connected(socket: Socket): void;
  /** It is gone, or will never be there. `null`: with the whole process. */
  ended(report: Ended | null): void;
  memory(bytes: number): void;
}

export interface ProcessNeeds {
  readonly limits: ProcessLimits;
  readonly code: ProcessCode | null;
  /** How long a process may be silent, while something runs, before it counts as hanging. */
  readonly hangMs: number;
  /** What threads may read: files and folders, absolute. */
  readonly readable: readonly string[];
  /** There is little memory left for all: what rests should go before what works has to. */
  onFull(): void;
  /** There is enough of it, as far as was seen last. */
  onRoom(): void;
  /** Told when the process has died by itself, with its last words. */
  onDeath(why: { readonly code: number | null; readonly signal: string | null; readonly lastWords: string }): void;
}

/** What a thread is started with, as far as whoever wants it knows. */
type StartOf<M> = Omit<ThreadStart, "socketPath" | "token" | "module"> & { readonly module: M };
interface ThreadLimits {
  readonly memoryMb: number;
  readonly stackMb: number;
}

/** A thread that is nobody's yet. */
interface Spare {
  /** What it was prepared for. */
  readonly key: string;
  thread: number;
  /** `null`: it has not come in yet. */
  socket: Socket | null;
}

const keyOf = ({ init, measuresCpu }: StartOf<unknown>, limits: ThreadLimits): string =>
  JSON.stringify([init, measuresCpu, limits]);

const startFile = fileURLToPath(
  new URL(import.meta.url.endsWith(".ts") ? "../thread/supervisor.ts" : "../thread/supervisor.js", import.meta.url),
);
/** How often a process is asked whether it lives, at most. */
const pingMs = 1_000;
/** Until it has said that it is there it may take longer. */
const startMs = 30_000;
const lastWordsBytes = 4_096;
/** A little less of a processor than the server has. What is lower gets next to nothing where others keep the machine busy, and callers wait for it. */
const niceness = 2;
/** What counts as data before anything is done, in MiB: addresses for stacks and for code, mostly never written. */
const emptyMib = 768;
const emptyThreadMib = 64;
/** What a thread takes before it does anything. */
const threadBytes = 20_971_520;
/** Of the memory of all: beyond it no further threads are started. */
const fullShare = 0.7;
const firstWaitMs = 100;
const mostWaitMs = 10_000;
/** A process that has lived for so long begins with the first wait again. */
const steadyMs = 30_000;

/**
 * The process that runs functions, from the server's side. It is started with the first thread, and again when it has died, after a wait that doubles.
 * It has no environment, may read what it must and write nothing, starts no processes and loads no addons (threat X23); when memory is short it is what
 * the kernel ends.
 */
export class FunctionsProcess {
  readonly #needs: ProcessNeeds;
  readonly #threads = new Map<number, { readonly events: ThreadEvents; readonly token: string }>();
  readonly #reception = new Reception((thread, socket) => {
    const known = this.#threads.get(thread);
    if (known === undefined) socket.destroy();
    else known.events.connected(socket);
  });
  #child: ChildProcess | null = null;
  #orders: Order[] = [];
  #isReady = false;
  #residentBytes = 0;
  /** Threads started since that was seen. */
  #startedSince = 0;
  #next = 1;
  #startedAtMs = 0;
  #waitMs = firstWaitMs;
  #restart: NodeJS.Timeout | null = null;
  #ping: NodeJS.Timeout | null = null;
  #answeredAtMs = 0;
  #isWatching = false;
  #isClosed = false;
  #spare: Spare | null = null;
  #onUnused: (() => void) | null = null;

  constructor(needs: ProcessNeeds) {
    this.#needs = needs;
  }

  get pid(): number | null {
    return this.#child?.pid ?? null;
  }

  /** Whether another thread would fit: those that are there may grow, too. */
  get hasRoom(): boolean {
    const bytes = this.#residentBytes + this.#startedSince * threadBytes;
    return bytes < this.#needs.limits.memoryBytes * fullShare;
  }

  /** Starts a thread, or tells the one that is prepared what to run. @returns the thread's number */
  start(start: StartOf<ThreadModule>, limits: ThreadLimits, events: ThreadEvents): number {
    return this.#useSpare(start, limits, events) ?? this.#begin(start, limits, events);
  }

  /** Has a thread ready but for its module, in which all that is alike has been done. */
  prepare(start: StartOf<null>, limits: ThreadLimits): void {
    const key = keyOf(start, limits);
    if (this.#isClosed || this.#spare?.key === key) return;
    this.endSpare();
    const spare: Spare = { key, thread: 0, socket: null };
    this.#spare = spare;
    spare.thread = this.#begin(start, limits, {
      connected(socket) {
        spare.socket = socket;
      },
      ended: () => {
        if (this.#spare === spare) this.#spare = null;
      },
      memory() {},
    });
  }

  endSpare(): void {
    const spare = this.#spare;
    this.#spare = null;
    if (spare !== null) this.end(spare.thread);
  }

  #useSpare(start: StartOf<ThreadModule>, limits: ThreadLimits, events: ThreadEvents): number | null {
    const spare = this.#spare;
    if (spare === null || spare.key !== keyOf(start, limits)) return null;
    this.#spare = null;
    const { socket, thread } = spare;
    this.#threads.set(thread, { events, token: this.#threads.get(thread)!.token });
    // Whoever starts it does not know its number yet.
    if (socket !== null) queueMicrotask(() => events.connected(socket));
    this.#order({ kind: "use", thread, module: start.module });
    return thread;
  }

  #begin(start: StartOf<ThreadModule | null>, limits: ThreadLimits, events: ThreadEvents): number {
    const thread = this.#next++;
    this.#startedSince++;
    const invitation = this.#reception.invite(thread);
    this.#threads.set(thread, { events, token: invitation.token });
    this.#order({ kind: "start", thread, start: { ...start, ...invitation }, ...limits });
    return thread;
  }

  end(thread: number): void {
    this.#order({ kind: "end", thread });
  }

  /** Whether anything runs: only then somebody looks whether it goes on. */
  watch(isOn: boolean): void {
    if (this.#isWatching === isOn) return;
    this.#isWatching = isOn;
    if (this.#child !== null) this.#order({ kind: "watch", isOn });
    if (this.#ping !== null) clearInterval(this.#ping);
    this.#ping = null;
    if (isOn) {
      this.#answeredAtMs = performance.now();
      this.#ping = setInterval(() => this.#lookWhetherItLives(), Math.min(pingMs, this.#needs.hangMs / 4));
    }
  }

  /** Ends all of it at once; it starts anew with the next thread. */
  kill(): void {
    this.#child?.kill("SIGKILL");
  }

  /** Closes it when its last thread has ended. */
  async closeWhenUnused(): Promise<void> {
    this.endSpare();
    if (this.#threads.size > 0) {
      await new Promise<void>((resolve) => {
        this.#onUnused = resolve;
      });
    }
    await this.close();
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#onUnused?.();
    this.watch(false);
    if (this.#restart !== null) clearTimeout(this.#restart);
    const child = this.#child;
    if (child !== null) {
      const gone = new Promise<void>((resolve) => child.once("close", () => resolve()));
      child.kill("SIGKILL");
      await gone;
    }
    this.#reception.close();
  }

  #order(order: Order): void {
    if (this.#isClosed) return;
    if (this.#isReady && this.#child?.connected === true) this.#child.send(order);
    else this.#orders.push(order);
    if (this.#child === null && this.#restart === null) this.#spawn();
  }

  #spawn(): void {
    const { limits, readable } = this.#needs;
    const options = [
      "--permission",
      "--allow-worker",
      ...[...new Set(readable)].map((path) => `--allow-fs-read=${path}`),
      "--enable-source-maps",
      "--no-warnings",
      this.#needs.code?.supervisor ?? startFile,
      JSON.stringify(limits),
    ];
    const [command, args] = bounded(limits, process.execPath, options);
    const child = spawn(command, args, {
      // glibc has an arena for each thread, and keeps what was theirs.
      env: { MALLOC_ARENA_MAX: "2" },
      cwd: this.#reception.folder ?? undefined,
      stdio: ["ignore", "ignore", "pipe", "ipc"],
    });
    this.#child = child;
    this.#isReady = false;
    this.#startedAtMs = performance.now();
    this.#answeredAtMs = this.#startedAtMs;
    let lastWords = "";
    child.stderr!.on("data", (chunk: Buffer) => {
      lastWords = (lastWords + chunk.toString("utf8")).slice(-lastWordsBytes);
    });
    child.on("message", (report: Report) => this.#hear(report));
    child.on("error", () => {});
    child.once("close", (code, signal) => this.#onDeath(child, code, signal, lastWords));
    standBack(child.pid);
    // It does not keep the server from ending.
    child.unref();
    child.channel?.unref();
    (child.stderr as unknown as { unref(): void }).unref();
  }

  #hear(report: Report): void {
    switch (report.kind) {
      case "ready": {
        this.#isReady = true;
        this.#answeredAtMs = performance.now();
        const orders = this.#orders.splice(0);
        if (this.#isWatching) this.#child!.send({ kind: "watch", isOn: true } satisfies Order);
        for (const order of orders) this.#child!.send(order);
        return;
      }
      case "ended": {
        const thread = this.#forget(report.thread);
        thread?.ended(report);
        return;
      }
      case "memory":
        this.#threads.get(report.thread)?.events.memory(report.bytes);
        return;
      case "resident":
        this.#residentBytes = report.bytes;
        this.#startedSince = 0;
        if (this.hasRoom) this.#needs.onRoom();
        else this.#needs.onFull();
        return;
      case "pong":
        this.#answeredAtMs = performance.now();
    }
  }

  #forget(thread: number): ThreadEvents | undefined {
    const known = this.#threads.get(thread);
    if (known === undefined) return undefined;
    this.#threads.delete(thread);
    this.#reception.withdraw(known.token);
    if (this.#threads.size === 0) this.#onUnused?.();
    return known.events;
  }

  #onDeath(child: ChildProcess, code: number | null, signal: string | null, lastWords: string): void {
    if (this.#child !== child) return;
    this.#child = null;
    this.#isReady = false;
    this.#residentBytes = 0;
    this.#orders = [];
    // It has died with the others. Whoever is told first may want a thread at once.
    this.#spare = null;
    const lost = [...this.#threads.keys()].map((thread) => this.#forget(thread)!);
    if (performance.now() - this.#startedAtMs > steadyMs) this.#waitMs = firstWaitMs;
    if (!this.#isClosed) {
      this.#needs.onDeath({ code, signal, lastWords });
      const waitMs = this.#waitMs;
      this.#waitMs = Math.min(waitMs * 2, mostWaitMs);
      this.#restart = setTimeout(() => {
        this.#restart = null;
        if (this.#orders.length > 0) this.#spawn();
      }, waitMs);
      this.#restart.unref();
    }
    for (const events of lost) events.ended(null);
  }

  #lookWhetherItLives(): void {
    if (this.#child === null) return;
    if (this.#isReady) this.#child.send({ kind: "ping", number: 0 } satisfies Order);
    const silentMs = performance.now() - this.#answeredAtMs;
    if (silentMs > (this.#isReady ? this.#needs.hangMs : startMs)) this.kill();
  }
}

/** Where there is a shell that can, memory that is written has a bound that nothing in the process can lift. */
function bounded(
  { memoryBytes, threads }: ProcessLimits,
  command: string,
  args: readonly string[],
): [string, string[]] {
  if (process.platform !== "linux") return [command, [...args]];
  const kib = Math.ceil((memoryBytes * 2) / 1_024) + (emptyMib + threads * emptyThreadMib) * 1_024;
  const script = 'ulimit -c 0; ulimit -d "$0" 2>/dev/null; exec "$@"';
  return ["/bin/sh", ["-c", script, String(kib), command, ...args]];
}

/** Requests go first, and when memory is short this is what the kernel ends. Where neither can be said it works as well. */
function standBack(pid: number | undefined): void {
  if (pid === undefined) return;
  try {
    setPriority(pid, niceness);
  } catch {}
  try {
    writeFileSync(`/proc/${pid}/oom_score_adj`, "1000");
  } catch {}
}

import { fileURLToPath } from "node:url";
import { Worker } from "node:worker_threads";
import { writerRoomBytes } from "../channel/frame-writer.ts";
import {
  type EndReason,
  type Order,
  type ProcessLimits,
  type Report,
  sharedSlot,
  type ThreadStart,
} from "../channel/messages.ts";
import type { ThreadModule } from "./wire.ts";

/**
 * The main thread of the process that runs functions. It runs none itself: it starts and ends threads, and looks after those that take too much memory, or
 * never come to the end of what they do. It stays able to do so whatever they do.
 */
const limits = JSON.parse(process.argv.at(-1)!) as ProcessLimits;
const mib = 1_048_576;
/**
 * Limits of what a thread computes are in CPU time: on a busy machine a second of it takes many. What only waits, or is not to be interrupted to be
 * asked, is ended after so many times as long.
 */
const wallFactor = { blocked: 10, boot: 3 };
/** Room for compiled code. Left to itself V8 takes 512 MiB of addresses for each thread, which count against the process's bound. */
const codeMb = 32;
const threadFile =
  limits.threadFile ??
  fileURLToPath(new URL(import.meta.url.endsWith(".ts") ? "./main.ts" : "./main.js", import.meta.url));

interface Thread {
  readonly worker: Worker;
  readonly shared: Int32Array;
  readonly memoryBytes: number;
  /** Why it is ended, when it is us. */
  reason: EndReason | null;
  message: string | null;
  /** The look it was asked to answer, and when; 0 when it has. */
  askedAtMs: number;
  look: number;
  /** Performance clock. */
  startedAtMs: number;
  /** CPU time it has taken when it was asked, and since it began, as far as that is known. */
  cpuMs: { asked: number; now: number };
  isCpuAsked: boolean;
  /** Of the heap and what lies outside of it. */
  mostBytes: number;
  isMeasured: boolean;
}

const threads = new Map<number, Thread>();
let watching: NodeJS.Timeout | null = null;
let isWatched = false;
let look = 0;

const report = (said: Report): void => void process.send!(said);

process.on("message", (order: Order) => {
  switch (order.kind) {
    case "start":
      return begin(order.thread, order.start, order.memoryMb, order.stackMb);
    case "use":
      return use(order.thread, order.module);
    case "end":
      return end(order.thread, "ended");
    case "watch":
      return watch(order.isOn);
    case "ping":
      return report({ kind: "pong", number: order.number });
  }
});
// Nobody is left to work for.
process.on("disconnect", () => process.kill(process.pid, "SIGKILL"));
report({ kind: "ready" });

function begin(number: number, start: ThreadStart, memoryMb: number, stackMb: number): void {
  const shared = new SharedArrayBuffer(16);
  const unsent = new SharedArrayBuffer(writerRoomBytes);
  const worker = new Worker(threadFile, {
    workerData: { start, shared, unsent },
    env: { ...start.init.environment },
    // What is written past `console` belongs to nobody.
    stdout: true,
    stderr: true,
    resourceLimits: {
      maxOldGenerationSizeMb: memoryMb,
      maxYoungGenerationSizeMb: Math.min(16, memoryMb),
      stackSizeMb: stackMb,
      codeRangeSizeMb: codeMb,
    },
    name: start.module?.functionName ?? "spare",
  });
  worker.stdout.resume();
  worker.stderr.resume();
  const slots = new Int32Array(shared);
  // One that is not told yet what to load is not late with it.
  if (start.module === null) slots[sharedSlot.loaded] = 1;
  const thread: Thread = {
    worker,
    shared: slots,
    memoryBytes: memoryMb * mib,
    reason: null,
    message: null,
    askedAtMs: 0,
    look: 0,
    startedAtMs: performance.now(),
    cpuMs: { asked: 0, now: 0 },
    isCpuAsked: false,
    mostBytes: 0,
    isMeasured: false,
  };
  threads.set(number, thread);
  lookOrRest();
  worker.on("error", (error: NodeJS.ErrnoException & { readonly resource?: string }) => {
    // Whoever wants it ended meanwhile does not know yet why it ends.
    if (error.code === "ERR_WORKER_OUT_OF_MEMORY") thread.reason = "memory";
    else thread.reason ??= "crashed";
    thread.message ??= error.resource === undefined ? error.message : `${error.message} (${error.resource})`;
  });
  worker.on("exit", () => {
    threads.delete(number);
    const { reason, message } = thread;
    report({
      kind: "ended",
      thread: number,
      reason: reason ?? "crashed",
      begun: thread.shared[sharedSlot.begun]! >>> 0,
      message,
      unsent: unsentOf(thread, unsent),
    });
  });
}

/** Tells a thread that was prepared what it is to run. */
function use(number: number, module: ThreadModule): void {
  const thread = threads.get(number);
  if (thread === undefined) return;
  thread.startedAtMs = performance.now();
  Atomics.store(thread.shared, sharedSlot.loaded, 0);
  thread.worker.postMessage(module);
  lookOrRest();
}

function end(number: number, reason: EndReason, message: string | null = null): void {
  const thread = threads.get(number);
  if (thread === undefined) return;
  thread.reason ??= reason;
  thread.message ??= message;
  void thread.worker.terminate();
}

/** The thread has said how much it is, which may be anything: this process is everybody's. */
function unsentOf({ shared }: Thread, bytes: SharedArrayBuffer): string {
  const size = Math.min(Math.max(0, shared[sharedSlot.unsent]!), bytes.byteLength);
  return Buffer.from(bytes, 0, size).toString("base64");
}

function watch(isOn: boolean): void {
  isWatched = isOn;
  if (!isOn) for (const thread of threads.values()) thread.askedAtMs = 0;
  lookOrRest();
}

/** Threads are looked at while something runs, or is loaded. */
function lookOrRest(): void {
  const isNeeded = isWatched || [...threads.values()].some(isLoading);
  if (!isNeeded && watching !== null) {
    clearInterval(watching);
    watching = null;
  } else if (isNeeded && watching === null) {
    watching = setInterval(lookAtAll, limits.lookMs);
  }
}

const isLoading = ({ reason, shared }: Thread): boolean => reason === null && shared[sharedSlot.loaded] === 0;

function lookAtAll(): void {
  const nowMs = performance.now();
  look = (look + 1) & 0x7fff_ffff;
  for (const [number, thread] of threads) {
    if (thread.reason !== null) continue;
    if (isLoading(thread)) lookWhetherItLoads(number, thread, nowMs);
    else if (isWatched) lookWhetherItGoesOn(number, thread, nowMs);
    lookAtMemory(number, thread).catch(() => {});
  }
  lookAtAllMemory();
  if (!isWatched) lookOrRest();
}

function lookWhetherItLoads(number: number, thread: Thread, nowMs: number): void {
  lookAtCpu(thread);
  if (thread.cpuMs.now > limits.bootMs || nowMs - thread.startedAtMs > limits.bootMs * wallFactor.boot)
    end(number, "blocked", "It took too long to load.");
}

function lookWhetherItGoesOn(number: number, thread: Thread, nowMs: number): void {
  if (thread.askedAtMs !== 0 && thread.shared[sharedSlot.seen] !== thread.look) {
    lookAtCpu(thread);
    const hasComputed = thread.cpuMs.now - thread.cpuMs.asked > limits.blockedMs;
    if (hasComputed || nowMs - thread.askedAtMs > limits.blockedMs * wallFactor.blocked) end(number, "blocked");
    return;
  }
  thread.askedAtMs = nowMs;
  thread.look = look;
  thread.cpuMs.asked = Number.POSITIVE_INFINITY;
  lookAtCpu(thread);
  thread.worker.postMessage(look);
}

/** Asked between two steps of whatever it computes: it answers in an endless loop too. */
function lookAtCpu(thread: Thread): void {
  if (thread.isCpuAsked) return;
  thread.isCpuAsked = true;
  thread.worker.cpuUsage().then(
    ({ user, system }) => {
      thread.isCpuAsked = false;
      thread.cpuMs.now = (user + system) / 1_000;
      thread.cpuMs.asked = Math.min(thread.cpuMs.asked, thread.cpuMs.now);
    },
    // It does not run yet, or any more.
    () => {
      thread.isCpuAsked = false;
    },
  );
}

/** The heap has a limit of its own; what lies outside (buffers) has none but this. */
async function lookAtMemory(number: number, thread: Thread): Promise<void> {
  if (thread.isMeasured) return;
  thread.isMeasured = true;
  const { total_heap_size: heap, external_memory: external } = await thread.worker.getHeapStatistics();
  thread.isMeasured = false;
  const bytes = heap + external;
  if (bytes > thread.mostBytes * 1.1) report({ kind: "memory", thread: number, bytes });
  thread.mostBytes = Math.max(thread.mostBytes, bytes);
  if (external > thread.memoryBytes) end(number, "memory");
}

/** Together they may have less than the sum of what each may. */
function lookAtAllMemory(): void {
  const bytes = process.memoryUsage.rss();
  report({ kind: "resident", bytes });
  if (bytes < limits.memoryBytes) return;
  let largest: readonly [number, Thread] | null = null;
  for (const one of threads)
    if (one[1].reason === null && (largest === null || one[1].mostBytes > largest[1].mostBytes)) largest = one;
  if (largest !== null) end(largest[0], "memory", "All functions together take too much memory, and this one most.");
}

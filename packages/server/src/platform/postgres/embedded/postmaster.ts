import { spawn } from "node:child_process";
import { setTimeout as delay } from "node:timers/promises";
import type { Binaries } from "./binaries.ts";
import { identify, isSameProcess, type ProcessIdentity, postgresProcessesIn } from "./process-identity.ts";
import type { ServiceUser } from "./service-user.ts";

/** A running postmaster, whether we started it or found it. */
export interface Postmaster {
  readonly pid: number;
  /** Resolves when it has ended, with how. */
  readonly ended: Promise<string>;
  hasEnded(): boolean;
}

/** How PostgreSQL shuts down. https://www.postgresql.org/docs/current/server-shutdown.html */
const shutdownSignals = { fast: "SIGINT", immediate: "SIGQUIT" } as const;

/** After an immediate shutdown nothing is left to wait for but the kernel. */
const IMMEDIATE_STOP_MS = 5_000;
/** How often the end of a process that is not our child is looked for. */
const LOOK_EVERY_MS = 25;

/**
 * Starts a postmaster in its own session, so that Ctrl-C in a terminal reaches us and not it: it is to go last. `dataArgument`
 * is the data folder as its user can name it.
 */
export async function spawnPostmaster(options: {
  readonly binaries: Binaries;
  readonly data: string;
  readonly dataArgument: string;
  readonly args: readonly string[];
  readonly user: ServiceUser | null;
  /** File that takes its output. */
  readonly logFd: number;
  /** A program and its arguments that becomes PostgreSQL (`exec`); empty for none. */
  readonly through: readonly string[];
}): Promise<Postmaster> {
  const { binaries, user, logFd } = options;
  const command = [...options.through, binaries.postgres, "-D", options.dataArgument, ...options.args];
  const child = spawn(command[0]!, command.slice(1), {
    cwd: options.data,
    env: binaries.env,
    stdio: ["ignore", logFd, logFd],
    detached: true,
    windowsHide: true,
    ...(user === null ? {} : { uid: user.uid, gid: user.gid }),
  });
  await new Promise<void>((resolve, reject) => child.once("spawn", resolve).once("error", reject));
  let isOver = false;
  const ended = new Promise<string>((resolve) => {
    child.once("exit", (code, signal) => {
      isOver = true;
      resolve(signal === null ? `exit code ${code}` : `signal ${signal}`);
    });
  });
  // Nobody should be kept alive by it: whoever wants it stopped says so.
  child.unref();
  return { pid: child.pid!, ended, hasEnded: () => isOver };
}

/** A postmaster that an earlier process of ours left behind. */
export function adoptPostmaster(identity: ProcessIdentity): Postmaster {
  const hasEnded = (): boolean => !isSameProcess(identity);
  return { pid: identity.pid, hasEnded, ended: watchEnd(hasEnded) };
}

async function watchEnd(hasEnded: () => boolean): Promise<string> {
  while (!hasEnded()) await delay(1_000, undefined, { ref: false });
  return "an unknown cause (it was not our child)";
}

/**
 * Fast shutdown; an immediate one when that takes longer than `timeoutMs` or `signal` is aborted; then the kernel's. Bounded by
 * `timeoutMs` and 10 s. @returns which of them it took
 */
export async function stopPostmaster(
  postmaster: Postmaster,
  data: string,
  timeoutMs: number,
  signal?: AbortSignal,
): Promise<"fast" | "immediate" | "killed"> {
  for (const mode of ["fast", "immediate"] as const) {
    send(postmaster.pid, shutdownSignals[mode]);
    const patience = mode === "fast" ? timeoutMs : IMMEDIATE_STOP_MS;
    if (await endsWithin(postmaster, patience, mode === "fast" ? signal : undefined)) return mode;
  }
  // It does not even die (stopped by a debugger, stuck on a disk): its children leave when it is gone.
  for (const pid of new Set([postmaster.pid, ...postgresProcessesIn(data)])) send(pid, "SIGKILL");
  await endsWithin(postmaster, IMMEDIATE_STOP_MS);
  return "killed";
}

async function endsWithin(postmaster: Postmaster, timeoutMs: number, signal?: AbortSignal): Promise<boolean> {
  const until = performance.now() + timeoutMs;
  while (!postmaster.hasEnded() && performance.now() < until && !signal?.aborted) {
    await Promise.race([postmaster.ended, delay(LOOK_EVERY_MS)]);
  }
  return postmaster.hasEnded();
}

/** Waits for what a dead postmaster left: its children notice within moments, and until then the data is not free. */
export async function waitForSurvivors(data: string, timeoutMs: number, signal?: AbortSignal): Promise<number[]> {
  const until = performance.now() + timeoutMs;
  for (;;) {
    const left = postgresProcessesIn(data);
    if (left.length === 0 || performance.now() > until) return left;
    await delay(LOOK_EVERY_MS, undefined, signal === undefined ? {} : { signal });
  }
}

function send(pid: number, signal: NodeJS.Signals): void {
  if (identify(pid) === null) return;
  try {
    process.kill(pid, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
  }
}

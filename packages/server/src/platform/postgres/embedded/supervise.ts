import { setTimeout as delay } from "node:timers/promises";
import type { Observe } from "../../observe/observation.ts";
import type { Postmaster } from "./postmaster.ts";

const FIRST_PAUSE_MS = 500;
const LONGEST_PAUSE_MS = 30_000;

/**
 * Keeps a postmaster running: one that ends by itself (killed by the kernel for memory, a panic) is started again, at growing
 * distances, for as long as nobody stops us. PostgreSQL restarts its own backends; this is for the rest.
 */
export function supervise(needs: {
  readonly postmaster: Postmaster;
  readonly observe: Observe;
  /** PostgreSQL's last log lines. */
  readonly lastLines: () => readonly string[];
  /** Starts another on the same place and resolves when it is ready. */
  readonly restart: (signal: AbortSignal) => Promise<Postmaster>;
  readonly stop: (postmaster: Postmaster, signal?: AbortSignal) => Promise<unknown>;
}): { pid(): number; stop(signal?: AbortSignal): Promise<boolean> } {
  let current = needs.postmaster;
  const stopping = new AbortController();
  let stopped: Promise<void> | null = null;

  // Our last chance when Node leaves without a proper stop (an uncaught error, process.exit): a fast shutdown goes on
  // without us. Nothing helps against kill -9; the next start finds what is left.
  const onExit = (): void => {
    if (!current.hasEnded()) process.kill(current.pid, "SIGINT");
  };
  process.on("exit", onExit);

  const asked = new Promise<null>((resolve) => stopping.signal.addEventListener("abort", () => resolve(null)));
  const watch = async (): Promise<void> => {
    while (!stopping.signal.aborted) {
      const how = await Promise.race([current.ended, asked]);
      if (how === null) return;
      const lines = needs.lastLines().slice(-5).join("\n");
      warn(`PostgreSQL ended by itself, with ${how}; starting it again. Its last words:\n${lines}`);
      await startAgain();
    }
  };

  const startAgain = async (): Promise<void> => {
    for (let pauseMs = FIRST_PAUSE_MS; !stopping.signal.aborted; pauseMs = Math.min(pauseMs * 2, LONGEST_PAUSE_MS)) {
      try {
        current = await needs.restart(stopping.signal);
        return;
      } catch (error) {
        if (stopping.signal.aborted) return;
        warn(`PostgreSQL did not start again; next try in ${pauseMs} ms. ${(error as Error).message}`);
      }
      await delay(pauseMs, undefined, { signal: stopping.signal, ref: false }).catch(() => {});
    }
  };

  const warn = (message: string): void => needs.observe({ kind: "warning", area: "postgres", message });
  const watching = watch();

  return {
    pid: () => current.pid,
    /** True for the call that did it, so that what comes after a stop is done once. */
    async stop(signal) {
      if (stopped !== null) {
        await stopped;
        return false;
      }
      stopping.abort();
      stopped = (async () => {
        // A restart under way stops what it has begun.
        await watching;
        if (!current.hasEnded()) await needs.stop(current, signal);
        process.off("exit", onExit);
      })();
      await stopped;
      return true;
    },
  };
}

import type { Observe } from "../../observe/observation.ts";
import type { LogTail } from "./log-tail.ts";
import type { Postmaster } from "./postmaster.ts";
import { readPostmasterFile } from "./postmaster-file.ts";
import { explainStartFailure } from "./problems.ts";
import { processorTicksIn } from "./process-identity.ts";

/** First and longest pause between two looks. The log wakes us at once; looking is for when it does not. */
const FIRST_LOOK_MS = 5;
const LONGEST_LOOK_MS = 200;
/** Silence after which it is said that no progress is seen. */
const QUIET_MS = 60_000;

/**
 * Waits until the postmaster takes connections, however long its recovery lasts (threat X15). There is no deadline on
 * purpose: whoever kills a recovery and starts it again makes it begin from the start, for ever. What can be seen is reported
 * every `reportMs`; only its end, or `signal`, ends the waiting.
 * @throws Problem when the postmaster ends; the signal's reason when aborted
 */
export async function waitUntilReady(options: {
  readonly postmaster: Postmaster;
  readonly data: string;
  readonly log: LogTail;
  readonly observe: Observe;
  readonly reportMs: number;
  readonly signal?: AbortSignal | undefined;
}): Promise<void> {
  const { postmaster, data, log, observe, reportMs, signal } = options;
  const startedAt = performance.now();
  let reportAt = startedAt + reportMs;
  let pause = FIRST_LOOK_MS;
  const progress = watchProgress(data, log);
  const bell = new Bell();
  log.onChange = () => bell.ring();
  void postmaster.ended.then(() => bell.ring());
  for (;;) {
    signal?.throwIfAborted();
    if (isReady(data, postmaster.pid)) return;
    if (postmaster.hasEnded()) {
      const how = await postmaster.ended;
      throw explainStartFailure(`PostgreSQL did not start: it ended with ${how}`, data, log.lastLines());
    }
    const now = performance.now();
    if (now >= reportAt) {
      reportAt = now + reportMs;
      const { detail, quietMs } = progress();
      observe({ kind: "postgres.recovering", elapsedMs: Math.round(now - startedAt), detail });
      if (quietMs >= QUIET_MS) {
        const seconds = Math.round(quietMs / 1000);
        observe({
          kind: "warning",
          area: "postgres",
          message: `PostgreSQL (process ${postmaster.pid}) is starting, and no progress has been seen for ${seconds} s. Waiting on: killing it would make recovery begin again.`,
        });
      }
    }
    await bell.wait(pause);
    pause = Math.min(pause * 2, LONGEST_LOOK_MS);
  }
}

/** One waiter, woken by the bell or by time. Not a race of promises: those would pile up over a recovery of hours. */
class Bell {
  #ring: () => void = () => {};

  ring(): void {
    this.#ring();
  }

  wait(timeoutMs: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, timeoutMs);
      this.#ring = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}

function isReady(data: string, pid: number): boolean {
  const file = readPostmasterFile(data);
  return file !== null && file.pid === pid && file.status === "ready";
}

/** Progress is a growing log or used processor time; the detail is PostgreSQL's last word. */
function watchProgress(data: string, log: LogTail): () => { detail: string; quietMs: number } {
  let mark = "";
  let markedAt = performance.now();
  return () => {
    const last = log.lastLines().at(-1) ?? "nothing logged yet";
    const seen = `${log.position} ${processorTicksIn(data)}`;
    if (seen !== mark) {
      mark = seen;
      markedAt = performance.now();
    }
    return { detail: last.replace(/^.*?\] [A-Z]+:\s+/, ""), quietMs: performance.now() - markedAt };
  };
}

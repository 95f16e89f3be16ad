import { setTimeout } from "node:timers/promises";
import type { Diagnostic } from "../../types.ts";
import { NoCompilerError } from "./run.ts";

/** A thread loads what was saved meanwhile: the compiler takes all cores there are. */
const afterMs = 600;

/** Checks types behind everything else: what is saved answers long before. The latest check is the only one that counts. */
export interface CheckBehind {
  soon(): void;
  /** Ends a check under way. */
  stop(): Promise<void>;
}

export function createCheckBehind(needs: {
  check(signal: AbortSignal): Promise<readonly Diagnostic[]>;
  found(diagnostics: readonly Diagnostic[]): void;
  failed(message: string): void;
}): CheckBehind {
  let abort = new AbortController();
  let running: Promise<void> = Promise.resolve();
  // Said once: it is not an author's mistake, and nothing that is saved changes it.
  let isWithoutCompiler = false;
  const run = async (signal: AbortSignal): Promise<void> => {
    if (signal.aborted) return;
    try {
      await setTimeout(afterMs, undefined, { signal });
      const found = await needs.check(signal);
      if (!signal.aborted) needs.found(found);
    } catch (error) {
      if (signal.aborted || isWithoutCompiler) return;
      isWithoutCompiler = error instanceof NoCompilerError;
      needs.failed(error instanceof Error ? error.message : String(error));
    }
  };
  return {
    soon() {
      abort.abort();
      abort = new AbortController();
      const { signal } = abort;
      running = running.then(() => run(signal));
    },
    async stop() {
      abort.abort();
      await running;
    },
  };
}

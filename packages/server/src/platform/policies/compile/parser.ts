import { Worker } from "node:worker_threads";
import type { Node } from "libpg-query";

export type { Node } from "libpg-query";

/** PostgreSQL's own parser, on a thread of its own that ends when nothing has been asked for a while. */
export interface ExpressionParser {
  /** The tree of each expression; `null` for one that the parser refuses. Rejects only when the thread dies. */
  parse(expressions: readonly string[]): Promise<readonly (Node | null)[]>;
  /** The thread is there, and with it the parser's memory. */
  isLoaded(): boolean;
  close(): Promise<void>;
}

export type ParseRequest = { readonly id: number; readonly expressions: readonly string[] };
export type ParseReply = { readonly id: number; readonly trees: readonly (Node | null)[] };

/**
 * The parser is WebAssembly that takes some 60 MB and cannot give them back. Policies are compiled at start and after DDL, and a
 * server lives for weeks: so the module lives in a thread, and goes with it.
 * @param idleMs how long the thread waits for more
 */
export function createExpressionParser({ idleMs }: { readonly idleMs: number }): ExpressionParser {
  let worker: Worker | null = null;
  let idle: NodeJS.Timeout | null = null;
  let nextId = 0;
  let isClosed = false;
  const pending = new Map<number, { resolve: (trees: ParseReply["trees"]) => void; reject: (error: Error) => void }>();

  const stop = async (): Promise<void> => {
    const ending = worker;
    worker = null;
    if (idle) clearTimeout(idle);
    await ending?.terminate();
  };

  const start = (): Worker => {
    // The file is TypeScript in the repository and JavaScript in the published package.
    const file = import.meta.url.endsWith(".ts") ? "./parser-worker.ts" : "./parser-worker.js";
    const started = new Worker(new URL(file, import.meta.url), { resourceLimits: { maxOldGenerationSizeMb: 256 } });
    const fail = (error: Error): void => {
      // One that was stopped on purpose has nothing pending; a newer one keeps what is its own.
      if (worker !== started) return;
      worker = null;
      for (const { reject } of pending.values()) reject(error);
      pending.clear();
    };
    started.on("message", ({ id, trees }: ParseReply) => {
      pending.get(id)?.resolve(trees);
      pending.delete(id);
      if (pending.size > 0) return;
      started.unref();
      idle = setTimeout(() => void stop(), idleMs).unref();
    });
    started.on("error", (error) => fail(error instanceof Error ? error : new Error(String(error))));
    started.on("exit", () => fail(new Error("The thread that parses policies has stopped.")));
    return started;
  };

  return {
    parse(expressions) {
      if (isClosed) return Promise.reject(new Error("The parser of policies is closed."));
      if (expressions.length === 0) return Promise.resolve([]);
      if (idle) clearTimeout(idle);
      worker ??= start();
      worker.ref();
      const id = nextId++;
      const answer = new Promise<ParseReply["trees"]>((resolve, reject) => pending.set(id, { resolve, reject }));
      worker.postMessage({ id, expressions } satisfies ParseRequest);
      return answer;
    },
    isLoaded: () => worker !== null,
    async close() {
      isClosed = true;
      for (const { reject } of pending.values()) reject(new Error("The parser of policies is closed."));
      pending.clear();
      await stop();
    },
  };
}

import { type ChildProcess, fork } from "node:child_process";
import { fileURLToPath } from "node:url";
import type { Node } from "libpg-query";

export type { Node } from "libpg-query";

/** PostgreSQL's own parser, in a process of its own that ends when nothing has been asked for a while. */
export interface ExpressionParser {
  /** The tree of each expression; `null` for one that the parser refuses. Rejects only when the process dies. */
  parse(expressions: readonly string[]): Promise<readonly (Node | null)[]>;
  /** The process is there, and with it the parser's memory. */
  isLoaded(): boolean;
  close(): Promise<void>;
}

export type ParseRequest = { readonly id: number; readonly expressions: readonly string[] };
export type ParseReply = { readonly id: number; readonly trees: readonly (Node | null)[] };

/**
 * The parser is WebAssembly that takes some 60 MB and cannot give them back. Policies are compiled at start and after DDL, and a
 * server lives for weeks. A thread gave back a part only: of 300 MB at its height 90 to 150 stayed with us, of a process 5 stay.
 * @param idleMs how long the process waits for more
 */
export function createExpressionParser({ idleMs }: { readonly idleMs: number }): ExpressionParser {
  let child: ChildProcess | null = null;
  let idle: NodeJS.Timeout | null = null;
  let nextId = 0;
  let isClosed = false;
  const pending = new Map<number, { resolve: (trees: ParseReply["trees"]) => void; reject: (error: Error) => void }>();

  const failAll = (error: Error): void => {
    for (const { reject } of pending.values()) reject(error);
    pending.clear();
  };

  const stop = (): Promise<void> => {
    const ending = child;
    child = null;
    if (idle) clearTimeout(idle);
    if (ending === null || ending.exitCode !== null || ending.signalCode !== null) return Promise.resolve();
    return new Promise((resolve) => {
      ending.once("exit", () => resolve());
      ending.kill("SIGKILL");
    });
  };

  const start = (): ChildProcess => {
    // The file is TypeScript in the repository and JavaScript in the published package.
    const file = import.meta.url.endsWith(".ts") ? "./parser-child.ts" : "./parser-child.js";
    // Nothing of our environment: it has no business with secrets, and policies come from the database.
    const started = fork(fileURLToPath(new URL(file, import.meta.url)), [], {
      env: {},
      execArgv: ["--max-old-space-size=256"],
      serialization: "advanced",
      stdio: ["ignore", "ignore", "ignore", "ipc"],
    });
    const fail = (error: Error): void => {
      // One that was stopped on purpose has nothing pending; a newer one keeps what is its own.
      if (child !== started) return;
      child = null;
      failAll(error);
    };
    started.on("message", (message) => {
      // From our own file.
      const { id, trees } = message as ParseReply;
      pending.get(id)?.resolve(trees);
      pending.delete(id);
      if (pending.size > 0 || child !== started) return;
      started.unref();
      started.channel?.unref();
      idle = setTimeout(() => void stop(), idleMs).unref();
    });
    started.on("error", fail);
    started.on("exit", () => fail(new Error("The process that parses policies has stopped.")));
    return started;
  };

  return {
    parse(expressions) {
      if (isClosed) return Promise.reject(new Error("The parser of policies is closed."));
      if (expressions.length === 0) return Promise.resolve([]);
      if (idle) clearTimeout(idle);
      child ??= start();
      child.ref();
      child.channel?.ref();
      const id = nextId++;
      const answer = new Promise<ParseReply["trees"]>((resolve, reject) => pending.set(id, { resolve, reject }));
      // When it is gone already, its end tells everybody who waits.
      child.send({ id, expressions } satisfies ParseRequest, () => {});
      return answer;
    },
    isLoaded: () => child !== null,
    async close() {
      isClosed = true;
      failAll(new Error("The parser of policies is closed."));
      await stop();
    },
  };
}

import { fileURLToPath } from "node:url";
import { Worker } from "node:worker_threads";
import type { Definition } from "@mainstay/functions/definition";
import type { Json } from "../../../platform/jobs/types.ts";
import type { HttpInput } from "../types.ts";
import type { ThreadInit, Wire } from "./wire.ts";

/** A request to the world of a function, as tests write it. */
export type AskedRequest = Partial<Omit<HttpInput, "body">> & { readonly body?: string };

export interface Fetched {
  readonly method: string;
  readonly url: string;
  readonly headers: readonly string[];
  readonly body: string | null;
  readonly as: Parameters<Wire["fetch"]>[1];
}

export interface TestThreadOptions {
  readonly init?: Partial<ThreadInit>;
  /** What services answer; one that is not here is refused. */
  readonly services?: Readonly<Record<string, (...args: Json[]) => Json | undefined | Promise<Json | undefined>>>;
  /** What the server's own routes answer. */
  readonly fetch?: (request: Fetched) => { readonly status: number; readonly body: string | null };
  /** Answers of the resolver in place of DNS, one list of addresses a question; the last again and again. */
  readonly names?: Readonly<Record<string, readonly (readonly string[])[]>>;
}

export interface Line {
  readonly invocation: string;
  readonly level: string;
  readonly message: string;
  readonly fields?: Readonly<Record<string, unknown>>;
}

export type Outcome =
  | { readonly status: number; readonly headers: readonly string[]; readonly body: string | null }
  | { readonly value: unknown }
  | { readonly suspended: Json }
  | {
      readonly error: {
        readonly name: string;
        readonly message: string;
        readonly code?: string;
        readonly stack: string;
      };
    };

/** A thread with the real world in it and a loop that is only for tests. */
export interface TestThread {
  readonly definitions: readonly Omit<Definition, "handler">[];
  readonly lines: readonly Line[];
  request(
    request?: AskedRequest,
    given?: { readonly caller?: Json; readonly id?: string; readonly index?: number },
  ): Promise<Outcome>;
  run(index: number, input: Json, context?: Json): Promise<Outcome>;
  stop(): Promise<void>;
}

/** What a harness is told, and tells. */
export type ToHarness =
  | {
      readonly kind: "invoke";
      readonly number: number;
      readonly index: number;
      readonly request?: AskedRequest;
      readonly input?: Json;
      readonly context?: Json;
      readonly caller?: Json;
      readonly id?: string;
    }
  | { readonly kind: "answer"; readonly number: number; readonly value?: Json | undefined; readonly error?: string };
export type FromHarness =
  | { readonly kind: "loaded"; readonly definitions: readonly Omit<Definition, "handler">[] }
  | { readonly kind: "failed"; readonly message: string; readonly stack: string }
  | { readonly kind: "outcome"; readonly number: number; readonly outcome: Outcome }
  | { readonly kind: "call"; readonly number: number; readonly service: string; readonly args: readonly Json[] }
  | { readonly kind: "fetch"; readonly number: number; readonly request: Fetched }
  | { readonly kind: "line"; readonly line: Line };

export const testInit: ThreadInit = {
  environment: { SUPABASE_URL: "http://127.0.0.1:1", GREETING: "hello" },
  secretNames: ["GREETING"],
  allowedHosts: [],
  projectUrl: "http://127.0.0.1:1",
  anonKey: "anon-key",
  serviceRoleKey: "service-key",
  limits: { responseBytes: 1_000_000, logLineBytes: 10_000, logLines: 100 },
};

/**
 * Opens a thread whose module is `source`; `@mainstay/functions` may be imported.
 * @throws Error with what the module threw
 */
export async function openThread(source: string, options: TestThreadOptions = {}): Promise<TestThread> {
  const { fetch = () => ({ status: 404, body: null }), init = {}, names = {}, services = {} } = options;
  const functions = import.meta.resolve("@mainstay/functions");
  const worker = new Worker(fileURLToPath(new URL("./harness-thread.testing.ts", import.meta.url)), {
    workerData: {
      init: { ...testInit, ...init },
      source: source.replaceAll('"@mainstay/functions"', JSON.stringify(functions)),
      names,
    },
    env: { LEFTOVER: "of the server" },
    execArgv: [],
    stderr: true,
    stdout: true,
  });
  const lines: Line[] = [];
  const waiting = new Map<number, (outcome: Outcome) => void>();
  let number = 0;
  const say = (message: ToHarness) => worker.postMessage(message);
  const ended = (error: unknown) => {
    const { message, name, stack } = error instanceof Error ? error : new Error(String(error));
    for (const settle of waiting.values())
      settle({ error: { name, message: `thread ended: ${message}`, stack: stack ?? "" } });
    waiting.clear();
  };
  worker.on("error", ended);
  worker.on("exit", (code) => ended(new Error(`exit ${code}`)));
  const loaded = new Promise<readonly Omit<Definition, "handler">[]>((resolve, reject) => {
    worker.on("error", reject);
    worker.on("message", async (message: FromHarness) => {
      switch (message.kind) {
        case "loaded":
          return resolve(message.definitions);
        case "failed":
          return reject(Object.assign(new Error(message.message), { stack: message.stack }));
        case "outcome":
          waiting.get(message.number)?.(message.outcome);
          return waiting.delete(message.number);
        case "line":
          return lines.push(message.line);
        case "call": {
          try {
            const service = services[message.service];
            if (service === undefined) throw new Error(`no service ${message.service}`);
            return say({ kind: "answer", number: message.number, value: await service(...message.args) });
          } catch (error) {
            return say({ kind: "answer", number: message.number, error: (error as Error).message });
          }
        }
        case "fetch":
          return say({ kind: "answer", number: message.number, value: fetch(message.request) });
      }
    });
  });
  const invoke = (message: Omit<Extract<ToHarness, { kind: "invoke" }>, "kind" | "number">): Promise<Outcome> =>
    new Promise((settle) => {
      waiting.set(++number, settle);
      say({ kind: "invoke", number, ...message });
    });
  try {
    return {
      definitions: await loaded,
      lines,
      request: (request = {}, { caller, id, index = 0 } = {}) =>
        invoke({ index, request, ...(caller === undefined ? {} : { caller }), ...(id === undefined ? {} : { id }) }),
      run: (index, input, context = {}) => invoke({ index, input, context }),
      stop: async () => {
        await worker.terminate();
      },
    };
  } catch (error) {
    await worker.terminate();
    throw error;
  }
}

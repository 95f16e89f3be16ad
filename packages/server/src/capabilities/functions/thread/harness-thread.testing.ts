import { parentPort, workerData } from "node:worker_threads";
import type { Json } from "../../../platform/jobs/types.ts";
import { current } from "./current.ts";
import type { FromHarness, Outcome, ToHarness } from "./harness.testing.ts";
import { type Caller, ServiceError, Suspension, type ThreadInit, type ThreadInvocation, type Wire } from "./wire.ts";
import * as world from "./world.ts";

const { init, names, source } = workerData as {
  readonly init: ThreadInit;
  readonly names: Readonly<Record<string, readonly (readonly string[])[]>>;
  readonly source: string;
};
const port = parentPort!;
const say = (message: FromHarness) => port.postMessage(message);
const asked = new Map<number, { resolve(value: unknown): void; reject(error: unknown): void }>();
let next = 0;
const ask = (message: (number: number) => FromHarness): Promise<unknown> =>
  new Promise((resolve, reject) => {
    asked.set(++next, { resolve, reject });
    say(message(next));
  });

/** DNS in place of the machine's: names that are not listed are not there. */
if (Object.keys(names).length > 0) {
  const { default: dns } = await import("node:dns");
  const questions = new Map<string, number>();
  dns.lookup = ((host: string, _options: unknown, done: (error: Error | null, addresses?: unknown) => void) => {
    const answers = names[host];
    const count = questions.get(host) ?? 0;
    questions.set(host, count + 1);
    const addresses = answers?.[Math.min(count, answers.length - 1)];
    if (addresses === undefined)
      return setImmediate(done, Object.assign(new Error("ENOTFOUND"), { code: "ENOTFOUND" }));
    return setImmediate(
      done,
      null,
      addresses.map((address) => ({ address, family: address.includes(":") ? 6 : 4 })),
    );
  }) as unknown as typeof dns.lookup;
  const { syncBuiltinESMExports } = await import("node:module");
  syncBuiltinESMExports();
}

const defaultCaller: Caller = { role: "anon", subject: null, claims: { role: "anon" } };

function wireOf(id: string): Wire {
  return {
    call: async (service, args) => (await ask((number) => ({ kind: "call", number, service, args }))) as Json,
    async fetch({ body, headers, method, url }, as) {
      const chunks: Buffer[] = [];
      if (Buffer.isBuffer(body)) chunks.push(body);
      else if (body !== null) for await (const chunk of body) chunks.push(chunk);
      const text = body === null ? null : Buffer.concat(chunks).toString("latin1");
      const answer = (await ask((number) => ({
        kind: "fetch",
        number,
        request: { method, url, headers, body: text, as },
      }))) as { status: number; body: string | null };
      return {
        status: answer.status,
        headers: ["content-type", "application/json"],
        body: answer.body === null ? null : Buffer.from(answer.body),
      };
    },
    log: (level, message, fields) =>
      say({ kind: "line", line: { invocation: id, level, message, ...(fields === undefined ? {} : { fields }) } }),
  };
}

try {
  world.prepareWorld(init);
  const module = await import(`data:text/javascript,${encodeURIComponent(source)}`);
  const definitions = world.handlersOf(module);
  port.on("message", async (message: ToHarness) => {
    if (message.kind === "answer") {
      const waiting = asked.get(message.number)!;
      asked.delete(message.number);
      if (message.error === undefined) waiting.resolve(message.value);
      else waiting.reject(new ServiceError("test", message.error));
      return;
    }
    const { caller = defaultCaller, context = null, id = `invocation-${message.number}`, index, number } = message;
    const wire = wireOf(id);
    const abort = new AbortController();
    const invocation: ThreadInvocation = {
      id,
      functionName: "test",
      caller: caller as unknown as Caller,
      isCalled: message.request !== undefined,
      context,
      signal: abort.signal,
      waitUntil: (work) => void work.catch(() => {}),
    };
    say({
      kind: "outcome",
      number,
      outcome: await current.run({ invocation, wire }, () => handle(message, invocation, wire, index)),
    });
  });
  say({ kind: "loaded", definitions: definitions.map(({ handler: _, ...said }) => said) });

  async function handle(
    message: Extract<ToHarness, { kind: "invoke" }>,
    invocation: ThreadInvocation,
    wire: Wire,
    index: number,
  ): Promise<Outcome> {
    try {
      const definition = definitions[index]!;
      const context = world.createContext(invocation, wire);
      const handler = definition.handler as (input: unknown, context: unknown) => unknown;
      if (message.request === undefined) {
        const value = await handler(world.createInput(definition, message.input ?? null), context);
        return { value: value === undefined ? undefined : JSON.parse(JSON.stringify(value)) };
      }
      const {
        body,
        headers = [],
        method = body === undefined ? "GET" : "POST",
        url = "http://host/test",
      } = message.request;
      const input = { method, url, headers, body: body === undefined ? null : Buffer.from(body) };
      const output = await world.readResponse(
        await handler(
          world.createRequest(input, () => invocation.signal),
          context,
        ),
      );
      const chunks: Buffer[] = [];
      if (Buffer.isBuffer(output.body)) chunks.push(output.body);
      else if (output.body !== null) for await (const chunk of output.body) chunks.push(chunk);
      return {
        status: output.status,
        headers: output.headers,
        body: output.body === null ? null : Buffer.concat(chunks).toString(),
      };
    } catch (error) {
      if (error instanceof Suspension) return { suspended: error.outcome };
      const { code, message: text, name, stack = "" } = error as Error & { code?: string };
      return { error: { name, message: text, stack, ...(code === undefined ? {} : { code }) } };
    }
  }
} catch (error) {
  say({ kind: "failed", message: (error as Error).message, stack: (error as Error).stack ?? "" });
}

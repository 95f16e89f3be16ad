import { expect } from "vitest";
import { ann, type WatchedApp } from "./app.ts";
import { type Answer, send } from "./send.ts";

export interface AskOptions {
  readonly method?: string;
  /** Token to come with; ann's when left out. */
  readonly as?: string;
  readonly body?: string | Buffer;
  readonly headers?: Readonly<Record<string, string>>;
}

/** A request below `/rest/v1`, its target written as it is. */
export function ask(
  app: WatchedApp,
  path: string,
  { method = "GET", as = ann, body, headers = {} }: AskOptions = {},
): Promise<Answer> {
  return send(app.url, {
    method,
    target: `/rest/v1${path}`,
    headers: {
      apikey: app.anonKey,
      authorization: `Bearer ${as}`,
      ...(body === undefined ? {} : { "content-type": "application/json" }),
      ...headers,
    },
    body: body ?? null,
  });
}

/**
 * Expects a refusal with the dialect's own body, before any connection to PostgreSQL was used: how fast that was depends on the
 * machine and is only printed, that PostgreSQL did not hear of it does not.
 */
export async function expectRefusedUnseen(
  app: WatchedApp,
  path: string,
  options: AskOptions = {},
  statuses: readonly number[] = [400],
): Promise<void> {
  let before = 0;
  const startMs = performance.now();
  const asked = () => {
    before = app.relay.messages;
    return ask(app, path, options);
  };
  let answer = await asked();
  console.info(`${answer.status} in ${(performance.now() - startMs).toFixed(1)} ms`);
  // Once a second the server asks whether PostgreSQL is there, which may be now. It is not twice in a row.
  if (app.relay.messages !== before) answer = await asked();
  expect(statuses).toContain(answer.status);
  expect(Object.keys(JSON.parse(answer.text) as object).sort()).toEqual(["code", "details", "hint", "message"]);
  // What is refused is not repeated at length: nobody can have the server write more than they wrote.
  expect(answer.text.length).toBeLessThan(path.length + JSON.stringify(options.headers ?? {}).length * 2 + 1_000);
  expect(app.relay.messages).toBe(before);
}

/** `make` for 0, 1, 2 …, in one text. */
export const times = (count: number, make: (at: number) => string, separator = ","): string =>
  Array.from({ length: count }, (_, at) => make(at)).join(separator);

/** `inside` within `depth` pairs. */
export const nested = (open: string, inside: string, close: string, depth: number): string =>
  open.repeat(depth) + inside + close.repeat(depth);

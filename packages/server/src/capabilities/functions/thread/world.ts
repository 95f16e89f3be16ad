import type { Context, JobContext } from "@mainstay/functions";
import type { HttpInput } from "../types.ts";
import { installConsole } from "./console/console.ts";
import { createContext as contextOf, type Shared, sharedOf } from "./context/context.ts";
import { installDeno } from "./deno/install.ts";
import { installGuard } from "./guard/index.ts";
import { installFetch } from "./http/fetch.ts";
import { createRequest as requestOf } from "./http/request.ts";
import type { ThreadInit, ThreadInvocation, Wire } from "./wire.ts";

export { handlersOf } from "./handlers.ts";
export { readResponse } from "./http/read-response.ts";
export { createInput } from "./input.ts";

let shared: Shared | null = null;
let giveLines: (wire: Wire) => void = () => {};

/** Makes the thread what a function sees, for good. Whatever the thread itself needs of what is taken away it has taken before. */
export function prepareWorld(init: ThreadInit): void {
  // Stack traces speak of the author's files and lines.
  process.setSourceMapsEnabled(true);
  shared = sharedOf(init);
  giveLines = installConsole(init.limits);
  installFetch(init.projectUrl);
  installDeno();
  installGuard(init);
}

/** @param signal of the request; asked for it only when somebody asks the request */
export function createRequest(input: HttpInput, signal: () => AbortSignal): Request {
  return requestOf(input, signal);
}

export function createContext(invocation: ThreadInvocation, wire: Wire): Context | JobContext {
  if (shared === null) throw new Error("The world must be prepared first.");
  giveLines(wire);
  return contextOf(shared, invocation, wire);
}

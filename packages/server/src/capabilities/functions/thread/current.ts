import { AsyncLocalStorage } from "node:async_hooks";
import type { ThreadInvocation, Wire } from "./wire.ts";

/** What is being run: `console.log` and a global `fetch` belong to it. */
export interface Current {
  readonly invocation: ThreadInvocation;
  readonly wire: Wire;
}

/** Nothing is in it while a module loads. */
export const current = new AsyncLocalStorage<Current>();

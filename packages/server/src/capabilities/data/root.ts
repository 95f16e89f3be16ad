import type { Call, Reply } from "../../kernel/route.ts";
import type { Session } from "../../platform/postgres/session/types.ts";
import type { Handler } from "./handle.ts";
import { problems } from "./problems.ts";

/** What answers at the root: the document about everything served, or the function that stands in for it. */
export function createRoot(_needs: { readonly session: Session }, handler: Handler): (call: Call) => Promise<Reply> {
  return async (call) => {
    const { settings } = handler.era();
    if (settings.rootSpec !== null) {
      const name = settings.rootSpec.split(".").at(-1) ?? settings.rootSpec;
      return handler.handle(call, { kind: "function", name });
    }
    throw problems.rootDisabled();
  };
}

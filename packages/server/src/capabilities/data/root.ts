import type { Call, Reply } from "../../kernel/route.ts";
import type { Session } from "../../platform/postgres/session/types.ts";
import { databaseProblem } from "./boundary.ts";
import type { Handler } from "./handle.ts";
import { createDescribe } from "./openapi/index.ts";
import { problems } from "./problems.ts";
import { requestedSchema } from "./schema.ts";

/** What answers at the root: the document about everything served, or the function that stands in for it. */
export function createRoot(
  needs: { readonly session: Session; readonly version: string; readonly mount: string },
  handler: Handler,
): (call: Call) => Promise<Reply> {
  const describe = createDescribe(needs);
  return async (call) => {
    const { settings, catalog } = handler.era();
    if (settings.rootSpec !== null) {
      const name = settings.rootSpec.split(".").at(-1) ?? settings.rootSpec;
      return handler.handle(call, { kind: "function", name });
    }
    if (settings.openApiMode === "disabled") throw problems.rootDisabled();
    const { schema, profile } = requestedSchema(call, settings);
    try {
      const reply = await describe(call, catalog, {
        schema,
        followsPrivileges: settings.openApiMode === "follow-privileges",
        serverUrl: settings.openApiServerUrl,
        mount: needs.mount,
        isSecured: settings.openApiSecurity,
      });
      return profile === null ? reply : { ...reply, headers: [...reply.headers, "Content-Profile", profile] };
    } catch (error) {
      throw databaseProblem(error, call.who);
    }
  };
}

import { callerOf } from "../caller.ts";
import type { AuthContext } from "../context.ts";
import type { AuthPart } from "../part.ts";
import { assertRedirectSettings } from "../redirects.ts";
import { textField } from "../request.ts";
import { exchangeCode } from "./exchange.ts";
import { oneTimeRoutes } from "./routes.ts";
import { createSweeper } from "./sweep.ts";
import { verifyRoutes } from "./verify-routes.ts";

/**
 * Codes and links: sent, verified, exchanged, cleared away.
 * @throws SettingError for a site URL or an allow list that cannot be used
 */
export function oneTimePart(context: AuthContext): AuthPart {
  assertRedirectSettings(context.settings);
  const sweeper = createSweeper(context);
  return {
    routes: [...oneTimeRoutes(context), ...verifyRoutes(context)],
    grants: {
      pkce: (fields, call) =>
        exchangeCode(
          context,
          { code: textField(fields, "auth_code"), verifier: textField(fields, "code_verifier") },
          callerOf(call),
        ),
    },
    start: async () => sweeper.start(),
    stop: () => sweeper.stop(),
  };
}

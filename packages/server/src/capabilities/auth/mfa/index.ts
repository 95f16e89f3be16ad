import type { AuthContext } from "../context.ts";
import type { AuthPart } from "../part.ts";
import { mfaAdminRoutes } from "./admin-routes.ts";
import type { MfaContext } from "./context.ts";
import { mfaRoutes } from "./routes.ts";
import { createMfaSecrets } from "./secrets.ts";

export { type Raise, raiseSession } from "./raise-session.ts";

/** Second factors: what people show besides their password, and the sessions that this raises to `aal2`. */
export function mfaPart(context: AuthContext): AuthPart {
  const mfa: MfaContext = { ...context, secrets: createMfaSecrets(context.signer) };
  return { routes: [...mfaRoutes(mfa), ...mfaAdminRoutes(mfa)] };
}

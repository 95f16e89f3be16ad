import type { AuthContext } from "../context.ts";
import type { AuthPart } from "../part.ts";
import { appAssociations } from "./app-associations.ts";
import { relyingPartyOf } from "./relying-party.ts";
import { passkeyRoutes } from "./routes.ts";

export type { CeremonyState, Credential, CredentialPurpose } from "./ceremonies.ts";

/** Passkeys, and the ceremonies that second factors share with them. @throws SettingError for an app that is none */
export function webauthnPart(context: AuthContext): AuthPart {
  // Said at start, not at the first ceremony.
  relyingPartyOf(context.settings);
  const associations = appAssociations(context.settings);
  return { routes: passkeyRoutes(context), groups: associations === null ? [] : [associations] };
}

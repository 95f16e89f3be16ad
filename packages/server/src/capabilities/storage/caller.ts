import type { Principal } from "../../kernel/principal.ts";
import type { Call } from "../../kernel/route.ts";
import type { Identity } from "../../platform/identity/types.ts";
import { problems } from "./problems.ts";

/**
 * Who asks on a route that needs somebody: by key and token as elsewhere, or by a token alone, as resumable uploads send it (protocols: conventions).
 * @throws Problem `AuthorizationMissing`, or of identity
 */
export function callerOf(call: Pick<Call, "headers" | "query">, identity: Identity): Principal {
  if (call.headers.apikey !== undefined) return identity.identify(call.headers, call.query);
  if (call.headers.authorization === undefined) throw problems.authorizationMissing();
  return identity.identifyBearer(call.headers);
}

/** Who asks on a route that is open to everybody: what does not verify is nobody. */
export function callerIfAny(call: Pick<Call, "headers" | "query">, identity: Identity): Principal {
  try {
    return callerOf(call, identity);
  } catch {
    return identity.anonymous;
  }
}

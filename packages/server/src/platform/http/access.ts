import type { IncomingHttpHeaders } from "node:http";
import type { Principal } from "../../kernel/principal.ts";
import { Problem } from "../../kernel/problem.ts";
import type { Access } from "../../kernel/route.ts";
import { givenIn } from "../identity/given.ts";
import type { Identity } from "../identity/types.ts";
import { problems } from "./problems.ts";

/** Roles that count as the service: `supabase_admin` is what GoTrue accepts besides. */
const serviceRoles: ReadonlySet<string> = new Set(["service_role", "supabase_admin"]);

/** Who comes in on a route of this access; `null` where that is settled when somebody asks. Throws the Problem for who may not. */
export function admit(
  access: Access,
  identity: Identity,
  headers: IncomingHttpHeaders,
  query: string,
): Principal | null {
  switch (access) {
    case "open":
      return null;
    case "key":
      return identity.identifyKey(headers, query);
    case "caller":
      return identity.identify(headers, query);
    case "service": {
      const who = identity.identify(headers, query);
      if (!serviceRoles.has(who.role)) throw problems.serviceOnly();
      return who;
    }
  }
}

/**
 * Who asks on a route that is open to everybody: what does not verify is nobody. Whoever sends nothing to verify is not refused first: making that error
 * would cost as much as all the rest of such a request.
 */
export function identifyIfPossible(identity: Identity, headers: IncomingHttpHeaders, query: string): Principal {
  if (
    headers.apikey === undefined &&
    headers.authorization === undefined &&
    givenIn(headers) === undefined &&
    !query.includes("apikey=")
  ) {
    return identity.anonymous;
  }
  try {
    return identity.identify(headers, query);
  } catch (error) {
    if (error instanceof Problem) return identity.anonymous;
    throw error;
  }
}

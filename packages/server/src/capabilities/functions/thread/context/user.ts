import type { User } from "@mainstay/functions";
import type { ThreadInvocation } from "../wire.ts";

/** Who called; `null` for API keys, and for what nobody called. */
export function userOf({ caller, isCalled }: ThreadInvocation): User | null {
  const { claims, role, subject } = caller;
  if (!isCalled || subject === null) return null;
  return {
    id: subject,
    role,
    email: textOrNull(claims.email),
    phone: textOrNull(claims.phone),
    isAnonymous: claims.is_anonymous === true,
    claims,
  };
}

/** Tokens have an empty text where there is none. */
const textOrNull = (claim: unknown): string | null => (typeof claim === "string" && claim !== "" ? claim : null);

import { createHmac } from "node:crypto";
import type { TokenSigner } from "../../platform/identity/types.ts";

/** Whose unfinished uploads one counts among. */
export interface Counted {
  readonly role: string;
  /** Who it will belong to; `null` where nobody is signed in. */
  readonly ownerId: string | null;
  /** Where the request came from. */
  readonly address: string;
}

/**
 * Whom uploads that are not finished are counted for: a user, or an address where there is none. An address is a person's, and is not kept as it
 * is. `null` for the service, which has no limit.
 */
export function createCountedFor(signer: Pick<TokenSigner, "deriveKey">): (upload: Counted) => string | null {
  const addressKey = signer.deriveKey("storage resumable addresses");
  return ({ role, ownerId, address }) => {
    if (role === "service_role") return null;
    if (ownerId !== null) return `user ${ownerId}`;
    return `address ${createHmac("sha256", addressKey).update(address).digest("base64url").slice(0, 22)}`;
  };
}

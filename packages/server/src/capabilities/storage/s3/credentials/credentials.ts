import type { Principal } from "../../../../kernel/principal.ts";
import { Problem } from "../../../../kernel/problem.ts";
import type { StorageContext } from "../../context.ts";
import { problems } from "../problems.ts";
import { openSecret } from "./keys.ts";
import { keysStore } from "./store.ts";

/** Whom an access key stands for. */
export interface Credentials {
  /** One of these has to have signed. */
  readonly secrets: readonly string[];
  /** Who asks then. Called once the signature is good. @throws Problem `InvalidToken`, `ExpiredToken` */
  who(): Principal;
}

export type FindCredentials = (accessKeyId: string, sessionToken: string | null) => Promise<Credentials>;

type Needs = Pick<StorageContext, "db" | "identity" | "signer" | "settings" | "apiKeys">;

/**
 * Two kinds (protocols: S3-compatible endpoint). Generated keys are rows, looked up every time. A session comes with its token: the project's name and
 * its public key sign, which proves nothing, and the token says who it is, as it does everywhere else.
 */
export function createCredentials({ db, identity, signer, settings, apiKeys }: Needs): FindCredentials {
  return async (accessKeyId, sessionToken) => {
    if (sessionToken !== null) {
      if (accessKeyId !== settings.storageS3ProjectRef) throw problems.invalidAccessKeyId();
      const { anonKey, publishableKey } = apiKeys();
      return {
        secrets: [anonKey, publishableKey],
        who: () => identified(() => identity.identifyBearer({ authorization: `Bearer ${sessionToken}` })),
      };
    }
    const key = await keysStore.find(db, accessKeyId);
    if (key === null) throw problems.invalidAccessKeyId();
    const secret = openSecret(signer, accessKeyId, Buffer.from(key.sealedSecret, "hex"));
    return { secrets: [secret], who: () => principalOf(key.role, key.userId) };
  };
}

/** As a token with these claims would say it, and as policies read it. */
function principalOf(role: string, userId: string | null): Principal {
  const claims = userId === null ? { role } : { role, sub: userId, aud: "authenticated" };
  return {
    role,
    claims,
    claimsJson: JSON.stringify(claims),
    subject: userId,
    isAuthenticated: true,
    expiresAtMs: Number.POSITIVE_INFINITY,
  };
}

function identified(identify: () => Principal): Principal {
  try {
    return identify();
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    throw error.code === "identity/token-expired" ? problems.expiredToken() : problems.invalidToken();
  }
}

import type { Principal } from "../../../kernel/principal.ts";
import { Problem } from "../../../kernel/problem.ts";
import type { Call } from "../../../kernel/route.ts";
import type { StorageContext } from "../context.ts";
import type { FindCredentials } from "./credentials/credentials.ts";
import { problems } from "./problems.ts";
import { type Claim, readClaim } from "./signature/claim.ts";
import { checkTime, type Verified, verify } from "./signature/verify.ts";

export interface Signed {
  readonly who: Principal;
  readonly claim: Claim;
  readonly verified: Verified;
}

/** Who has signed a request. @throws Problem of the signature, its time or its key */
export async function authenticate(
  call: Pick<Call, "method" | "path" | "query" | "headers">,
  { find, clock, settings }: Pick<StorageContext, "clock" | "settings"> & { readonly find: FindCredentials },
): Promise<Signed> {
  const claim = readClaim(call);
  if (claim === null) throw problems.accessDenied();
  // First, for it needs nobody: an old request costs no look at the database.
  checkTime(claim, clock.nowMs(), settings.storageS3ClockSkewMs);
  const { secrets, who } = await find(claim.accessKeyId, claim.sessionToken);
  return { claim, verified: verifyByAny(call, claim, secrets), who: who() };
}

function verifyByAny(call: Parameters<typeof verify>[0], claim: Claim, secrets: readonly string[]): Verified {
  for (const secret of secrets) {
    try {
      return verify(call, claim, secret);
    } catch (error) {
      if (!(error instanceof Problem) || error.code !== "SignatureDoesNotMatch") throw error;
    }
  }
  throw problems.signatureDoesNotMatch();
}

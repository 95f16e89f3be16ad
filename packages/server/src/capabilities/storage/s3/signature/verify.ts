import { problems } from "../problems.ts";
import { canonicalHashes, type SignedRequest } from "./canonical.ts";
import type { Claim } from "./claim.ts";
import { isSame, type Scope, sign, signingKey, stringToSign } from "./signing.ts";

/** A request whose signature is good: what the signatures of its chunks go on from. */
export interface Verified {
  readonly key: Buffer;
  readonly scope: Scope;
  readonly time: string;
  readonly signature: string;
}

/** Headers that are put on requests after they were signed, by those who carry them. */
const carriersHeaders: ReadonlySet<string> = new Set(["x-amz-cf-id"]);

/** Whether the request comes when it was meant to. What was signed cannot be sent again after that. @throws Problem */
export function checkTime(claim: Pick<Claim, "kind" | "timeMs" | "lifetimeMs">, nowMs: number, skewMs: number): void {
  if (claim.kind === "header") {
    if (Math.abs(nowMs - claim.timeMs) > skewMs) throw problems.requestTimeTooSkewed();
    return;
  }
  if (claim.timeMs - skewMs > nowMs) throw problems.accessDenied("Request is not yet valid");
  if (claim.timeMs + claim.lifetimeMs <= nowMs) throw problems.accessDenied("Request has expired");
}

/**
 * Whether the signature is the one that the secret gives for this request.
 * @throws Problem `SignatureDoesNotMatch`, or `AccessDenied` when a header that S3 would act on was not signed
 */
export function verify(request: SignedRequest, claim: Claim, secret: string): Verified {
  const key = signingKey(secret, claim.scope);
  const isSigned = canonicalHashes(request, claim.signedHeaders, claim.payloadHash).some((hash) =>
    isSame(claim.signature, sign(key, stringToSign(claim.time, claim.scope, hash))),
  );
  if (!isSigned) throw problems.signatureDoesNotMatch();
  const signed = new Set(claim.signedHeaders);
  for (const name of Object.keys(request.headers)) {
    if (!name.startsWith("x-amz-") || signed.has(name) || carriersHeaders.has(name)) continue;
    throw problems.accessDenied("There were headers present in the request which were not signed");
  }
  return { key, scope: claim.scope, time: claim.time, signature: claim.signature };
}

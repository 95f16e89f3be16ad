import { Problem } from "../../../kernel/problem.ts";
import type { Queryable } from "../../../platform/postgres/database.ts";
import { problems } from "../problems.ts";
import { type Fields, isObject, textField } from "../request.ts";
import { type CeremonyState, finishCreation, finishRequest } from "../webauthn/ceremonies.ts";
import { credentialOf, scopeOf } from "./challenge.ts";
import type { Challenge } from "./challenge-store.ts";
import type { MfaContext } from "./context.ts";
import type { Factor } from "./factor.ts";
import { mfaProblems } from "./problems.ts";
import { factorStore } from "./store.ts";
import { matchTotp } from "./totp.ts";

/** What an answer to a challenge is worth. */
export type Proof =
  | {
      readonly isValid: true;
      /** Uses up what may be shown once, in the transaction that raises the session. @returns false when it was used */
      readonly spend: (tx: Queryable) => Promise<boolean>;
      readonly refusal: Problem;
    }
  | { readonly isValid: false; readonly refusal: Problem };

/** What a client answered, read before anything is counted. */
export type Answer =
  | { readonly code: string }
  | { readonly ceremony: "create" | "request"; readonly response: unknown };

/** @throws Problem 400 when it is no answer for this kind of factor */
export function answerOf({ type }: Factor, fields: Fields): Answer {
  if (type !== "webauthn") {
    const code = textField(fields, "code");
    if (code === "") throw problems.validationFailed("Code needs to be non-empty");
    return { code };
  }
  const { webauthn } = fields;
  if (!isObject(webauthn)) throw problems.validationFailed("WebAuthn config required");
  const { type: ceremony, credential_response: response } = webauthn;
  if (ceremony !== "create" && ceremony !== "request") {
    throw problems.validationFailed("WebAuthn type must be create or request");
  }
  if (response === undefined || response === null) throw problems.validationFailed("credential_response required");
  return { ceremony, response };
}

export async function proofOf(
  context: MfaContext,
  factor: Factor,
  challenge: Challenge,
  answer: Answer,
): Promise<Proof> {
  if ("code" in answer) return codeProof(context, factor, challenge, answer.code);
  // Written by challenge.ts, which keeps what a ceremony gave it.
  const state = challenge.ceremony as CeremonyState | null;
  if (state === null) return { isValid: false, refusal: mfaProblems.challengeNotFound() };
  try {
    const { ceremony, response } = answer;
    return ceremony === "create"
      ? await creationProof(context, factor, state, response)
      : await requestProof(context, factor, state, response);
  } catch (error) {
    if (error instanceof Problem && error.status < 500) return { isValid: false, refusal: error };
    throw error;
  }
}

function codeProof({ secrets, clock }: MfaContext, factor: Factor, challenge: Challenge, code: string): Proof {
  if (factor.type === "phone") {
    const refusal = mfaProblems.verificationFailed("Invalid MFA Phone code entered");
    const hash = challenge.codeHash ?? "";
    const isValid = secrets.isMatch(scopeOf(challenge.id), code.replace(/\s/g, ""), hash);
    // The code is the challenge's, and goes with it.
    return isValid ? { isValid, refusal, spend: async () => true } : { isValid, refusal };
  }
  const refusal = mfaProblems.verificationFailed("Invalid TOTP code entered");
  const secret = secrets.open(factor.id, factor.storedSecret ?? "");
  if (secret === null) throw mfaProblems.secretUnreadable();
  const step = matchTotp(secret, code, clock.nowMs());
  if (step === null) return { isValid: false, refusal };
  return { isValid: true, refusal, spend: (tx) => factorStore.useStep(tx, factor.id, step) };
}

/** A key is created once: for a verified factor, a creation that was begun before and ends now would take its place. */
async function creationProof(
  context: MfaContext,
  factor: Factor,
  state: CeremonyState,
  response: unknown,
): Promise<Proof> {
  const credential = await finishCreation(context, { state, response });
  const spend = (tx: Queryable) => factorStore.createCredential(tx, factor.id, credential);
  return { isValid: true, refusal: mfaProblems.challengeNotFound(), spend };
}

async function requestProof(
  context: MfaContext,
  factor: Factor,
  state: CeremonyState,
  response: unknown,
): Promise<Proof> {
  const credential = credentialOf(factor);
  if (credential === null) return { isValid: false, refusal: mfaProblems.challengeNotFound() };
  const { newCounter, isBackedUp } = await finishRequest(context, { state, response, credential });
  const used = { ...credential, counter: newCounter, isBackedUp };
  const refusal = mfaProblems.verificationFailed("This signature was used already");
  return { isValid: true, refusal, spend: (tx) => factorStore.useCredential(tx, factor.id, credential.counter, used) };
}

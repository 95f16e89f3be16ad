import type {
  PublicKeyCredentialCreationOptionsJSON,
  PublicKeyCredentialRequestOptionsJSON,
} from "@simplewebauthn/server";
import type { AuthContext } from "../context.ts";
import type { User } from "../user.ts";
import { SignatureCounterError, webauthnProblems } from "./problems.ts";
import { relyingPartyOf } from "./relying-party.ts";
import { parseAssertion, parseAttestation, withoutAttestation } from "./responses.ts";

/** Loaded with the first ceremony: a start should not wait for it, nor keep its 25 MB. */
const library = () => import("@simplewebauthn/server");

/**
 * What a credential is for. A `passkey` signs in by itself: the authenticator keeps it and finds out who the person is. A
 * `factor` comes after another proof: that it is there is enough.
 */
export type CredentialPurpose = "passkey" | "factor";

/** A public key and what is known of its authenticator. Plain JSON; bytes are base64url. */
export interface Credential {
  readonly id: string;
  /** COSE (RFC 9052 §7). */
  readonly publicKey: string;
  /** Of the last signature; 0 for authenticators that do not count. */
  readonly counter: number;
  readonly transports: readonly string[];
  /** The authenticator's model, all zeros when it does not tell. */
  readonly aaguid: string;
  /** Can be copied to the person's other devices; whether it is. */
  readonly isBackupEligible: boolean;
  readonly isBackedUp: boolean;
}

/** What must be remembered between the two halves of a ceremony. Plain JSON, for one use; holds no secret. */
export interface CeremonyState {
  readonly kind: "creation" | "request";
  readonly purpose: CredentialPurpose;
  readonly challenge: string;
  /** Ids of credentials that may answer; `null` for any. */
  readonly allowed: readonly string[] | null;
}

/** EdDSA, ES256, RS256 (IANA COSE Algorithms): every authenticator knows one of them, and every node of ours all three. */
const algorithms = [-8, -7, -257];

/** Who the relying party is, and how long a person may take. */
type Ceremonies = Pick<AuthContext, "settings">;

/**
 * Begins to register an authenticator with a user.
 * @param excluded The user's credentials for the same purpose: an authenticator that has one of them declines
 */
export async function beginCreation(
  { settings }: Ceremonies,
  given: {
    readonly user: Pick<User, "id" | "email" | "phone" | "userMetadata">;
    readonly purpose: CredentialPurpose;
    readonly excluded: readonly Credential[];
  },
): Promise<{ options: PublicKeyCredentialCreationOptionsJSON; state: CeremonyState }> {
  const { user, purpose, excluded } = given;
  const party = relyingPartyOf(settings);
  const name = user.email || user.phone || user.id;
  const fullName = user.userMetadata.name;
  const { generateRegistrationOptions } = await library();
  const options = await generateRegistrationOptions({
    rpID: party.id,
    rpName: party.name,
    userID: userHandleOf(user.id, purpose),
    userName: name,
    userDisplayName: typeof fullName === "string" && fullName !== "" ? fullName : name,
    timeout: settings.webauthnChallengeSeconds * 1_000,
    attestationType: "none",
    excludeCredentials: excluded.map(descriptorOf),
    authenticatorSelection:
      purpose === "passkey"
        ? { residentKey: "required", userVerification: "required" }
        : { residentKey: "discouraged", userVerification: "preferred" },
    supportedAlgorithmIDs: algorithms,
  });
  return { options, state: { kind: "creation", purpose, challenge: options.challenge, allowed: null } };
}

/** Ends it: the credential is the user's. @throws Problem `webauthn_verification_failed` */
export async function finishCreation(
  { settings }: Ceremonies,
  { state, response }: { readonly state: CeremonyState; readonly response: unknown },
): Promise<Credential> {
  const party = relyingPartyOf(settings);
  return refusing(async () => {
    if (state.kind !== "creation") throw new Error("This challenge is not for a registration");
    const attestation = parseAttestation(response);
    const { verifyRegistrationResponse } = await library();
    const { registrationInfo: info } = await verifyRegistrationResponse({
      response: await withoutAttestation(attestation),
      expectedChallenge: state.challenge,
      expectedOrigin: [...party.origins],
      expectedRPID: party.id,
      requireUserVerification: state.purpose === "passkey",
      supportedAlgorithmIDs: algorithms,
    });
    // The id is said twice, and only the one inside is the authenticator's own.
    if (info === undefined || info.credential.id !== attestation.id)
      throw new Error("The credential's id is not its own");
    return {
      id: info.credential.id,
      publicKey: Buffer.from(info.credential.publicKey).toString("base64url"),
      counter: info.credential.counter,
      transports: attestation.response.transports ?? [],
      aaguid: info.aaguid,
      isBackupEligible: info.credentialDeviceType === "multiDevice",
      isBackedUp: info.credentialBackedUp,
    };
  });
}

/** Begins a proof. @param credentials Those that may be shown; `null` lets the person choose, for sign-in with a passkey */
export async function beginRequest(
  { settings }: Ceremonies,
  given: { readonly purpose: CredentialPurpose; readonly credentials: readonly Credential[] | null },
): Promise<{ options: PublicKeyCredentialRequestOptionsJSON; state: CeremonyState }> {
  const { purpose, credentials } = given;
  const { generateAuthenticationOptions } = await library();
  const options = await generateAuthenticationOptions({
    rpID: relyingPartyOf(settings).id,
    timeout: settings.webauthnChallengeSeconds * 1_000,
    userVerification: purpose === "passkey" ? "required" : "preferred",
    ...(credentials === null ? {} : { allowCredentials: credentials.map(descriptorOf) }),
  });
  const allowed = credentials === null ? null : credentials.map(({ id }) => id);
  return { options, state: { kind: "request", purpose, challenge: options.challenge, allowed } };
}

export interface Assertion {
  /** To be kept in place of the credential's counter, in a statement that sees the old one still there. */
  readonly newCounter: number;
  readonly isUserVerified: boolean;
  readonly isBackedUp: boolean;
}

/**
 * Ends it: whoever answered has the credential's private key.
 * @throws Problem `webauthn_verification_failed`; its cause is a `SignatureCounterError` when the signature is good and the
 * counter went back
 */
export async function finishRequest(
  { settings }: Ceremonies,
  given: { readonly state: CeremonyState; readonly response: unknown; readonly credential: Credential },
): Promise<Assertion> {
  const { state, credential } = given;
  const party = relyingPartyOf(settings);
  return refusing(async () => {
    if (state.kind !== "request") throw new Error("This challenge is not for a proof");
    const response = parseAssertion(given.response);
    if (response.id !== credential.id) throw new Error("Another credential answered");
    if (state.allowed !== null && !state.allowed.includes(response.id))
      throw new Error("This credential was not asked for");
    const { verifyAuthenticationResponse } = await library();
    const { verified, authenticationInfo: info } = await verifyAuthenticationResponse({
      response,
      expectedChallenge: state.challenge,
      expectedOrigin: [...party.origins],
      expectedRPID: party.id,
      requireUserVerification: state.purpose === "passkey",
      // Counters are compared below: there it is known that the signature is good, so a copied key is not a mere forgery.
      credential: { id: credential.id, publicKey: Buffer.from(credential.publicKey, "base64url"), counter: 0 },
    });
    if (!verified) throw new Error("The signature is not the credential's");
    // Eligibility never changes in a credential's life (Level 3 §7.2 step 20).
    if ((info.credentialDeviceType === "multiDevice") !== credential.isBackupEligible) {
      throw new Error("Backup eligibility has changed");
    }
    const { newCounter } = info;
    if ((newCounter > 0 || credential.counter > 0) && newCounter <= credential.counter) {
      throw new SignatureCounterError(`The counter went from ${credential.counter} to ${newCounter}`);
    }
    return { newCounter, isUserVerified: info.userVerified, isBackedUp: info.credentialBackedUp };
  });
}

/**
 * The account as the authenticator knows it (Level 3 §5.4.3): the id as text, which is GoTrue's choice, so that passkeys made there
 * go on. Factors have one of their own: an authenticator keeps one passkey for each handle, and a second would take its place.
 */
export function userHandleOf(userId: string, purpose: CredentialPurpose): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(Buffer.from(purpose === "passkey" ? userId : `factor:${userId}`));
}

const descriptorOf = ({ id, transports }: Credential) => ({ id, transports: [...transports] });

/** Whatever is wrong with an answer, the caller learns that it is; the log says what. */
async function refusing<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw webauthnProblems.verificationFailed(error);
  }
}

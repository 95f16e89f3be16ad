import { isObject } from "../request.ts";
import type { Credential } from "./ceremonies.ts";

const noAaguid = "00000000-0000-0000-0000-000000000000";

/**
 * A credential out of a jsonb column: as we write it, or as GoTrue does for second factors (the `Credential` of
 * github.com/go-webauthn/webauthn, bytes in base64), so that keys enrolled there go on. `null` for neither.
 */
export function readCredential(stored: unknown): Credential | null {
  if (!isObject(stored)) return null;
  if ("isBackupEligible" in stored) return stored as unknown as Credential; // ours, written as one
  const { id, publicKey, transport, flags, authenticator } = stored;
  if (typeof id !== "string" || typeof publicKey !== "string" || !isObject(flags)) return null;
  const { AAGUID: aaguid, signCount } = isObject(authenticator) ? authenticator : {};
  return {
    id: base64urlOf(id),
    publicKey: base64urlOf(publicKey),
    counter: typeof signCount === "number" ? signCount : 0,
    transports: Array.isArray(transport) ? transport.filter((item) => typeof item === "string") : [],
    aaguid: typeof aaguid === "string" ? uuidOf(Buffer.from(aaguid, "base64")) : noAaguid,
    isBackupEligible: flags.backupEligible === true,
    isBackedUp: flags.backupState === true,
  };
}

const base64urlOf = (base64: string): string => Buffer.from(base64, "base64").toString("base64url");

function uuidOf(bytes: Buffer): string {
  const hex = bytes.toString("hex");
  return /^(.{8})(.{4})(.{4})(.{4})(.{12})$/.exec(hex)?.slice(1).join("-") ?? noAaguid;
}

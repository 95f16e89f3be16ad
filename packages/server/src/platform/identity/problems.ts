import { Problem } from "../../kernel/problem.ts";

const bearer = (description: string): Readonly<Record<string, string>> => ({
  // RFC 6750 §3: what was wrong with the bearer token, for clients that read it.
  "WWW-Authenticate": `Bearer error="invalid_token", error_description="${description}"`,
});

/** What can be wrong with an identity, all 401 (a failed identity is never more than anonymous), and with the keys themselves. */
export const problems = {
  /** Every request needs the project's API key in the `apikey` header. `mainstay keys show` prints it. */
  keyMissing: () =>
    new Problem("identity/key-missing", 401, "No API key found in request", {
      hint: "Send the project's key in the `apikey` header.",
    }),
  /** The API key is none of this project's. `mainstay keys show` prints the right ones. */
  keyUnknown: () =>
    new Problem("identity/key-unknown", 401, "Invalid API key", {
      hint: "Compare the key with `mainstay keys show`; it may be another project's, or have been rotated.",
    }),
  /** A secret key reached us from a browser, where everybody can read it. Use the publishable key there, and rotate this one. */
  secretKeyInBrowser: () =>
    new Problem("identity/secret-key-in-browser", 401, "Forbidden use of secret API key in browser", {
      hint: "Secret keys belong on servers. Use the publishable key in browsers, and rotate this key: it has been seen.",
    }),
  /** The bearer token is no token of ours: its form, key, algorithm or signature is wrong. */
  tokenInvalid: (reason: string, cause?: unknown) =>
    new Problem("identity/token-invalid", 401, reason, { headers: bearer(reason), ...(cause ? { cause } : {}) }),
  /** The bearer token was good once. Refresh it. */
  tokenExpired: () =>
    new Problem("identity/token-expired", 401, "JWT expired", {
      headers: bearer("JWT expired"),
      hint: "Refresh the session, or sign in again.",
    }),
  /** The token is ours, but says something it may not: audience, times, or role. */
  tokenClaims: (reason: string) => new Problem("identity/token-claims", 401, reason, { headers: bearer(reason) }),
  /** The token's session was ended: signed out, its password changed, or ended by an admin. Sign in again. */
  sessionEnded: () => {
    const reason = "The session of this token has ended";
    return new Problem("identity/session-ended", 401, reason, { headers: bearer(reason), hint: "Sign in again." });
  },
  /** The token's user is banned. */
  userBanned: () =>
    new Problem("identity/user-banned", 401, "User is banned", { headers: bearer("The user is banned") }),
  /** The token's user was deleted. */
  userDeleted: () =>
    new Problem("identity/user-deleted", 401, "The user of this token does not exist", {
      headers: bearer("The user of this token does not exist"),
    }),
  /** A key or the JWT secret is published, short or made of words, and the server is to listen where others can reach it. */
  weakSecret: (reason: string, host: string) =>
    new Problem("identity/weak-secret", 500, `${reason} Refusing to listen on ${host} with it.`, {
      hint: "Remove it from the settings to have one generated, or make one with `openssl rand -base64 48`; `--host 127.0.0.1` serves this machine only.",
    }),
  /** Another node serves this database with other keys: each would refuse the other's tokens and API keys. */
  keysDiffer: () =>
    new Problem("identity/keys-differ", 500, "Another server on this database works with other keys.", {
      hint: "Give all of them the same MAINSTAY_MASTER_KEY: they then keep their keys in the database, encrypted with it.",
    }),
  /** The master key encrypts every other key of the project. */
  masterKeyShort: (minBytes: number) =>
    new Problem("identity/master-key-short", 500, `The master key is shorter than ${minBytes} bytes.`, {
      hint: "Make one with `openssl rand -base64 32`, and give it to every node.",
    }),
  /** The keys in the database were encrypted with another master key, or were changed there. */
  masterKeyWrong: () =>
    new Problem("identity/master-key-wrong", 500, "The master key does not open the keys in the database.", {
      hint: "Set MAINSTAY_MASTER_KEY to the one that the other nodes have, or had.",
    }),
  /** Somebody else rotated the keys at the same moment. */
  rotatedMeanwhile: () =>
    new Problem("identity/rotated-meanwhile", 409, "The keys were changed by another node at the same moment.", {
      hint: "Rotate them again if that is still wanted.",
    }),
  /** `mainstay keys rotate` makes new signing keys, and here tokens are signed with one that the settings give. */
  secretOfSettings: () =>
    new Problem("identity/secret-of-settings", 409, "Tokens are signed with the JWT secret given by the settings.", {
      hint: "Change it there, or set MAINSTAY_JWT_ALGORITHM=ES256 to sign with keys of the server's own.",
    }),
};

import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { describe, expect, it } from "vitest";

/** Where each public method of `client.auth` is tried: the file calls it by its name. */
const tried: Readonly<Record<string, string>> = {
  dispose: "sessions.test.ts",
  exchangeCodeForSession: "one-time.test.ts",
  getClaims: "sessions.test.ts",
  getSession: "sessions.test.ts",
  getUser: "user.test.ts",
  getUserIdentities: "oauth.test.ts",
  initialize: "sessions.test.ts",
  isThrowOnErrorEnabled: "sessions.test.ts",
  linkIdentity: "oauth.test.ts",
  onAuthStateChange: "sessions.test.ts",
  reauthenticate: "user.test.ts",
  refreshSession: "sessions.test.ts",
  registerPasskey: "../../browser/passkeys.test.ts",
  resend: "one-time.test.ts",
  resetPasswordForEmail: "one-time.test.ts",
  setSession: "sessions.test.ts",
  signInAnonymously: "user.test.ts",
  signInWithIdToken: "id-token.test.ts",
  signInWithOAuth: "oauth.test.ts",
  signInWithOtp: "one-time.test.ts",
  signInWithPasskey: "../../browser/passkeys.test.ts",
  signInWithPassword: "auth.test.ts",
  signInWithSSO: "not-served.test.ts",
  signInWithWeb3: "not-served.test.ts",
  signOut: "auth.test.ts",
  signUp: "sign-up.test.ts",
  startAutoRefresh: "sessions.test.ts",
  stopAutoRefresh: "sessions.test.ts",
  unlinkIdentity: "oauth.test.ts",
  updateUser: "user.test.ts",
  verifyOtp: "one-time.test.ts",
  "admin.createUser": "admin.test.ts",
  "admin.customProviders.createProvider": "not-served.test.ts",
  "admin.customProviders.deleteProvider": "not-served.test.ts",
  "admin.customProviders.getProvider": "not-served.test.ts",
  "admin.customProviders.listProviders": "not-served.test.ts",
  "admin.customProviders.updateProvider": "not-served.test.ts",
  "admin.deleteUser": "admin.test.ts",
  "admin.generateLink": "admin.test.ts",
  "admin.getUserById": "admin.test.ts",
  "admin.inviteUserByEmail": "admin.test.ts",
  "admin.listUsers": "admin.test.ts",
  "admin.mfa.deleteFactor": "mfa.test.ts",
  "admin.mfa.listFactors": "mfa.test.ts",
  "admin.oauth.createClient": "not-served.test.ts",
  "admin.oauth.deleteClient": "not-served.test.ts",
  "admin.oauth.getClient": "not-served.test.ts",
  "admin.oauth.listClients": "not-served.test.ts",
  "admin.oauth.regenerateClientSecret": "not-served.test.ts",
  "admin.oauth.updateClient": "not-served.test.ts",
  "admin.passkey.deletePasskey": "passkeys.test.ts",
  "admin.passkey.listPasskeys": "passkeys.test.ts",
  "admin.signOut": "admin.test.ts",
  "admin.updateUserById": "admin.test.ts",
  "mfa.challenge": "mfa.test.ts",
  "mfa.challengeAndVerify": "mfa.test.ts",
  "mfa.enroll": "mfa.test.ts",
  "mfa.getAuthenticatorAssuranceLevel": "mfa.test.ts",
  "mfa.listFactors": "mfa.test.ts",
  "mfa.recoveryCodes.generate": "mfa.test.ts",
  "mfa.recoveryCodes.getStatus": "mfa.test.ts",
  "mfa.recoveryCodes.regenerate": "mfa.test.ts",
  "mfa.recoveryCodes.unenroll": "mfa.test.ts",
  "mfa.recoveryCodes.verify": "mfa.test.ts",
  "mfa.unenroll": "mfa.test.ts",
  "mfa.verify": "mfa.test.ts",
  "mfa.webauthn.authenticate": "../../browser/passkeys.test.ts",
  "mfa.webauthn.challenge": "passkeys.test.ts",
  "mfa.webauthn.enroll": "passkeys.test.ts",
  "mfa.webauthn.register": "../../browser/passkeys.test.ts",
  "mfa.webauthn.verify": "passkeys.test.ts",
  "oauth.approveAuthorization": "not-served.test.ts",
  "oauth.denyAuthorization": "not-served.test.ts",
  "oauth.getAuthorizationDetails": "not-served.test.ts",
  "oauth.listGrants": "not-served.test.ts",
  "oauth.revokeGrant": "not-served.test.ts",
  "passkey.delete": "passkeys.test.ts",
  "passkey.list": "passkeys.test.ts",
  "passkey.startAuthentication": "passkeys.test.ts",
  "passkey.startRegistration": "passkeys.test.ts",
  "passkey.update": "passkeys.test.ts",
  "passkey.verifyAuthentication": "passkeys.test.ts",
  "passkey.verifyRegistration": "passkeys.test.ts",
};

/** The client's own declarations, which are all there is to say about what is public in it. */
const declarations = (() => {
  const { resolve } = createRequire(createRequire(import.meta.url).resolve("@supabase/supabase-js"));
  const dir = join(dirname(resolve("@supabase/auth-js")), "..", "module");
  return ["GoTrueClient", "GoTrueAdminApi", "lib/types", "lib/webauthn"]
    .map((name) => readFileSync(join(dir, `${name}.d.ts`), "utf8"))
    .join("\n")
    .replace(/\/\*[\s\S]*?\*\//g, "");
})();

/** Methods of a class or interface, those of what it holds included. Members stand at four spaces, and nothing else does. */
function methodsOf(name: string): readonly string[] {
  const [, body] = new RegExp(`(?:class|interface) ${name} \\{\\n([\\s\\S]*?)\\n\\}`).exec(declarations) ?? [];
  if (body === undefined) return [];
  const found = new Set<string>();
  for (const [, member = "", sign, type = ""] of body.matchAll(/^ {4}([a-z]\w*)(\(|<|: )(\w*)/gm)) {
    if (member === "constructor") continue;
    if (sign !== ": ") found.add(member);
    else if (type === "typeof") found.add(member);
    else for (const method of methodsOf(type)) found.add(`${member}.${method}`);
  }
  return [...found];
}

describe("public methods of client.auth", () => {
  it("are each named above, and what is named is there", () => {
    expect(methodsOf("GoTrueClient").toSorted()).toEqual(Object.keys(tried).toSorted());
  });

  it.each(Object.entries(tried))("%s is called in %s", (path, file) => {
    const name = path.split(".").at(-1) ?? "";
    const text = readFileSync(join(import.meta.dirname, file), "utf8");
    expect(text).toMatch(new RegExp(`\\.${name}\\(|"${name}"`));
  });
});

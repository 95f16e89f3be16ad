import { createHmac } from "node:crypto";

/** Tokens of users are signed with it: a thousand of them sign up nowhere. */
const secret = "a secret of this benchmark, which is nobody's";

/** What makes a server take the tokens made here. */
export const ownTokens = { MAINSTAY_JWT_SECRET: secret };

export const userId = (user: number): string => `00000000-0000-4000-8000-${String(user).padStart(12, "0")}`;

/** Of the anonymous role: what the project has generated is signed with another secret. */
export const anonKey = (): string => signed({ iss: "bench", role: "anon" });

/** Of the nth user. */
export const tokenOf = (user: number): string =>
  signed({ sub: userId(user), role: "authenticated", aud: "authenticated" });

/** A token that is good for an hour (RFC 7519, HS256). */
function signed(claims: Readonly<Record<string, string>>): string {
  const part = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString("base64url");
  const exp = Math.floor(Date.now() / 1000) + 3_600;
  const text = `${part({ alg: "HS256", typ: "JWT" })}.${part({ ...claims, exp })}`;
  return `${text}.${createHmac("sha256", secret).update(text).digest("base64url")}`;
}

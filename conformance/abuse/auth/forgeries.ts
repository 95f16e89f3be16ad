import { createHmac, generateKeyPairSync, type KeyObject, sign } from "node:crypto";
import type { BootedApp } from "@mainstay/testing";
import type { Issuer } from "./issuer.ts";
import { claimsOf, type Person } from "./server.ts";

const b64 = (value: unknown): string =>
  Buffer.from(typeof value === "string" ? value : JSON.stringify(value)).toString("base64url");
const hs256 = (key: string | Buffer, header: unknown, claims: unknown): string => {
  const signed = `${b64(header)}.${b64(claims)}`;
  return `${signed}.${createHmac("sha256", key).update(signed).digest("base64url")}`;
};

/** What a forger can make of a good token and of everything that is public. */
export async function forgedTokens({
  server,
  person,
  jwtSecret,
  issuer,
}: {
  readonly server: Pick<BootedApp, "url" | "publishableKey" | "anonKey">;
  /** Somebody whose token is good, and signed with ES256. */
  readonly person: Pick<Person, "id" | "token" | "refreshToken">;
  /** The server's, which verifies older tokens beside that key. */
  readonly jwtSecret: string;
  readonly issuer: Issuer;
}): Promise<Record<string, string>> {
  const [head = "", body = "", signature = ""] = person.token.split(".");
  const claims = claimsOf(person.token);
  const reply = await fetch(`${server.url}/auth/v1/.well-known/jwks.json`);
  const { keys } = (await reply.json()) as { keys: { kid: string; x: string; y: string }[] };
  const jwk = keys[0]!;
  const attacker = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const es256 = (header: unknown, payload: unknown = claims, key: KeyObject = attacker.privateKey) => {
    const signed = `${b64(header)}.${b64(payload)}`;
    return `${signed}.${sign("sha256", Buffer.from(signed), { key, dsaEncoding: "ieee-p1363" }).toString("base64url")}`;
  };
  const header = { alg: "ES256", kid: jwk.kid, typ: "JWT" };
  const hs = { alg: "HS256", typ: "JWT" };
  const past = Math.floor(Date.now() / 1000) - 7_200;
  const attackerJwk = attacker.publicKey.export({ format: "jwk" });
  return {
    "alg none": `${b64({ alg: "none" })}.${body}.`,
    "alg None with our kid": `${b64({ ...header, alg: "None" })}.${body}.`,
    "alg NONE and the old signature": `${b64({ alg: "NONE" })}.${body}.${signature}`,
    "alg empty": `${b64({ ...header, alg: "" })}.${body}.${signature}`,
    "alg left out": `${b64({ kid: jwk.kid })}.${body}.${signature}`,
    "alg a list": hs256(jwtSecret, '{"alg":["HS256"]}', claims),
    "alg twice": hs256(jwtSecret, '{"alg":"none","alg":"HS256"}', claims),
    "alg in lower case": hs256(jwtSecret, { alg: "hs256" }, claims),
    "alg HS384": hs256(jwtSecret, { alg: "HS384" }, claims),
    "alg RS256 on an ES256 key": `${b64({ ...header, alg: "RS256" })}.${body}.${signature}`,
    "HS256 keyed with the public JWK": hs256(JSON.stringify(jwk), { ...hs, kid: jwk.kid }, claims),
    "HS256 keyed with x": hs256(Buffer.from(jwk.x, "base64url"), { ...hs, kid: jwk.kid }, claims),
    "HS256 keyed with the publishable key": hs256(server.publishableKey, hs, claims),
    "HS256 keyed with the anon key": hs256(server.anonKey, hs, claims),
    "HS256 keyed with nothing": hs256("", hs, claims),
    "HS256 keyed with a usual secret": hs256("super-secret-jwt-token-with-at-least-32-characters-long", hs, claims),
    "our secret under the kid of another key": hs256(jwtSecret, { ...hs, kid: jwk.kid }, claims),
    "another key under our kid": es256(header),
    "without kid": es256({ alg: "ES256" }),
    "unknown kid": es256({ ...header, kid: "other" }),
    "kid a path": es256({ ...header, kid: "../../../dev/null" }),
    "kid SQL": es256({ ...header, kid: "' or '1'='1" }),
    "embedded jwk": es256({ ...header, jwk: attackerJwk }),
    jku: es256({ ...header, jku: `${issuer.url}/keys` }),
    x5u: es256({ ...header, x5u: `${issuer.url}/keys` }),
    x5c: es256({ ...header, x5c: ["MIIB"] }),
    "crit that nobody knows": hs256(jwtSecret, { ...hs, crit: ["x"], x: 1 }, claims),
    "b64 false": hs256(jwtSecret, { ...hs, b64: false }, claims),
    zip: hs256(jwtSecret, { ...hs, zip: "DEF" }, claims),
    "payload exchanged": `${head}.${b64({ ...claims, role: "service_role" })}.${signature}`,
    "subject exchanged": `${head}.${b64({ ...claims, sub: "00000000-0000-4000-8000-000000000000" })}.${signature}`,
    "level exchanged": `${head}.${b64({ ...claims, aal: "aal2" })}.${signature}`,
    "signature empty": `${head}.${body}.`,
    "signature of zeros": `${head}.${body}.${Buffer.alloc(64).toString("base64url")}`,
    "signature cut": `${head}.${body}.${signature.slice(0, -3)}`,
    "signature in padding": `${head}.${body}.${signature}==`,
    "two parts": `${head}.${body}`,
    "five parts": `${head}.x.x.x.${signature}`,
    "a part behind": `${person.token}.x`,
    "no JSON": hs256(jwtSecret, "alg=HS256", claims),
    "payload a list": hs256(jwtSecret, hs, "[]"),
    "payload null": hs256(jwtSecret, hs, "null"),
    "long past": hs256(jwtSecret, hs, { ...claims, iat: past, exp: past + 3_600 }),
    "not yet": hs256(jwtSecret, hs, { ...claims, nbf: past + 14_400 }),
    "end no number": hs256(jwtSecret, hs, { ...claims, exp: "9999999999" }),
    "end an object": hs256(jwtSecret, hs, { ...claims, exp: { valueOf: 9_999_999_999 } }),
    "a provider's token": issuer.idToken({ sub: person.id, role: "authenticated" }),
    "a refresh token": person.refreshToken,
  };
}

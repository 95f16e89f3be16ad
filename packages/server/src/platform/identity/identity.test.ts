import { createHmac, generateKeyPairSync, sign as signBytes } from "node:crypto";
import { chmod, mkdtemp, readFile, rm, stat } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, test, vi } from "vitest";
import { Problem } from "../../kernel/problem.ts";
import { readSettings, type Values } from "../../kernel/settings.ts";
import type { Observation } from "../observe/observation.ts";
import { isWellFormedApiKey } from "./api-keys.ts";
import { identitySettings, type OpenIdentity, openIdentity, weakSecretProblem } from "./index.ts";
import { parseRolePath } from "./role-path.ts";

const startMs = Date.parse("2026-11-21T12:00:00Z");
const now = startMs / 1000;
const defaults = readSettings(identitySettings, { env: {} }).values;

const opened: (OpenIdentity | { close(): void })[] = [];
const folders: string[] = [];
afterEach(async () => {
  for (const one of opened.splice(0)) one.close();
  for (const folder of folders.splice(0)) await rm(folder, { recursive: true, force: true });
});

async function open(settings: Partial<Values<typeof identitySettings>> = {}, dir?: string) {
  const parent = dir ?? (await mkdtemp(join(tmpdir(), "identity-")));
  if (dir === undefined) folders.push(parent);
  const clock = {
    ms: startMs,
    nowMs(): number {
      return this.ms;
    },
  };
  const seen: Observation[] = [];
  const one = await openIdentity({
    keysDir: join(parent, "keys"),
    settings: { ...defaults, keyPollMs: 0, ...settings },
    observe: (observation) => seen.push(observation),
    clock,
  });
  opened.push(one);
  return {
    ...one,
    get keys() {
      return one.keys;
    },
    clock,
    seen,
    parent,
  };
}

const b64 = (value: unknown) =>
  Buffer.from(typeof value === "string" ? value : JSON.stringify(value)).toString("base64url");
const hmac = (key: string | Buffer, text: string) => createHmac("sha256", key).update(text).digest("base64url");
const hs256 = (key: string | Buffer, payload: unknown, header: unknown = { alg: "HS256", typ: "JWT" }) => {
  const signed = `${b64(header)}.${b64(payload)}`;
  return `${signed}.${hmac(key, signed)}`;
};
const user = (extra: Record<string, unknown> = {}) => ({
  sub: "7f6bd2c1-0000-4000-8000-000000000001",
  role: "authenticated",
  exp: now + 3600,
  ...extra,
});

function codeOf(work: () => unknown): string {
  try {
    work();
  } catch (error) {
    if (error instanceof Problem) {
      expect(error.status).toBe(401);
      return error.code;
    }
    throw error;
  }
  return "accepted";
}

describe("keys on disk", () => {
  test("the first start makes every key, private, and the next start finds the same", async () => {
    const first = await open();
    const dir = join(first.parent, "keys");
    expect((await stat(dir)).mode & 0o777).toBe(0o700);
    expect((await stat(join(dir, "keys.json"))).mode & 0o777).toBe(0o600);
    expect(isWellFormedApiKey(first.keys.publishableKey)).toBe(true);
    expect(isWellFormedApiKey(first.keys.secretKey)).toBe(true);
    expect(isWellFormedApiKey(`${first.keys.secretKey.slice(0, -1)}!`)).toBe(false);
    expect(Buffer.byteLength(first.keys.jwtSecret ?? "")).toBeGreaterThanOrEqual(32);
    const second = await open({}, first.parent);
    expect(second.keys).toEqual(first.keys);
    expect(second.signer.jwks()).toEqual(first.signer.jwks());
    expect(second.signer.deriveKey("x")).toEqual(first.signer.deriveKey("x"));
  });

  test("legacy keys are ten-year tokens of their role", async () => {
    const { keys } = await open();
    const claims = JSON.parse(Buffer.from(keys.serviceRoleKey.split(".")[1]!, "base64url").toString());
    expect(claims).toEqual({
      iss: "mainstay",
      ref: expect.stringMatching(/^[a-z]{12}$/),
      role: "service_role",
      iat: now,
      exp: now + 315_360_000,
    });
  });

  test("two first starts at once agree on one set", async () => {
    const parent = await mkdtemp(join(tmpdir(), "identity-"));
    folders.push(parent);
    const all = await Promise.all(Array.from({ length: 8 }, () => open({}, parent)));
    expect(new Set(all.map((one) => one.keys.secretKey)).size).toBe(1);
    expect(new Set(all.map((one) => one.signer.jwks().keys[0]?.kid)).size).toBe(1);
  });

  test("a keys file open to others is closed again, and said", async () => {
    const first = await open();
    const file = join(first.parent, "keys", "keys.json");
    await chmod(file, 0o644);
    const second = await open({}, first.parent);
    expect((await stat(file)).mode & 0o777).toBe(0o600);
    expect(second.seen).toEqual([expect.objectContaining({ kind: "warning", area: "identity" })]);
  });

  test("legacy keys follow an imported secret and stay the same from start to start", async () => {
    const secret = "0f3b8c6d9e1a47525f60718293a4b5c6d7e8f901";
    const first = await open({ jwtSecret: secret });
    const [head, body, signature] = first.keys.anonKey.split(".");
    expect(signature).toBe(hmac(secret, `${head}.${body}`));
    expect((await open({ jwtSecret: secret }, first.parent)).keys.anonKey).toBe(first.keys.anonKey);
  });

  test("the imported secret is not written into the keys file", async () => {
    const secret = "0f3b8c6d9e1a47525f60718293a4b5c6d7e8f901";
    const { parent } = await open({ jwtSecret: secret });
    expect(await readFile(join(parent, "keys", "keys.json"), "utf8")).not.toContain(secret);
  });
});

describe("gateway rules", () => {
  test("the role comes from the key when the bearer is absent, the same key, or an opaque key", async () => {
    const { identity, keys } = await open();
    for (const [apikey, role] of [
      [keys.anonKey, "anon"],
      [keys.publishableKey, "anon"],
      [keys.serviceRoleKey, "service_role"],
      [keys.secretKey, "service_role"],
    ] as const) {
      expect(identity.identify({ apikey }, "").role).toBe(role);
      expect(identity.identify({ apikey, authorization: `Bearer ${apikey}` }, "").role).toBe(role);
      expect(identity.identify({ authorization: `Bearer ${apikey}` }, "").role).toBe(role);
      expect(identity.identify({}, `vsn=1.0&apikey=${encodeURIComponent(apikey)}&x=1`).role).toBe(role);
      expect(identity.identifyKey({ apikey, authorization: "Bearer rubbish" }, "").role).toBe(role);
    }
    const mixed = { apikey: keys.publishableKey, authorization: `Bearer ${keys.secretKey}` };
    expect(identity.identify(mixed, "").role).toBe("service_role");
    expect(identity.identify({ apikey: keys.anonKey, authorization: "Basic dTpw" }, "").role).toBe("anon");
  });

  test("a user's token gives its claims whatever the key, and the same object each time", async () => {
    const { identity, signer, keys } = await open();
    const authorization = `Bearer ${signer.sign(user())}`;
    const who = identity.identify({ apikey: keys.anonKey, authorization }, "");
    expect(who).toMatchObject({ role: "authenticated", subject: user().sub, isAuthenticated: true });
    expect(JSON.parse(who.claimsJson)).toEqual(user());
    expect(identity.identify({ apikey: keys.anonKey, authorization }, "")).toBe(who);
    expect(identity.identify({ apikey: keys.secretKey, authorization }, "")).toBe(who);
    expect(codeOf(() => identity.identify({ apikey: "nobody's", authorization }, ""))).toBe("identity/key-unknown");
    expect(codeOf(() => identity.identify({ authorization }, ""))).toBe("identity/key-missing");
  });

  test("no key, an unknown key and an empty bearer are refused", async () => {
    const { identity, keys } = await open();
    expect(codeOf(() => identity.identify({}, ""))).toBe("identity/key-missing");
    expect(codeOf(() => identity.identifyKey({}, ""))).toBe("identity/key-missing");
    const strange = ["x", "sb_secret_", "sb_publishable_0000000000000000000000_00000000", "__proto__", "constructor"];
    for (const apikey of strange) {
      expect(codeOf(() => identity.identify({ apikey }, ""))).toBe("identity/key-unknown");
      expect(codeOf(() => identity.identifyKey({ apikey }, ""))).toBe("identity/key-unknown");
    }
    expect(codeOf(() => identity.identify({}, "apikey=%E0%A4%A"))).toBe("identity/key-unknown");
    const empty = { apikey: keys.anonKey, authorization: "Bearer " };
    expect(codeOf(() => identity.identify(empty, ""))).toBe("identity/token-invalid");
    const unknown = { apikey: keys.anonKey, authorization: "Bearer sb_secret_none" };
    expect(codeOf(() => identity.identify(unknown, ""))).toBe("identity/key-unknown");
  });

  test("without a required key, a bare PostgREST client is anonymous or its token", async () => {
    const { identity, signer } = await open({ apiKeyRequired: false });
    expect(identity.identify({}, "")).toBe(identity.anonymous);
    expect(identity.identify({ authorization: `Bearer ${signer.sign(user())}` }, "").role).toBe("authenticated");
  });

  test("a user's token is no API key, a token without user signed by our secret is", async () => {
    const secret = "0f3b8c6d9e1a47525f60718293a4b5c6d7e8f901";
    const { identity } = await open({ jwtSecret: secret });
    expect(codeOf(() => identity.identify({ apikey: hs256(secret, user()) }, ""))).toBe("identity/key-unknown");
    const legacy = hs256(secret, { iss: "supabase", role: "anon", exp: now + 100 });
    expect(identity.identify({ apikey: legacy }, "").role).toBe("anon");
  });

  test("A28 secret keys are refused from a browser, also when they were good a moment ago", async () => {
    const { identity, keys } = await open();
    const browser = { "user-agent": "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36" };
    const phone = { "user-agent": "Roam/1 CFNetwork/1494 Darwin/23.4.0" };
    for (const headers of [
      { apikey: keys.secretKey },
      { apikey: keys.secretKey, authorization: `Bearer ${keys.secretKey}` },
      { apikey: keys.publishableKey, authorization: `Bearer ${keys.secretKey}` },
    ]) {
      expect(identity.identify({ ...headers, ...phone }, "").role).toBe("service_role");
      expect(codeOf(() => identity.identify({ ...headers, ...browser }, ""))).toBe("identity/secret-key-in-browser");
    }
    expect(codeOf(() => identity.identifyKey({ apikey: keys.secretKey, ...browser }, ""))).toBe(
      "identity/secret-key-in-browser",
    );
    expect(identity.identify({ apikey: keys.serviceRoleKey, ...browser }, "").role).toBe("service_role");
    expect(identity.identify({ apikey: keys.publishableKey, ...browser }, "").role).toBe("anon");
    const strict = await open({ refuseServiceKeysInBrowsers: "all" });
    const legacy = { apikey: strict.keys.serviceRoleKey, ...browser };
    expect(codeOf(() => strict.identity.identify(legacy, ""))).toBe("identity/secret-key-in-browser");
    const lax = await open({ refuseServiceKeysInBrowsers: "none" });
    expect(lax.identity.identify({ apikey: lax.keys.secretKey, ...browser }, "").role).toBe("service_role");
  });
});

describe("claims", () => {
  test("times have 30 seconds of leeway and must be numbers", async () => {
    const { identity, signer, clock } = await open();
    const verdict = (claims: Record<string, unknown>) => codeOf(() => identity.verify(signer.sign(user(claims))));
    expect(verdict({ exp: now - 29 })).toBe("accepted");
    expect(verdict({ exp: now - 30 })).toBe("identity/token-expired");
    expect(verdict({ nbf: now + 30 })).toBe("accepted");
    expect(verdict({ nbf: now + 31 })).toBe("identity/token-claims");
    expect(verdict({ iat: now + 30 })).toBe("accepted");
    expect(verdict({ iat: now + 31 })).toBe("identity/token-claims");
    for (const name of ["exp", "nbf", "iat"]) {
      for (const value of [`${now}`, true, [now], {}]) {
        expect(verdict({ [name]: value })).toBe("identity/token-claims");
      }
    }
    const token = signer.sign(user({ exp: now + 10 }));
    const who = identity.verify(token);
    expect(who.expiresAtMs).toBe(startMs + 40_000);
    clock.ms = startMs + 39_999;
    expect(identity.verify(token)).toBe(who);
    clock.ms = startMs + 40_000;
    expect(codeOf(() => identity.verify(token))).toBe("identity/token-expired");
    expect(codeOf(() => identity.verify(token))).toBe("identity/token-expired");
  });

  test("an expired token is refused on the cached path of identify too", async () => {
    const { identity, signer, keys, clock } = await open();
    const headers = { apikey: keys.anonKey, authorization: `Bearer ${signer.sign(user({ exp: now + 10 }))}` };
    expect(identity.identify(headers, "").role).toBe("authenticated");
    clock.ms = startMs + 40_000;
    expect(codeOf(() => identity.identify(headers, ""))).toBe("identity/token-expired");
  });

  test("audience is checked when configured, and a key without one stays good", async () => {
    const { identity, signer, keys } = await open({ jwtAudience: "roam" });
    const verdict = (aud: unknown) => codeOf(() => identity.verify(signer.sign(user({ aud }))));
    expect(verdict("roam")).toBe("accepted");
    expect(verdict(["x", "roam"])).toBe("accepted");
    expect(verdict("Roam")).toBe("identity/token-claims");
    expect(verdict(["x"])).toBe("identity/token-claims");
    expect(verdict(["roam", 1])).toBe("identity/token-claims");
    expect(verdict({ roam: 1 })).toBe("identity/token-claims");
    expect(identity.identify({ apikey: keys.anonKey }, "").role).toBe("anon");
  });

  test("the role is a string of at most 63 bytes at the configured path, else the anonymous role or a refusal", async () => {
    const { identity, signer } = await open({ jwtRoleClaim: ".app.roles[0]", anonymousRole: "visitor" });
    const at = (role: unknown) => identity.verify(signer.sign({ sub: "x", app: { roles: [role] } })).role;
    expect(at("editor")).toBe("editor");
    expect(at("é".repeat(31))).toBe("é".repeat(31));
    expect(identity.verify(signer.sign({ sub: "x", role: "service_role" }))).toMatchObject({
      role: "visitor",
      isAuthenticated: false,
    });
    for (const role of ["", "é".repeat(32), "a\0b", 1, true, ["x"], { a: 1 }]) {
      expect(codeOf(() => at(role))).toBe("identity/token-claims");
    }
  });

  test("role paths: names, quoted names, positions", () => {
    expect(parseRolePath(".role")).toEqual(["role"]);
    expect(parseRolePath("role")).toEqual(["role"]);
    expect(parseRolePath('."https://x.example/roles"[2].a-b')).toEqual(["https://x.example/roles", 2, "a-b"]);
    for (const bad of ["", ".", "..a", ".a[", ".a[x]", ".a b", '."a']) expect(() => parseRolePath(bad)).toThrow();
  });

  test("numbers beyond 2^53 reach SQL as they were signed", async () => {
    const secret = "0f3b8c6d9e1a47525f60718293a4b5c6d7e8f901";
    const { identity } = await open({ jwtSecret: secret });
    const who = identity.verify(hs256(secret, '{"role":"authenticated","tenant":9007199254740993}'));
    expect(who.claimsJson).toContain("9007199254740993");
  });

  test("claims cannot reach a prototype", async () => {
    const secret = "0f3b8c6d9e1a47525f60718293a4b5c6d7e8f901";
    const { identity } = await open({ jwtSecret: secret });
    expect(identity.verify(hs256(secret, '{"__proto__":{"role":"service_role"}}')).role).toBe("anon");
    const path = await open({ jwtSecret: secret, jwtRoleClaim: ".constructor.name" });
    expect(path.identity.verify(hs256(secret, "{}")).role).toBe("anon");
  });
});

describe("A03 the algorithm belongs to the key", () => {
  test("forged tokens are all refused", async () => {
    const secret = "0f3b8c6d9e1a47525f60718293a4b5c6d7e8f901";
    const { identity, signer, keys } = await open({ jwtSecret: secret, jwtAlgorithm: "ES256" });
    const good = signer.sign(user());
    expect(codeOf(() => identity.verify(good))).toBe("accepted");
    expect(codeOf(() => identity.verify(hs256(secret, user())))).toBe("accepted");

    const [head, body, signature] = good.split(".") as [string, string, string];
    const jwk = signer.jwks().keys[0]! as { kid: string; x: string; y: string };
    const header = { alg: "ES256", kid: jwk.kid, typ: "JWT" };
    const attacker = generateKeyPairSync("ec", { namedCurve: "P-256" });
    const es256 = (h: unknown, payload: unknown = user(), key = attacker.privateKey) => {
      const signed = `${b64(h)}.${b64(payload)}`;
      const bytes = signBytes("sha256", Buffer.from(signed), { key, dsaEncoding: "ieee-p1363" });
      return `${signed}.${bytes.toString("base64url")}`;
    };
    const point = Buffer.concat([Buffer.from([4]), Buffer.from(jwk.x, "base64url"), Buffer.from(jwk.y, "base64url")]);
    const attackerJwk = attacker.publicKey.export({ format: "jwk" });
    const hs = (h: unknown, payload: unknown = user()) => hs256(secret, payload, h);
    const admin = b64({ ...user(), role: "service_role" });

    const forged: Record<string, string> = {
      "alg none, no signature": `${b64({ alg: "none", typ: "JWT" })}.${body}.`,
      "alg none, some signature": `${b64({ alg: "none", typ: "JWT" })}.${body}.${signature}`,
      "alg NONE": `${b64({ alg: "NONE" })}.${body}.${signature}`,
      "alg nOnE with kid": `${b64({ ...header, alg: "nOnE" })}.${body}.${signature}`,
      "alg empty": `${b64({ ...header, alg: "" })}.${body}.${signature}`,
      "alg missing": `${b64({ kid: jwk.kid, typ: "JWT" })}.${body}.${signature}`,
      "alg null": hs('{"alg":null}'),
      "alg array": hs('{"alg":["HS256"]}'),
      "alg object": hs('{"alg":{"0":"HS256"}}'),
      "alg twice": hs('{"alg":"none","alg":"HS256"}'),
      "alg twice, once escaped": hs('{"alg":"HS256","\\u0061lg":"HS256"}'),
      "alg lower case": hs({ alg: "hs256" }),
      "alg with space": hs({ alg: "HS256 " }),
      "alg HS384": hs({ alg: "HS384" }),
      "alg HS512": hs({ alg: "HS512" }),
      "HS256 keyed with the public key as JWK": hs256(JSON.stringify(jwk), user(), { alg: "HS256", kid: jwk.kid }),
      "HS256 keyed with the public point": hs256(point, user(), { alg: "HS256", kid: jwk.kid }),
      "HS256 keyed with x": hs256(Buffer.from(jwk.x, "base64url"), user(), { alg: "HS256", kid: jwk.kid }),
      "HS256 with the right secret under the ES256 kid": hs({ alg: "HS256", kid: jwk.kid }),
      "HS256 with an empty key": hs256("", user()),
      "HS256 with the anon key as key": hs256(keys.anonKey, user()),
      "ES256 without kid": es256({ alg: "ES256", typ: "JWT" }),
      "ES256 with an unknown kid": es256({ ...header, kid: "other" }),
      "ES256 with an empty kid": es256({ ...header, kid: "" }),
      "ES256 with kid as path": es256({ ...header, kid: "../../keys.json" }),
      "ES256 with kid as number": es256('{"alg":"ES256","kid":1}'),
      "ES256 by another key under our kid": es256(header),
      "embedded jwk": es256({ ...header, jwk: attackerJwk }),
      "embedded jwk as text": es256({ ...header, jwk: JSON.stringify(attackerJwk) }),
      jku: es256({ ...header, jku: "https://evil.example/jwks.json" }),
      x5u: es256({ ...header, x5u: "https://evil.example/cert" }),
      x5c: es256({ ...header, x5c: ["MIIB"] }),
      crit: hs('{"alg":"HS256","crit":["exp"]}'),
      "b64 false": hs('{"alg":"HS256","b64":false}'),
      zip: hs({ alg: "HS256", zip: "DEF" }),
      "typ of another kind": hs({ alg: "HS256", typ: "dpop+jwt" }),
      "nested header": hs('{"alg":"HS256","x":{"alg":"none"}}'),
      "header is an array": hs('["HS256"]'),
      "header is a string": hs('"HS256"'),
      "header with rubbish behind": hs('{"alg":"HS256"}x'),
      "header not JSON": hs("alg=HS256"),
      "header not UTF-8": hs256(secret, user(), Buffer.from([0x7b, 0xff, 0x7d]).toString("latin1")),
      "payload is an array": hs({ alg: "HS256" }, "[]"),
      "payload is null": hs({ alg: "HS256" }, "null"),
      "payload not JSON": hs({ alg: "HS256" }, "{role:1}"),
      "payload exchanged": `${head}.${admin}.${signature}`,
      "signature of another token": `${head}.${body}.${signer.sign(user({ x: 1 })).split(".")[2]}`,
      "signature empty": `${head}.${body}.`,
      "signature of zeros (CVE-2022-21449)": `${head}.${body}.${Buffer.alloc(64).toString("base64url")}`,
      "signature cut": `${head}.${body}.${signature.slice(0, -2)}`,
      "signature longer": `${head}.${body}.${Buffer.concat([Buffer.from(signature, "base64url"), Buffer.from([0])]).toString("base64url")}`,
      "signature in DER": `${head}.${body}.${Buffer.concat([Buffer.from([0x30, 0x44]), Buffer.from(signature, "base64url")]).toString("base64url")}`,
      "HMAC cut to 16 bytes": hs256(secret, user()).slice(0, -21),
      "HMAC with a non-canonical last character": nonCanonical(hs256(secret, user())),
      padding: `${head}.${body}.${signature}==`,
      "standard base64 alphabet": `${head}.${body}.${signature.replace(/[-_]/g, "+")}+`,
      "whitespace before": ` ${good}`,
      "whitespace behind": `${good} `,
      "newline behind": `${good}\n`,
      "whitespace inside": `${head}. ${body}.${signature}`,
      "trailing part": `${good}.x`,
      "trailing garbage": `${good},${good}`,
      "two parts": `${head}.${body}`,
      "five parts, as JWE": `${head}.x.x.x.${signature}`,
      "JSON serialisation": JSON.stringify({ protected: head, payload: body, signature }),
      "empty parts": "..",
      nothing: "",
      oversize: hs256(secret, user({ x: "a".repeat(20_000) })),
    };
    for (const [name, token] of Object.entries(forged)) {
      expect
        .soft(
          codeOf(() => identity.verify(token)),
          name,
        )
        .toBe("identity/token-invalid");
      if (token !== token.trim() || token === "") continue;
      const headers = { apikey: keys.anonKey, authorization: `Bearer ${token}` };
      expect
        .soft(
          codeOf(() => identity.identify(headers, "")),
          `${name}, by header`,
        )
        .toBe("identity/token-invalid");
      expect
        .soft(
          codeOf(() => identity.identify({ apikey: token }, "")),
          `${name}, as key`,
        )
        .toBe("identity/key-unknown");
    }
    expect(Object.keys(forged).length).toBeGreaterThan(40);
  });

  test("every single flipped bit of a good signature is refused", async () => {
    const { identity, signer } = await open();
    const [head, body, signature] = signer.sign(user()).split(".") as [string, string, string];
    for (let bit = 0; bit < 512; bit += 17) {
      const bytes = Buffer.from(signature, "base64url");
      bytes[bit >> 3]! ^= 1 << (bit & 7);
      const token = `${head}.${body}.${bytes.toString("base64url")}`;
      expect(codeOf(() => identity.verify(token))).toBe("identity/token-invalid");
    }
  });

  test("a JWK set as secret fixes each key's algorithm", async () => {
    const rsa = generateKeyPairSync("rsa", { modulusLength: 2048 });
    const weakRsa = generateKeyPairSync("rsa", { modulusLength: 1024 });
    const oct = Buffer.alloc(32, 7);
    const jwtSecret = JSON.stringify({
      keys: [
        { ...rsa.publicKey.export({ format: "jwk" }), kid: "r", alg: "RS256", use: "sig" },
        { ...weakRsa.publicKey.export({ format: "jwk" }), kid: "w", alg: "RS256" },
        { ...rsa.publicKey.export({ format: "jwk" }), kid: "e", use: "enc" },
        { kty: "oct", k: oct.toString("base64url"), kid: "o", alg: "HS256" },
        { kty: "OKP", crv: "Ed25519", x: "AA", kid: "u" },
      ],
    });
    const { identity, signer } = await open({ jwtSecret });
    const rs256 = (kid: string, key = rsa.privateKey) => {
      const signed = `${b64({ alg: "RS256", kid })}.${b64(user())}`;
      return `${signed}.${signBytes("sha256", Buffer.from(signed), key).toString("base64url")}`;
    };
    expect(codeOf(() => identity.verify(rs256("r")))).toBe("accepted");
    expect(codeOf(() => identity.verify(rs256("w", weakRsa.privateKey)))).toBe("identity/token-invalid");
    expect(codeOf(() => identity.verify(rs256("e")))).toBe("identity/token-invalid");
    expect(codeOf(() => identity.verify(hs256(oct, user(), { alg: "HS256", kid: "o" })))).toBe("accepted");
    expect(codeOf(() => identity.verify(hs256(oct, user())))).toBe("identity/token-invalid");
    expect(codeOf(() => identity.verify(signer.sign(user())))).toBe("accepted");
    expect(JSON.stringify(signer.jwks())).not.toContain(oct.toString("base64url"));
    expect(signer.jwks().keys.map((key) => key.kid)).toContain("r");
  });
});

/** The same bytes with stray bits in the last character, which lenient decoders take for the same signature. */
function nonCanonical(token: string): string {
  const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  return token.slice(0, -1) + alphabet[alphabet.indexOf(token.at(-1)!) + 1]!;
}

describe("A04 rotation", () => {
  test("the old key goes on verifying until its tokens are gone, then not", async () => {
    const { identity, signer, rotate, clock } = await open({ keyOverlapSeconds: 3600 });
    const old = signer.sign(user({ exp: now + 86_400 }));
    identity.verify(old);
    const oldKid = signer.jwks().keys[0]?.kid;
    await rotate();
    expect(signer.jwks().keys).toHaveLength(2);
    const fresh = signer.sign(user({ exp: now + 86_400 }));
    expect(JSON.parse(Buffer.from(fresh.split(".")[0]!, "base64url").toString()).kid).not.toBe(oldKid);
    expect(codeOf(() => identity.verify(old))).toBe("accepted");
    clock.ms = startMs + 3_600_000;
    expect(codeOf(() => identity.verify(old))).not.toBe("accepted");
    expect(codeOf(() => identity.verify(fresh))).toBe("accepted");
    await rotate();
    expect(signer.jwks().keys.map((key) => key.kid)).not.toContain(oldKid);
  });

  test("a revoked key is dead at once, on the cached path too", async () => {
    const { identity, signer, keys, rotate } = await open();
    const headers = { apikey: keys.anonKey, authorization: `Bearer ${signer.sign(user())}` };
    expect(identity.identify(headers, "").role).toBe("authenticated");
    await rotate({ revoke: true });
    expect(codeOf(() => identity.identify(headers, ""))).toBe("identity/token-invalid");
    expect(signer.jwks().keys).toHaveLength(1);
  });

  test("rotated API keys replace the old ones at once", async () => {
    const one = await open();
    const old = { ...one.keys };
    expect(one.identity.identify({ apikey: old.serviceRoleKey }, "").role).toBe("service_role");
    await one.rotate({ apiKeys: true });
    for (const apikey of [old.anonKey, old.serviceRoleKey, old.publishableKey, old.secretKey]) {
      expect(codeOf(() => one.identity.identify({ apikey }, ""))).toBe("identity/key-unknown");
    }
    expect(one.identity.identify({ apikey: one.keys.serviceRoleKey }, "").role).toBe("service_role");
  });

  test("a rotation by another process is noticed by itself", async () => {
    const server = await open({ keyPollMs: 20 });
    const command = await open({}, server.parent);
    const token = server.signer.sign(user());
    server.identity.verify(token);
    await command.rotate({ revoke: true });
    await vi.waitFor(() => expect(codeOf(() => server.identity.verify(token))).toBe("identity/token-invalid"), 30_000);
    expect(server.signer.jwks()).toEqual(command.signer.jwks());
  });

  test("HS256: a new secret signs, the old one verifies until it retires", async () => {
    const { identity, signer, rotate, keys } = await open({ jwtAlgorithm: "HS256" });
    const old = signer.sign(user());
    await rotate();
    expect(codeOf(() => identity.verify(old))).toBe("accepted");
    expect(codeOf(() => identity.verify(signer.sign(user())))).toBe("accepted");
    expect(identity.identify({ apikey: keys.anonKey }, "").role).toBe("anon");
    await rotate({ revoke: true });
    expect(codeOf(() => identity.verify(old))).toBe("identity/token-invalid");
  });

  test("a secret given by settings is not ours to rotate", async () => {
    const { rotate } = await open({ jwtSecret: "0f3b8c6d9e1a47525f60718293a4b5c6d7e8f901" });
    await expect(rotate()).rejects.toMatchObject({
      code: "identity/secret-of-settings",
      hint: expect.stringContaining("MAINSTAY_JWT_ALGORITHM"),
    });
  });

  test("the token cache is bounded and does not answer for what fell out", async () => {
    const { identity, signer } = await open({ tokenCacheSize: 2 });
    const tokens = [1, 2, 3, 4].map((n) => signer.sign(user({ n })));
    const first = tokens.map((token) => identity.verify(token));
    expect(identity.verify(tokens[3]!)).toBe(first[3]);
    expect(identity.verify(tokens[0]!)).not.toBe(first[0]);
  });
});

describe("JWKS", () => {
  test("shows the public half with kid, alg, use and key_ops, and nothing private", async () => {
    const { signer } = await open();
    expect(signer.jwks().keys).toEqual([
      {
        kty: "EC",
        crv: "P-256",
        x: expect.any(String),
        y: expect.any(String),
        kid: expect.any(String),
        alg: "ES256",
        use: "sig",
        key_ops: ["verify"],
      },
    ]);
  });
});

describe("third-party issuers", () => {
  const pair = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const jwks = { keys: [{ ...pair.publicKey.export({ format: "jwk" }), kid: "t1", alg: "ES256" }] };
  const token = (claims: Record<string, unknown>) => {
    const signed = `${b64({ alg: "ES256", kid: "t1" })}.${b64({ iss: "https://id.example", aud: "app", ...user(claims) })}`;
    const bytes = signBytes("sha256", Buffer.from(signed), { key: pair.privateKey, dsaEncoding: "ieee-p1363" });
    return `${signed}.${bytes.toString("base64url")}`;
  };
  async function serve(answer: Parameters<typeof createServer>[1]): Promise<{ url: string; server: Server }> {
    const server = createServer(answer as never);
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    opened.push({ close: () => server.close() });
    return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/jwks`, server };
  }

  test("A01 A02 its tokens are accepted for our audience, by its keys only, and never as the service role", async () => {
    const { url } = await serve(((_: unknown, reply: import("node:http").ServerResponse) =>
      reply.end(JSON.stringify(jwks))) as never);
    const { identity, signer } = await open({ thirdPartyIssuers: [`https://id.example|${url}|app`] });
    await vi.waitFor(() => expect(codeOf(() => identity.verify(token({})))).toBe("accepted"), 30_000);
    expect(codeOf(() => identity.verify(token({ aud: "other" })))).toBe("identity/token-claims");
    expect(codeOf(() => identity.verify(token({ aud: undefined })))).toBe("identity/token-claims");
    expect(codeOf(() => identity.verify(token({ exp: undefined })))).toBe("identity/token-claims");
    expect(codeOf(() => identity.verify(token({ role: "service_role" })))).toBe("identity/token-claims");
    expect(codeOf(() => identity.verify(token({ iss: "https://evil.example" })))).toBe("identity/token-invalid");
    const ours = signer.sign({ ...user(), iss: "https://id.example", aud: "app" });
    expect(codeOf(() => identity.verify(ours))).toBe("identity/token-invalid");
    expect(codeOf(() => identity.identify({ apikey: token({ sub: undefined }) }, ""))).toBe("identity/key-unknown");
  });

  test("A30 redirects, endless and failing answers are not followed, and reported", async () => {
    let asked = 0;
    const target = await serve(((_: unknown, reply: import("node:http").ServerResponse) => {
      asked++;
      reply.end(JSON.stringify(jwks));
    }) as never);
    const answers: ((reply: import("node:http").ServerResponse) => void)[] = [
      (reply) => reply.writeHead(302, { Location: target.url }).end(),
      (reply) => reply.end(JSON.stringify({ ...jwks, padding: "x".repeat(5_000) })),
      (reply) => reply.writeHead(500).end(JSON.stringify(jwks)),
      (reply) => reply.end("[]"),
      () => {},
    ];
    for (const answer of answers) {
      const { url } = await serve(((_: unknown, reply: import("node:http").ServerResponse) => answer(reply)) as never);
      const one = await open({
        thirdPartyIssuers: [`https://id.example|${url}|app`],
        jwksMaxBytes: 1_024,
        jwksTimeoutMs: 200,
      });
      await vi.waitFor(() => expect(one.seen).toEqual([expect.objectContaining({ kind: "warning" })]), 30_000);
      expect(codeOf(() => one.identity.verify(token({})))).toBe("identity/token-invalid");
      one.close();
    }
    expect(asked).toBe(0);
  });

  test("A02 an issuer without audience, or fetched in the clear, is refused at start", async () => {
    for (const entry of ["https://id.example|https://id.example/jwks|", "x", "a|http://id.example/jwks|app"]) {
      await expect(open({ thirdPartyIssuers: [entry] })).rejects.toThrow(/issuer/);
    }
  });
});

describe("A29 weak secrets", () => {
  const strong = {
    anonKey: "",
    serviceRoleKey: "",
    publishableKey: "",
    secretKey: "",
    jwtSecret: "0f3b8c6d9e1a47525f60718293a4b5c6d7e8f901",
  };
  const demo = hs256("super-secret-jwt-token-with-at-least-32-characters-long", { iss: "supabase-demo", role: "anon" });
  const weak: Record<string, Partial<typeof strong>> = {
    "the word": { jwtSecret: "secret" },
    "the demo secret": { jwtSecret: "super-secret-jwt-token-with-at-least-32-characters-long" },
    "the example file's secret": { jwtSecret: "your-super-secret-jwt-token-with-at-least-32-characters-long" },
    "PostgREST's example": { jwtSecret: "reallyreallyreallyreallyverysafe" },
    "31 bytes": { jwtSecret: "0f3b8c6d9e1a47525f60718293a4b5c" },
    "one character": { jwtSecret: "a".repeat(64) },
    "two characters": { jwtSecret: "ab".repeat(32) },
    "a changed example": { jwtSecret: "my-Super-Secret-token-2026-xyzw-1234567890" },
    "a demo anon key": { anonKey: demo },
    "a demo service key": { serviceRoleKey: demo },
    "the local stack's secret key": { secretKey: "sb_secret_N7UND0UgjKTVK-Uodkm0Hg_xSvEMPvz" },
    "a short secret key": { secretKey: "sb_secret_admin" },
  };

  test("are refused on a public bind and tolerated on this machine alone", async () => {
    const { keys } = await open();
    for (const [name, given] of Object.entries(weak)) {
      const secrets = { ...keys, ...given };
      for (const host of ["0.0.0.0", "::", "192.168.1.4", "api.example.com"]) {
        expect.soft(weakSecretProblem(secrets, host)?.code, `${name} on ${host}`).toBe("identity/weak-secret");
      }
      for (const host of ["127.0.0.1", "127.3.2.1", "::1", "[::1]", "localhost"]) {
        expect.soft(weakSecretProblem(secrets, host), `${name} on ${host}`).toBeNull();
      }
      const text = JSON.stringify(weakSecretProblem(secrets, "0.0.0.0")?.message);
      expect.soft(Object.values(given).some((secret) => secret.length > 6 && text.includes(secret))).toBe(false);
    }
  });

  test("generated and random ones may face a network", async () => {
    const { keys } = await open();
    expect(weakSecretProblem(keys, "0.0.0.0")).toBeNull();
    expect(weakSecretProblem({ ...keys, jwtSecret: strong.jwtSecret }, "0.0.0.0")).toBeNull();
    expect(weakSecretProblem({ ...keys, jwtSecret: null }, "0.0.0.0")).toBeNull();
  });
});

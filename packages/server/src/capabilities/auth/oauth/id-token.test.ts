import { createHash, createHmac } from "node:crypto";
import { createLocalJWKSet, exportJWK, generateKeyPair, type JWTVerifyGetKey, SignJWT } from "jose";
import { beforeAll, describe, expect, test } from "vitest";
import type { Problem } from "../../../kernel/problem.ts";
import { assertNonce, type IdTokenRules, verifyIdToken } from "./id-token.ts";
import { sha256hex } from "./testing.ts";

const issuer = "https://issuer.example";
const now = 1_800_000_000;
type Pair = Awaited<ReturnType<typeof generateKeyPair>>;
let [rsa, ec, stranger]: Pair[] = [];
let keys: JWTVerifyGetKey;
let rules: IdTokenRules;
let publicRsa: Record<string, unknown>;

beforeAll(async () => {
  [rsa, ec, stranger] = await Promise.all([
    generateKeyPair("RS256", { extractable: true }),
    generateKeyPair("ES256", { extractable: true }),
    generateKeyPair("RS256", { extractable: true }),
  ]);
  publicRsa = { ...(await exportJWK(rsa!.publicKey)), kid: "rsa", alg: "RS256", use: "sig" };
  keys = createLocalJWKSet({
    keys: [publicRsa as never, { ...(await exportJWK(ec!.publicKey)), kid: "ec", alg: "ES256", use: "sig" }],
  });
  rules = {
    keys,
    clientIds: ["app.ios", "app.web"],
    isIssuer: ({ iss }) => iss === issuer,
    isAskedByOthers: false,
    nowMs: now * 1000,
  };
});

const good = { iss: issuer, sub: "1", aud: "app.ios", iat: now, exp: now + 600 };
const sign = (claims: Record<string, unknown>, header: Record<string, unknown> = {}, key = rsa!.privateKey) =>
  new SignJWT(claims).setProtectedHeader({ alg: "RS256", kid: "rsa", ...header }).sign(key);
const encode = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString("base64url");

const refusal = async (token: string, accessToken = "", with_: Partial<IdTokenRules> = {}): Promise<Problem> =>
  verifyIdToken(token, accessToken, { ...rules, ...with_ }).then(
    () => expect.fail("The token was taken."),
    (error: Problem) => error,
  );

describe("an ID token", () => {
  test("is taken when it is the issuer's, for this app, and in time", async () => {
    expect(await verifyIdToken(await sign(good), "", rules)).toMatchObject(good);
    expect(await verifyIdToken(await sign(good, { alg: "ES256", kid: "ec" }, ec!.privateKey), "", rules)).toMatchObject(
      good,
    );
  });

  test("A03 forged in any way is refused: keys and algorithms are not the token's to choose", async () => {
    const valid = await sign(good);
    const [head = "", body = "", signature = ""] = valid.split(".");
    const pem = JSON.stringify(publicRsa);
    const hmac = (alg: string, secret: string) => {
      const input = `${encode({ alg, kid: "rsa" })}.${encode(good)}`;
      return `${input}.${createHmac(alg.replace("HS", "sha"), secret).update(input).digest("base64url")}`;
    };
    const own = await exportJWK(stranger!.publicKey);
    const foreign = (header: Record<string, unknown>) => sign(good, header, stranger!.privateKey);
    const forged = [
      "",
      ".",
      "..",
      "a.b.c",
      `${head}.${body}`,
      `${head}.${body}.`,
      `${head}..${signature}`,
      `${head}.${body}.${signature}.x`,
      `${head}.${encode({ ...good, sub: "2" })}.${signature}`,
      `${head}.${body}.${signature.slice(0, -4)}AAAA`,
      `${encode({ alg: "none" })}.${body}.`,
      `${encode({ alg: "none", kid: "rsa" })}.${body}.${signature}`,
      `${encode({ alg: "None", kid: "rsa" })}.${body}.`,
      `${encode({ alg: "", kid: "rsa" })}.${body}.${signature}`,
      `${encode({ kid: "rsa" })}.${body}.${signature}`,
      `${encode({ alg: ["RS256"], kid: "rsa" })}.${body}.${signature}`,
      `${encode({ alg: "rs256", kid: "rsa" })}.${body}.${signature}`,
      hmac("HS256", pem),
      hmac("HS384", pem),
      hmac("HS512", ""),
      await sign(good, { alg: "RS384" }, (await generateKeyPair("RS384")).privateKey),
      await sign(good, { alg: "PS256" }, (await generateKeyPair("PS256")).privateKey),
      await sign(good, { alg: "EdDSA" }, (await generateKeyPair("EdDSA")).privateKey),
      await sign(good, { kid: undefined }),
      await sign(good, { kid: "" }),
      await sign(good, { kid: "another" }),
      await sign(good, { kid: "ec" }),
      await foreign({}),
      await foreign({ jwk: own }),
      await foreign({ jku: "https://evil.example/keys" }),
      await foreign({ x5u: "https://evil.example/cert" }),
      await foreign({ x5c: ["MIIB"] }),
      await sign(good, { jwk: own }),
      await sign(good, { jku: "https://evil.example/keys" }),
      `${encode({ alg: "RS256", kid: "rsa", crit: ["b64"], b64: false })}.${body}.${signature}`,
      await sign({ ...good, iss: undefined }),
      await sign({ ...good, exp: undefined }),
      await sign({ ...good, iat: undefined }),
      await sign({ ...good, sub: undefined }),
      await sign({ ...good, sub: "" }),
      await sign({ ...good, exp: now - 61 }),
      await sign({ ...good, iat: now + 3_600 }),
      await sign({ ...good, nbf: now + 3_600 }),
      await sign({ ...good, exp: "never" }),
      `${valid}${"A".repeat(20_000)}`,
    ];
    expect(forged.length).toBeGreaterThan(40);
    for (const [at, token] of forged.entries()) {
      const problem = await refusal(token);
      expect.soft([at, problem.code, problem.status], `${at}`).toEqual([at, "auth/validation_failed", 400]);
    }
  });

  test("A01 of another issuer is refused, with whatever key", async () => {
    for (const iss of ["https://evil.example", `${issuer}/`, `${issuer}.evil.example`, issuer.toUpperCase()]) {
      expect((await refusal(await sign({ ...good, iss }))).status).toBe(400);
    }
  });

  test("A02 made out to another app is refused, and to nobody", async () => {
    for (const aud of ["other", ["other"], [], "", undefined, 1, ["app.ios.evil"], " app.ios"]) {
      expect((await refusal(await sign({ ...good, aud }))).code).toBe("auth/validation_failed");
    }
    expect((await refusal(await sign(good), "", { clientIds: [] })).status).toBe(400);
    expect(await verifyIdToken(await sign({ ...good, aud: ["app.web"] }), "", rules)).toBeTruthy();
  });

  test("A02 made out to several says who asked for it, and that is us", async () => {
    const several = { ...good, aud: ["app.ios", "other"] };
    expect((await refusal(await sign(several))).status).toBe(400);
    expect((await refusal(await sign({ ...several, azp: "other" }))).status).toBe(400);
    expect((await refusal(await sign({ ...several, azp: "other" }), "", { isAskedByOthers: true })).status).toBe(400);
    expect((await refusal(await sign({ ...good, azp: "other" }))).status).toBe(400);
    expect(await verifyIdToken(await sign({ ...several, azp: "app.ios" }), "", rules)).toBeTruthy();
    const android = await sign({ ...good, azp: "app.android" });
    expect(await verifyIdToken(android, "", { ...rules, isAskedByOthers: true })).toBeTruthy();
  });

  test("with a hash of an access token goes with no other one", async () => {
    const half = createHash("sha256").update("the-token").digest().subarray(0, 16).toString("base64url");
    const bound = await sign({ ...good, at_hash: half });
    expect(await verifyIdToken(bound, "the-token", rules)).toBeTruthy();
    expect(await verifyIdToken(bound, "", rules)).toBeTruthy();
    expect((await refusal(bound, "another-token")).status).toBe(400);
    expect((await refusal(await sign({ ...good, at_hash: 7 }), "the-token")).status).toBe(400);
  });

  test("a clock a minute off is forgiven, an hour is not", async () => {
    expect(await verifyIdToken(await sign({ ...good, exp: now - 59, iat: now + 59 }), "", rules)).toBeTruthy();
    expect((await refusal(await sign({ ...good, exp: now - 3_600 }))).status).toBe(400);
  });

  test("keys that cannot be had are no judgement of the token", async () => {
    const away: JWTVerifyGetKey = async () => {
      const { errors } = await import("jose");
      throw new errors.JWKSTimeout();
    };
    expect((await refusal(await sign(good), "", { keys: away })).status).toBe(503);
  });
});

describe("the nonce of native sign-in", () => {
  const nonce = "kept by the app";
  test("is the one whose hash is in the token", () => {
    expect(() => assertNonce(sha256hex(nonce), nonce)).not.toThrow();
    expect(() => assertNonce(null, "")).not.toThrow();
    expect(() => assertNonce("", "")).not.toThrow();
  });
  test("is refused when it is another, unhashed, or only on one side", () => {
    for (const [inToken, sent] of [
      [sha256hex("another"), nonce],
      [nonce, nonce],
      [sha256hex(nonce), sha256hex(nonce)],
      [sha256hex(nonce).toUpperCase(), nonce],
      [sha256hex(nonce), ""],
      [null, nonce],
    ] as const) {
      expect(() => assertNonce(inToken, sent)).toThrow(/[Nn]once/);
    }
  });
});

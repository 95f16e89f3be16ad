import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, test } from "vitest";
import type { Clock } from "../../../kernel/clock.ts";
import type { Principal } from "../../../kernel/principal.ts";
import { Problem } from "../../../kernel/problem.ts";
import { readSettings } from "../../../kernel/settings.ts";
import { identitySettings, type OpenIdentity, openIdentity } from "../../../platform/identity/index.ts";
import { createUploadTokens } from "./upload-tokens.ts";
import { createUrlTokens } from "./url-tokens.ts";

const closers: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0)) await close();
});

async function open(env: Record<string, string> = {}, maxSeconds = 10_000_000) {
  const keysDir = await mkdtemp(join(tmpdir(), "mainstay-url-tokens-"));
  const clock: Clock & { ms: number } = { ms: Date.now(), nowMs: () => clock.ms };
  const settings = readSettings(identitySettings, { env: { MAINSTAY_KEY_POLL_MS: "0", ...env } }).values;
  const opened: OpenIdentity = await openIdentity({ keysDir, settings, observe: () => {}, clock });
  closers.push(async () => {
    opened.close();
    await rm(keysDir, { recursive: true, force: true });
  });
  const { signer } = opened;
  const tokens = createUrlTokens({ signer, clock, maxSeconds });
  const uploads = createUploadTokens({ tokens, signer, lifeSeconds: 60 });
  return { ...opened, opened, clock, tokens, uploads, settings };
}

function codeOf(work: () => unknown): string {
  try {
    work();
  } catch (error) {
    if (error instanceof Problem) return error.code;
    throw error;
  }
  return "accepted";
}

const url = "photos/a/b.png";

describe("S02: a token of a signed URL", () => {
  test("is good for its file and purpose, and nothing else", async () => {
    const { tokens } = await open();
    const token = tokens.sign({ url, scope: "download" }, 60);
    expect(tokens.verify(token, { url, scope: "download" }).url).toBe(url);
    for (const other of ["photos/a/B.png", "photos/a/b.png/", "photos/a", "Photos/a/b.png", "other/a/b.png", ""]) {
      expect(codeOf(() => tokens.verify(token, { url: other, scope: "download" }))).toBe("InvalidSignature");
    }
    for (const scope of ["upload", "render"] as const) {
      expect(codeOf(() => tokens.verify(token, { url, scope }))).toBe("InvalidSignature");
    }
  });

  test("ends when it says, and when links may no longer be as old", async () => {
    const { tokens, clock, signer } = await open();
    const token = tokens.sign({ url, scope: "download" }, 60);
    const strict = createUrlTokens({ signer, clock, maxSeconds: 30 });
    clock.ms += 31_000;
    expect(codeOf(() => strict.verify(token, { url, scope: "download" }))).toBe("InvalidJWT");
    expect(codeOf(() => tokens.verify(token, { url, scope: "download" }))).toBe("accepted");
    clock.ms += 30_000;
    expect(codeOf(() => tokens.verify(token, { url, scope: "download" }))).toBe("InvalidJWT");
  });

  test("is refused with any of its characters changed", async () => {
    const { tokens } = await open();
    const token = tokens.sign({ url, scope: "download" }, 60);
    for (let at = 0; at < token.length; at++) {
      const other = token[at] === "A" ? "B" : "A";
      const changed = token.slice(0, at) + other + token.slice(at + 1);
      expect(codeOf(() => tokens.verify(changed, { url, scope: "download" }))).not.toBe("accepted");
    }
    const [head, payload, signature] = token.split(".");
    for (const forged of [
      "",
      "..",
      token.slice(0, -1),
      `${token}.`,
      `${token}=`,
      `${head}.${payload}.`,
      `${head}..${signature}`,
    ]) {
      expect(codeOf(() => tokens.verify(forged, { url, scope: "download" }))).toBe("InvalidJWT");
    }
    const none = Buffer.from('{"alg":"none"}').toString("base64url");
    expect(codeOf(() => tokens.verify(`${none}.${payload}.`, { url, scope: "download" }))).toBe("InvalidJWT");
  });

  test.each([
    {},
    { JWT_SECRET: "a-secret-that-is-long-enough-for-everybody-here" },
    { MAINSTAY_JWT_ALGORITHM: "HS256" },
  ])("is no session, and no session is one (%o)", async (env) => {
    const { tokens, identity, signer, clock, keys } = await open(env as Record<string, string>);
    const token = tokens.sign({ url, scope: "download" }, 60);
    expect(codeOf(() => identity.verify(token))).toBe("identity/token-invalid");
    expect(codeOf(() => identity.identifyBearer({ authorization: `Bearer ${token}` }))).toBe("identity/token-invalid");
    expect(codeOf(() => identity.identify({ apikey: token }, ""))).toBe("identity/key-unknown");
    const now = Math.floor(clock.nowMs() / 1000);
    const session = signer.sign({ url, scope: "download", role: "authenticated", iat: now, exp: now + 60 });
    for (const foreign of [session, keys.anonKey, keys.serviceRoleKey]) {
      expect(codeOf(() => tokens.verify(foreign, { url, scope: "download" }))).toBe("InvalidJWT");
    }
  });

  test("goes with the key it was made under: after the overlap, or at once when that is revoked", async () => {
    const { tokens, opened, clock, settings } = await open();
    const first = tokens.sign({ url, scope: "download" }, 9_000_000);
    await opened.rotate();
    expect(codeOf(() => tokens.verify(first, { url, scope: "download" }))).toBe("accepted");
    const second = tokens.sign({ url, scope: "download" }, 9_000_000);
    clock.ms += settings.keyOverlapSeconds * 1000 + 1;
    expect(codeOf(() => tokens.verify(first, { url, scope: "download" }))).toBe("InvalidJWT");
    expect(codeOf(() => tokens.verify(second, { url, scope: "download" }))).toBe("accepted");
    await opened.rotate({ revoke: true });
    expect(codeOf(() => tokens.verify(second, { url, scope: "download" }))).toBe("InvalidJWT");
  });

  test("with a generated secret goes when that is revoked", async () => {
    const { tokens, opened } = await open({ MAINSTAY_JWT_ALGORITHM: "HS256" });
    const token = tokens.sign({ url, scope: "download" }, 60);
    await opened.rotate({ revoke: true });
    expect(codeOf(() => tokens.verify(token, { url, scope: "download" }))).toBe("InvalidJWT");
  });
});

describe("S03: a token of a signed upload", () => {
  const who: Principal = {
    role: "authenticated",
    claims: { sub: "7d9e", email: "ann@example.com" },
    claimsJson: '{"sub":"7d9e","email":"ann@example.com","big":12345678901234567890}',
    subject: "7d9e",
    isAuthenticated: true,
    expiresAtMs: 0,
  };
  const file = { bucketId: "photos", name: "a/b.png" };

  test("brings back who signed, to the letter, and whether it may replace", async () => {
    const { uploads } = await open();
    const signed = uploads.verify(uploads.sign(who, { ...file, isUpsert: true }), file);
    expect(signed).toMatchObject({ ownerId: "7d9e", isUpsert: true });
    expect(signed.who).toMatchObject({ role: "authenticated", subject: "7d9e", claimsJson: who.claimsJson });
  });

  test("tells its holder nothing of who signed", async () => {
    const { uploads } = await open();
    const payload = Buffer.from(uploads.sign(who, { ...file, isUpsert: false }).split(".")[1]!, "base64url").toString();
    expect(JSON.parse(payload)).toMatchObject({ url: "photos/a/b.png", scope: "upload", upsert: false });
    expect(payload).not.toMatch(/ann@example|7d9e|authenticated/);
  });

  test("is no token for reading, and for one file", async () => {
    const { uploads, tokens } = await open();
    const token = uploads.sign(who, { ...file, isUpsert: false });
    expect(codeOf(() => tokens.verify(token, { url, scope: "download" }))).toBe("InvalidSignature");
    expect(codeOf(() => uploads.verify(token, { ...file, name: "a/c.png" }))).toBe("InvalidSignature");
    const download = tokens.sign({ url, scope: "download" }, 60);
    expect(codeOf(() => uploads.verify(download, file))).toBe("InvalidSignature");
  });
});

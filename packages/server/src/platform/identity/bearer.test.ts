import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, test } from "vitest";
import type { Principal } from "../../kernel/principal.ts";
import { Problem } from "../../kernel/problem.ts";
import { readSettings, type Values } from "../../kernel/settings.ts";
import { identitySettings, type OpenIdentity, openIdentity } from "./index.ts";
import type { Ended, EndReason } from "./types.ts";

const startMs = Date.parse("2026-11-21T12:00:00Z");
const now = startMs / 1000;
const user = (extra: Record<string, unknown> = {}) => ({
  sub: "7f6bd2c1-0000-4000-8000-000000000001",
  role: "authenticated",
  exp: now + 3600,
  ...extra,
});
const browser = { "user-agent": "Mozilla/5.0 (iPhone; CPU iPhone OS 19_0 like Mac OS X)" };

const opened: OpenIdentity[] = [];
const folders: string[] = [];
afterEach(async () => {
  for (const one of opened.splice(0)) one.close();
  for (const folder of folders.splice(0)) await rm(folder, { recursive: true, force: true });
});

async function open(settings: Partial<Values<typeof identitySettings>> = {}) {
  const parent = await mkdtemp(join(tmpdir(), "identity-"));
  folders.push(parent);
  const clock = { ms: startMs, nowMs: (): number => clock.ms };
  const one = await openIdentity({
    keysDir: join(parent, "keys"),
    settings: { ...readSettings(identitySettings, { env: {} }).values, keyPollMs: 0, ...settings },
    observe: () => {},
    clock,
  });
  opened.push(one);
  const outcomeOf = (authorization: string, more: Record<string, string> = {}): string => {
    try {
      return one.identity.identifyBearer({ authorization, ...more }).role;
    } catch (error) {
      if (error instanceof Problem) return `${error.status} ${error.code}`;
      throw error;
    }
  };
  return { ...one, clock, outcomeOf };
}

describe("a bearer alone", () => {
  test("is the user of the token, as with a key beside it", async () => {
    const { identity, signer, keys } = await open();
    const authorization = `Bearer ${signer.sign(user())}`;
    const who = identity.identifyBearer({ authorization });
    expect(who).toMatchObject({ role: "authenticated", subject: user().sub, isAuthenticated: true });
    expect(identity.identifyBearer({ authorization })).toBe(who);
    expect(identity.identify({ apikey: keys.anonKey, authorization }, "")).toBe(who);
  });

  test("may be any of our keys", async () => {
    const { keys, outcomeOf } = await open();
    expect(outcomeOf(`Bearer ${keys.anonKey}`)).toBe("anon");
    expect(outcomeOf(`Bearer ${keys.publishableKey}`)).toBe("anon");
    expect(outcomeOf(`Bearer ${keys.serviceRoleKey}`)).toBe("service_role");
    expect(outcomeOf(`Bearer ${keys.secretKey}`)).toBe("service_role");
    expect(outcomeOf(`bearer  ${keys.secretKey}`)).toBe("service_role");
  });

  test("a key beside it is not looked at", async () => {
    const { identity, signer, keys } = await open();
    const authorization = `Bearer ${signer.sign(user())}`;
    expect(identity.identifyBearer({ authorization, apikey: keys.secretKey }).role).toBe("authenticated");
    expect(identity.identifyBearer({ authorization, apikey: "nobody's" }).role).toBe("authenticated");
    expect(identity.identifyBearer({ apikey: keys.secretKey })).toBe(identity.anonymous);
  });

  test.each([{}, { authorization: "Basic dTpw" }, { authorization: "AWS4-HMAC-SHA256 Credential=x" }])(
    "%j names nobody",
    async (headers) => {
      const { identity } = await open();
      expect(identity.identifyBearer(headers)).toBe(identity.anonymous);
    },
  );

  test("that has expired is refused, also when it was good a moment ago", async () => {
    const { signer, clock, outcomeOf } = await open();
    const authorization = `Bearer ${signer.sign(user({ exp: now + 60 }))}`;
    expect(outcomeOf(authorization)).toBe("authenticated");
    clock.ms += 3_600_000;
    expect(outcomeOf(authorization)).toBe("401 identity/token-expired");
    expect(outcomeOf(authorization)).toBe("401 identity/token-expired");
  });

  test.each([
    ["Bearer", "401 identity/token-invalid"],
    ["Bearer ", "401 identity/token-invalid"],
    ["Bearer garbage", "401 identity/token-invalid"],
    ["Bearer a.b.c", "401 identity/token-invalid"],
    ["Bearer __proto__", "401 identity/token-invalid"],
    ["Bearer sb_secret_none", "401 identity/key-unknown"],
    ["Bearer sb_publishable_0000000000000000000000_00000000", "401 identity/key-unknown"],
  ])("%j is refused", async (authorization, expected) => {
    const { outcomeOf } = await open();
    expect(outcomeOf(authorization)).toBe(expected);
  });

  test("signed by somebody else, or changed, is refused", async () => {
    const [ours, theirs] = [await open(), await open()];
    expect(ours.outcomeOf(`Bearer ${theirs.signer.sign(user())}`)).toBe("401 identity/token-invalid");
    expect(ours.outcomeOf(`Bearer ${theirs.keys.serviceRoleKey}`)).toBe("401 identity/token-invalid");
    expect(ours.outcomeOf(`Bearer ${theirs.keys.secretKey}`)).toBe("401 identity/key-unknown");
    const [head, , signature] = ours.signer.sign(user()).split(".");
    const forged = Buffer.from(JSON.stringify(user({ role: "service_role" }))).toString("base64url");
    expect(ours.outcomeOf(`Bearer ${head}.${forged}.${signature}`)).toBe("401 identity/token-invalid");
  });

  test.each([
    ["session", "identity/session-ended"],
    ["ban", "identity/user-banned"],
    ["deletion", "identity/user-deleted"],
    ["keys", "identity/session-ended"],
  ] as const)("whose %s has ended is refused, also when it was good a moment ago", async (reason, code) => {
    const { signer, refuseEnded, outcomeOf, keys } = await open();
    let tell: () => void = () => {};
    let over: EndReason | null = null;
    const ended: Ended = {
      reasonOf: (principal: Principal) => (principal.subject === user().sub ? over : null),
      onEnded(listener) {
        tell = listener;
        return () => {};
      },
    };
    refuseEnded(ended);
    const authorization = `Bearer ${signer.sign(user())}`;
    expect(outcomeOf(authorization)).toBe("authenticated");
    over = reason;
    tell();
    expect(outcomeOf(authorization)).toBe(`401 ${code}`);
    expect(outcomeOf(`Bearer ${keys.anonKey}`)).toBe("anon");
  });

  test("A28 that is a secret key is refused from a browser", async () => {
    const { keys, outcomeOf, signer } = await open();
    expect(outcomeOf(`Bearer ${keys.secretKey}`)).toBe("service_role");
    expect(outcomeOf(`Bearer ${keys.secretKey}`, browser)).toBe("401 identity/secret-key-in-browser");
    expect(outcomeOf(`Bearer ${keys.serviceRoleKey}`, browser)).toBe("service_role");
    expect(outcomeOf(`Bearer ${keys.publishableKey}`, browser)).toBe("anon");
    expect(outcomeOf(`Bearer ${signer.sign(user())}`, browser)).toBe("authenticated");
    const strict = await open({ refuseServiceKeysInBrowsers: "all" });
    expect(strict.outcomeOf(`Bearer ${strict.keys.serviceRoleKey}`, browser)).toBe(
      "401 identity/secret-key-in-browser",
    );
    const asToken = `Bearer ${strict.signer.sign({ role: "service_role", exp: now + 60 })}`;
    expect(strict.outcomeOf(asToken, browser)).toBe("401 identity/secret-key-in-browser");
    expect(strict.outcomeOf(asToken)).toBe("service_role");
  });
});

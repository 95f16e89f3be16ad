import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Principal } from "../../kernel/principal.ts";
import { readSettings } from "../../kernel/settings.ts";
import { giveTo } from "./given.ts";
import { identitySettings, type OpenIdentity, openIdentity } from "./index.ts";
import { servicePrincipal } from "./service.ts";

const nowMs = 1_000_000;
const user: Principal = {
  role: "authenticated",
  claims: { sub: "u" },
  claimsJson: '{"sub":"u"}',
  subject: "u",
  isAuthenticated: true,
  expiresAtMs: nowMs + 1,
};

let keysDir: string;
let opened: OpenIdentity;
beforeAll(async () => {
  keysDir = await mkdtemp(join(tmpdir(), "given-"));
  const settings = readSettings(identitySettings, { env: {} }).values;
  opened = await openIdentity({ keysDir, settings, observe: () => {}, clock: { nowMs: () => nowMs } });
});
afterAll(async () => {
  opened.close();
  await rm(keysDir, { recursive: true, force: true });
});

const headersFor = (who: Principal) => {
  const headers = {};
  giveTo(headers, who);
  return headers;
};

test("who is given is who asks, and a user is no key", () => {
  const { identity } = opened;
  expect(identity.identify(headersFor(user), "")).toBe(user);
  expect(identity.identifyBearer(headersFor(user))).toBe(user);
  expect(identity.identifyKey(headersFor(user), "")).toBe(identity.anonymous);
  expect(identity.identifyKey(headersFor(servicePrincipal()), "").role).toBe("service_role");
});

test("R01 one that has expired or ended meanwhile is refused, as its token would be", () => {
  const { identity } = opened;
  const expired = { ...user, expiresAtMs: nowMs };
  expect(() => identity.identify(headersFor(expired), "")).toThrow(
    expect.objectContaining({ code: "identity/token-expired" }),
  );
  opened.refuseEnded({ reasonOf: ({ subject }) => (subject === "u" ? "ban" : null), onEnded: () => () => {} });
  expect(() => identity.identify(headersFor(user), "")).toThrow(
    expect.objectContaining({ code: "identity/user-banned" }),
  );
  expect(identity.identify(headersFor(servicePrincipal()), "").role).toBe("service_role");
});

test("nothing that comes over a socket is taken for it", () => {
  const { identity } = opened;
  expect(() => identity.identify({ apikey: "internal", authorization: "Bearer internal" }, "")).toThrow();
  expect(() => identity.identify({ "Symbol(principal)": "x", principal: "x", apikey: "internal" }, "")).toThrow();
});

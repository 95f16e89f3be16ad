import { createHmac, timingSafeEqual } from "node:crypto";
import type { IncomingHttpHeaders, ServerResponse } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { clientId, googleAt, type Issuer, type LocalServer, openIssuer, sendJson, serve } from "./issuer.ts";
import { type AuthServer, newEmail, newPhone, personOf, startAuth, totpCode } from "./server.ts";

/** Threats A30 and X03: whoever we call may lead nowhere, and knows by the signature that it is we who call. */
const key = Buffer.from("a secret of the hooks, 32 bytes..");
const secrets = `v1,whsec_${key.toString("base64")}`;

interface Delivery {
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

/** What must not be reached: a service of this machine's own. */
let inside: LocalServer;
/** Hooks, captcha, SMS webhook and list of breached passwords, in one. */
let outside: LocalServer;
const deliveries: Delivery[] = [];
/** Paths of `outside` that lead inside, and by what status. */
const leading = new Map<string, number>();
let issuer: Issuer;
let service: LocalServer;
const serviceLeads = new Set<string>();
let auth: AuthServer;
let hooked: AuthServer;

const leadInside = (reply: ServerResponse, status: number): void => {
  reply.writeHead(status, { location: `${inside.url}/secret` }).end();
};

const answers: Readonly<Record<string, (body: string) => unknown>> = {
  "/custom-access-token": (body) => ({ claims: JSON.parse(body).claims }),
  "/password-verification": () => ({ decision: "continue" }),
  "/mfa-verification": () => ({ decision: "continue" }),
  "/captcha": () => ({ success: true }),
};

beforeAll(async () => {
  inside = await serve((_, reply) =>
    sendJson(reply, { success: true, decision: "continue", id: 1, access_token: "stolen", keys: [] }),
  );
  outside = await serve((request, reply, body) => {
    const path = new URL(request.url ?? "/", "http://local").pathname;
    deliveries.push({ path, headers: request.headers, body });
    const status = leading.get(path.startsWith("/range/") ? "/range" : path);
    if (status !== undefined) return leadInside(reply, status);
    if (path.startsWith("/range/"))
      return reply.writeHead(200, { "content-type": "text/plain" }).end(`${"0".repeat(35)}:3`);
    return sendJson(reply, answers[path]?.(body) ?? {});
  });
  service = await serve((request, reply) => {
    const path = new URL(request.url ?? "/", "http://local").pathname;
    if (serviceLeads.has(path)) return leadInside(reply, 302);
    if (path === "/token") return sendJson(reply, { access_token: "x", token_type: "bearer" });
    return sendJson(reply, { id: "7", email: newEmail(), verified: true });
  });
  issuer = await openIssuer();
  const hook = (name: string) => `${outside.url}/${name}`;
  [auth, hooked] = await Promise.all([
    startAuth({
      auth: {
        ...googleAt(issuer),
        providers: {
          "custom:plain": {
            client_id: clientId,
            secret: "plain-secret",
            authorization_url: `${service.url}/authorize`,
            token_url: `${service.url}/token`,
            userinfo_url: `${service.url}/userinfo`,
          },
        },
        captchaEnabled: true,
        captchaSecret: "captcha-secret",
        captchaUrl: `${outside.url}/captcha`,
        passwordHibp: true,
        passwordHibpFailClosed: true,
        passwordHibpUrl: outside.url,
      },
    }),
    startAuth({
      outbox: { outboxRetryFirstMs: 50 },
      auth: {
        inbox: "off",
        smsProvider: "webhook",
        smsUrl: `${outside.url}/sms`,
        smsWebhookSecret: secrets,
        customAccessTokenHookEnabled: true,
        customAccessTokenHookUri: hook("custom-access-token"),
        customAccessTokenHookSecrets: secrets,
        beforeUserCreatedHookEnabled: true,
        beforeUserCreatedHookUri: hook("before-user-created"),
        beforeUserCreatedHookSecrets: secrets,
        afterUserCreatedHookEnabled: true,
        afterUserCreatedHookUri: hook("after-user-created"),
        afterUserCreatedHookSecrets: secrets,
        passwordVerificationHookEnabled: true,
        passwordVerificationHookUri: hook("password-verification"),
        passwordVerificationHookSecrets: secrets,
        mfaVerificationHookEnabled: true,
        mfaVerificationHookUri: hook("mfa-verification"),
        mfaVerificationHookSecrets: secrets,
        sendEmailHookEnabled: true,
        sendEmailHookUri: hook("send-email"),
        sendEmailHookSecrets: secrets,
      },
    }),
  ]);
});
afterAll(async () => {
  await Promise.all([auth.stop(), hooked.stop(), issuer.close(), service.close(), outside.close(), inside.close()]);
});
afterEach(() => {
  leading.clear();
  serviceLeads.clear();
  issuer.faults.clear();
});

const delivered = async (path: string): Promise<Delivery> => {
  for (const until = Date.now() + 30_000; Date.now() < until; await sleep(20)) {
    const found = deliveries.findLast((each) => each.path === path);
    if (found !== undefined) return found;
  }
  throw new Error(`Nothing came to ${path}.`);
};
/** A captcha is solved once for each call. */
const human = () => ({ gotrue_meta_security: { captcha_token: `solved ${newEmail()}` } });
const statuses = [301, 302, 303, 307, 308] as const;

describe("A30 a redirect of whoever we ask is not followed", () => {
  const begin = async (provider: string): Promise<URLSearchParams> => {
    const begun = await auth.ask("GET", `/authorize?provider=${provider}`);
    return new URL(begun.headers.get("location") ?? "http://none").searchParams;
  };

  test.each(["/.well-known/openid-configuration", "/token", "/keys"])("A30 of an OpenID issuer: %s", async (path) => {
    for (const status of [302, 307]) {
      // Another node, which has not asked before: what was found once is remembered.
      const fresh = await openIssuer();
      fresh.faults.set(path, (_, reply) => leadInside(reply, status));
      const node = await startAuth({ auth: googleAt(fresh) });
      const begun = await node.ask("GET", "/authorize?provider=google");
      const query = new URL(begun.headers.get("location") ?? "http://none").searchParams;
      const [state, nonce] = [query.get("state"), query.get("nonce")];
      const code = fresh.codeFor({ sub: "1", email: newEmail(), email_verified: true, nonce });
      const back = await node.ask("GET", `/callback?state=${state}&code=${code}`);
      expect(back.headers.get("location")).not.toContain("access_token");
      const idToken = fresh.idToken({ sub: "1", email: newEmail(), email_verified: true });
      const granted = await node.post("/token?grant_type=id_token", { provider: "google", id_token: idToken });
      expect(granted.status).toBe(path === "/token" ? 200 : 503);
      expect(fresh.asked).toContain(path);
      await Promise.all([node.stop(), fresh.close()]);
    }
    expect(inside.asked).toEqual([]);
  });

  test.each(["/token", "/userinfo"])("A30 of a plain OAuth service: %s", async (path) => {
    serviceLeads.add(path);
    const state = (await begin("custom:plain")).get("state");
    const back = await auth.ask("GET", `/callback?state=${state}&code=x`);
    expect(back.headers.get("location")).toMatch(/error=/);
    expect([service.asked.includes(path), inside.asked]).toEqual([true, []]);
  });

  test.each(statuses)("A30 of the captcha's and the breached passwords' providers, by %i", async (status) => {
    leading.set("/captcha", status);
    const refused = await auth.post("/signup", { email: newEmail(), password: "correct horse 8", ...human() });
    expect(refused.status).toBeGreaterThanOrEqual(400);
    leading.clear();
    leading.set("/range", status);
    const closed = await auth.post("/signup", { email: newEmail(), password: `correct horse ${status}`, ...human() });
    expect(closed.status).toBeGreaterThanOrEqual(400);
    expect(deliveries.some(({ path }) => path.startsWith("/range/"))).toBe(true);
    leading.clear();
    const done = await auth.post("/signup", { email: newEmail(), password: "correct horse 8", ...human() });
    expect(done.status).toBe(200);
    expect(inside.asked).toEqual([]);
  });

  test.each(statuses)("A30 of hooks and of the SMS webhook, by %i", async (status) => {
    const paths = [
      "/custom-access-token",
      "/before-user-created",
      "/after-user-created",
      "/password-verification",
      "/mfa-verification",
      "/send-email",
      "/sms",
    ];
    const password = "correct horse 8";
    const made = await hooked.admin("POST", "/admin/users", { email: newEmail(), password, email_confirm: true });
    const { email } = made.body;
    const person = personOf(await hooked.post("/token?grant_type=password", { email, password }), email, password);
    const { body: factor } = await hooked.post("/factors", { factor_type: "totp" }, person.token);
    const { body: challenge } = await hooked.post(`/factors/${factor.id}/challenge`, {}, person.token);
    deliveries.length = 0;
    const ask: Readonly<Record<string, () => Promise<{ readonly status: number }>>> = {
      "/custom-access-token": () =>
        hooked.post("/token?grant_type=refresh_token", { refresh_token: person.refreshToken }),
      "/before-user-created": () => hooked.post("/signup", { email: newEmail(), password }),
      "/after-user-created": () => hooked.post("/signup", { email: newEmail(), password }),
      "/password-verification": () => hooked.post("/token?grant_type=password", { email, password }),
      "/mfa-verification": () =>
        hooked.post(
          `/factors/${factor.id}/verify`,
          { challenge_id: challenge.id, code: totpCode(factor.totp.secret) },
          person.token,
        ),
      "/send-email": () => hooked.post("/recover", { email }),
      "/sms": () => hooked.post("/otp", { phone: newPhone() }),
    };
    for (const path of paths) {
      leading.clear();
      leading.set(path, status);
      const reply = await ask[path]!();
      // What is only told, or delivered later, cannot refuse.
      const isTold = ["/after-user-created", "/send-email", "/sms"].includes(path);
      expect.soft(reply.status < 300, path).toBe(isTold);
      await delivered(path);
    }
    expect(inside.asked).toEqual([]);
  });
});

describe("X03 what we call can know that it is we", () => {
  const isSigned = ({ headers, body }: Delivery, by = key): boolean => {
    const signed = `${headers["webhook-id"]}.${headers["webhook-timestamp"]}.${body}`;
    const expected = createHmac("sha256", by).update(signed).digest();
    return String(headers["webhook-signature"])
      .split(" ")
      .some((entry) => {
        const given = Buffer.from(entry.replace(/^v1,/, ""), "base64");
        return given.length === expected.length && timingSafeEqual(given, expected);
      });
  };

  test("X03 every hook is signed over its bytes and its time, and a flipped byte, another time or another key is not", async () => {
    deliveries.length = 0;
    const password = "correct horse 8";
    const made = await hooked.admin("POST", "/admin/users", { email: newEmail(), password, email_confirm: true });
    const { email } = made.body;
    const { body } = await hooked.post("/token?grant_type=password", { email, password });
    const { body: factor } = await hooked.post("/factors", { factor_type: "totp" }, body.access_token);
    const { body: challenge } = await hooked.post(`/factors/${factor.id}/challenge`, {}, body.access_token);
    const answer = { challenge_id: challenge.id, code: totpCode(factor.totp.secret) };
    await hooked.post(`/factors/${factor.id}/verify`, answer, body.access_token);
    await hooked.post("/recover", { email });
    await hooked.post("/otp", { phone: newPhone() });
    const paths = [
      "/custom-access-token",
      "/before-user-created",
      "/after-user-created",
      "/password-verification",
      "/mfa-verification",
      "/send-email",
      "/sms",
    ];
    for (const path of paths) {
      const delivery = await delivered(path);
      expect.soft(isSigned(delivery), path).toBe(true);
      const age = Date.now() / 1000 - Number(delivery.headers["webhook-timestamp"]);
      expect.soft(Math.abs(age), path).toBeLessThan(60);
      expect.soft(String(delivery.headers["webhook-id"]).length, path).toBeGreaterThan(8);
      const flipped = delivery.body.replace(/[a-z]/, (letter) => (letter === "a" ? "b" : "a"));
      expect.soft(isSigned({ ...delivery, body: flipped }), path).toBe(false);
      // The same value in other bytes: a receiver has to verify what came, not what it read.
      const reserialized = JSON.stringify(JSON.parse(delivery.body), null, 1);
      expect.soft(isSigned({ ...delivery, body: reserialized }), path).toBe(false);
      const later = {
        ...delivery.headers,
        "webhook-timestamp": String(Number(delivery.headers["webhook-timestamp"]) + 1),
      };
      expect.soft(isSigned({ ...delivery, headers: later }), path).toBe(false);
      expect
        .soft(isSigned({ ...delivery, headers: { ...delivery.headers, "webhook-id": "another" } }), path)
        .toBe(false);
      expect.soft(isSigned(delivery, Buffer.from("another secret, 32 bytes long....")), path).toBe(false);
    }
    expect(new Set(deliveries.map(({ headers }) => headers["webhook-id"])).size).toBe(deliveries.length);
  });
});

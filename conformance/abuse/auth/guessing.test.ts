import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { googleAt, type Issuer, openIssuer } from "./issuer.ts";
import { type AuthServer, newEmail, newPhone, type Person, startAuth } from "./server.ts";

/** Threats A12 and A13: what is counted, and whether a caller can make it count for somebody else. */
const few = 3;
const limits = {
  rateLimits: true,
  rateLimitSignIn: few,
  rateLimitRefresh: few,
  rateLimitRefreshBurst: few,
  rateLimitAnonymous: few,
  rateLimitVerify: few,
  rateLimitOtp: few,
  rateLimitMfa: few,
  rateLimitPasskey: few,
  rateLimitOauth: few,
  rateLimitMail: 10_000,
  rateLimitSms: 10_000,
};

let issuer: Issuer;
/** Nobody stands before it. */
let direct: AuthServer;
/** Behind a proxy of ours on this machine, and another one at 10.1.2.3. */
let proxied: AuthServer;
let person: Person;
beforeAll(async () => {
  issuer = await openIssuer();
  const auth = { ...googleAt(issuer), ...limits };
  [direct, proxied] = await Promise.all([
    startAuth({ auth }),
    startAuth({ auth, http: { trustedProxies: ["loopback", "10.0.0.0/8"] } }),
  ]);
  person = await direct.newPerson();
});
afterAll(async () => {
  await Promise.all([direct.stop(), proxied.stop(), issuer.close()]);
});

/** Everything by which callers say who they are. */
const claimed = (at: number): Record<string, string> => {
  const ip = `198.51.${at}.${at}`;
  return {
    "x-forwarded-for": at % 2 ? ip : `${ip}, 203.0.113.${at}`,
    forwarded: `for=${ip}`,
    "x-real-ip": ip,
    "x-client-ip": ip,
    "true-client-ip": ip,
    "cf-connecting-ip": ip,
    "fastly-client-ip": ip,
    "x-cluster-client-ip": ip,
    "x-forwarded": ip,
    via: `1.1 proxy${at}`,
    "user-agent": `agent ${at}`,
    "x-client-info": `client/${at}`,
    "x-request-id": `request-${at}`,
    cookie: `attempts=0; session=${at}`,
    "accept-language": `x-${at}`,
    "sb-forwarded-for": ip,
  };
};

const id = "00000000-0000-4000-8000-000000000000";
type Ask = (at: number) => readonly [method: string, path: string, body: unknown, needsToken?: true];

/** Entrances, by what they are counted as. */
const entrances: Readonly<Record<string, readonly Ask[]>> = {
  "sign-ins": [
    () => ["POST", "/signup", { email: newEmail(), password: "correct horse 8" }],
    (at) => ["POST", "/token?grant_type=password", { email: newEmail(), password: `wrong ${at}`, ip: at }],
    () => ["POST", "/token?grant_type=pkce", { auth_code: id, code_verifier: "x" }],
    () => ["POST", "/token?grant_type=id_token", { provider: "google", id_token: "x" }],
  ],
  "anonymous sign-ins": [(at) => ["POST", "/signup", { data: { at } }]],
  refreshes: [(at) => ["POST", "/token?grant_type=refresh_token", { refresh_token: "x".repeat(20 + at) }]],
  "messages asked for": [
    () => ["POST", "/otp", { email: newEmail() }],
    () => ["POST", "/otp", { phone: newPhone() }],
    () => ["POST", "/magiclink", { email: newEmail() }],
    () => ["POST", "/recover", { email: newEmail() }],
    () => ["POST", "/resend", { type: "signup", email: newEmail() }],
  ],
  "codes tried": [
    () => ["POST", "/verify", { type: "email", email: newEmail(), token: "000000" }],
    () => ["POST", "/verify", { type: "sms", phone: newPhone(), token: "000000" }],
    (at) => ["POST", "/verify", { type: "signup", token_hash: `x${at}` }],
    (at) => ["POST", "/passkeys/authentication/verify", { challenge_id: id, credential: { id: String(at) } }],
  ],
  "second factors": [
    () => ["POST", "/factors", { factor_type: "totp", friendly_name: newEmail() }, true],
    () => ["POST", `/factors/${id}/verify`, { challenge_id: id, code: "000000" }, true],
    () => ["POST", "/factors/recovery-codes/verify", { code: "x" }, true],
  ],
  "passkey ceremonies": [() => ["POST", "/passkeys/authentication/options", {}]],
  "sign-ins with providers": [
    (at) => ["GET", `/authorize?provider=google&at=${at}`, undefined],
    () => ["GET", `/callback?state=${id}&code=x`, undefined],
  ],
};

const statusOf = async (server: AuthServer, ask: Ask, at: number, headers: Record<string, string>) => {
  const [method, path, body, needsToken] = ask(at);
  const token = needsToken ? person.token : undefined;
  const reply = await server.ask(method, path, { body, token, headers });
  const location = reply.headers.get("location") ?? "";
  return reply.status === 429 || location.includes("over_request_rate_limit") ? 429 : reply.status;
};

describe("A12 A13 a caller's own word counts for nothing", () => {
  test.each(Object.entries(entrances))(
    "A12 A13 %s: one network has what it has, whatever headers, bodies and cookies say",
    async (_what, asks) => {
      const statuses: number[] = [];
      for (let at = 1; at <= few * 3; at++) {
        for (const ask of asks) statuses.push(await statusOf(direct, ask, at, claimed(at)));
      }
      // What this machine did before it counts too: at most so many are let in.
      const isLetIn = (status: number): boolean => status !== 429;
      expect(statuses.filter(isLetIn).length).toBeLessThanOrEqual(few);
      expect(statuses.slice(few).every((status) => status === 429)).toBe(true);
      expect(statuses.filter((status) => status >= 500)).toEqual([]);
    },
  );

  test("A13 behind proxies of ours the rightmost hop that is none of ours counts, and what stands left of it does not", async () => {
    const ask: Ask = () => ["POST", "/token?grant_type=pkce", { auth_code: id, code_verifier: "x" }];
    const chain = async (victim: string, forge: (at: number) => string) => {
      const statuses: number[] = [];
      for (let at = 1; at <= few * 3; at++) {
        statuses.push(await statusOf(proxied, ask, at, { ...claimed(at), "x-forwarded-for": `${forge(at)}${victim}` }));
      }
      return statuses.filter((status) => status !== 429).length;
    };
    expect(await chain("192.0.2.1", (at) => `198.51.100.${at}, `)).toBe(few);
    expect(await chain("192.0.2.2, 10.1.2.3", (at) => `198.51.100.${at}, 203.0.113.${at}, `)).toBe(few);
    expect(await chain("192.0.2.3", (at) => `unknown, _hidden${at}, "[2001:db8::${at}]:80", `)).toBe(few);
    expect(await chain("192.0.2.4, ::ffff:10.1.2.3", (at) => `${"1.1.1.1, ".repeat(at * 20)}`)).toBe(few);
    // A subscriber's IPv6 network is one, whichever of its addresses comes.
    const rotating = await Promise.all(
      Array.from({ length: few * 3 }, (_, at) =>
        statusOf(proxied, ask, at, { "x-forwarded-for": `2001:db8:7:7:${at}:${at}::${at}` }),
      ),
    );
    expect(rotating.filter((status) => status !== 429).length).toBe(few);
    // Two real callers are two.
    expect(await chain("192.0.2.5", () => "")).toBe(few);
  });
});

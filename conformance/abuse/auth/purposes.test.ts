import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { googleAt, type Issuer, openIssuer, s256 } from "./issuer.ts";
import { type AuthServer, newEmail, newPhone, type Person, type Reply, startAuth, totpCode } from "./server.ts";

/** Threat A11: whatever opens one thing is tried on everything else. */
let issuer: Issuer;
let auth: AuthServer;
beforeAll(async () => {
  issuer = await openIssuer();
  auth = await startAuth({
    auth: {
      ...googleAt(issuer),
      passwordReauthentication: true,
      codeMaxAttempts: 100,
      mfaChallengeAttempts: 100,
    },
  });
});
afterAll(async () => {
  await Promise.all([auth.stop(), issuer.close()]);
});

const verifier = "verifier-".repeat(6);
const emailTypes = [
  "signup",
  "invite",
  "magiclink",
  "recovery",
  "email",
  "email_change",
  "email_change_current",
  "email_change_new",
];
const phoneTypes = ["sms", "phone_change"];

/** Something that opens something. */
interface Secret {
  readonly kind: string;
  readonly value: string;
  /** Where it was sent, or whose it is. */
  readonly address: string;
  /** Names of ways in that take it. */
  readonly opens: readonly string[];
}

interface Way {
  readonly name: string;
  redeem(secret: Secret): Promise<Reply>;
}

const asToken = (types: readonly string[]) => types.map((type) => `token_hash as ${type}`);
const asCode = (types: readonly string[]) => types.map((type) => `code as ${type}`);
const signIns = ["signup", "magiclink", "email"];

describe("A11 what opens one thing", () => {
  test("A11 opens nothing else, and still opens that", async () => {
    const [person, guarded] = [await auth.newPerson(), await auth.newPerson()];
    await auth.sql("update auth.sessions set created_at = now() - interval '2 days' where user_id = $1", [person.id]);
    const { factorId, challengeId, sms, ...more } = await secretsOf(person, guarded);
    const secrets = [...more.secrets, sms];
    const ways = waysOf(person, guarded, { factorId, challengeId });
    const names = new Set(ways.map(({ name }) => name));
    expect(secrets.flatMap(({ opens }) => opens).filter((name) => !names.has(name))).toEqual([]);

    for (const secret of secrets) {
      expect(secret.value, secret.kind).not.toBe("");
      for (const way of ways.filter(({ name }) => !secret.opens.includes(name))) {
        const reply = await way.redeem(secret);
        expect.soft(isIn(reply), `${secret.kind} by ${way.name}: ${reply.status} ${reply.text}`).toBe(false);
        expect.soft(reply.status, `${secret.kind} by ${way.name}`).toBeLessThan(500);
      }
    }
    // Nothing was used up by being tried where it does not belong.
    for (const secret of secrets) {
      const [name] = secret.opens;
      if (name === undefined) continue;
      const reply = await ways.find((way) => way.name === name)!.redeem(secret);
      expect.soft(isIn(reply), `${secret.kind} by ${name}: ${reply.status} ${reply.text}`).toBe(true);
    }
    expect(secrets.length * ways.length).toBeGreaterThan(500);
  });

  async function secretsOf(person: Person, guarded: Person) {
    const secrets: Secret[] = [];
    const signedUp = newEmail();
    await auth.post("/signup", { email: signedUp, password: "correct horse 7" });
    const fresh = await auth.received(signedUp);
    secrets.push({ kind: "sign-up code", value: fresh.otp, address: signedUp, opens: asCode(signIns) });

    const invited = newEmail();
    await auth.admin("POST", "/invite", { email: invited });
    const invitation = (await auth.received(invited)).link.get("token") ?? "";
    const opensInvite = [...asToken(["invite"]), "invite_token of a provider's sign-in"];
    secrets.push({ kind: "invitation", value: invitation, address: invited, opens: opensInvite });

    await auth.post("/otp", { email: person.email });
    const magic = await auth.received(person.email);
    secrets.push({ kind: "magic link's code", value: magic.otp, address: person.email, opens: asCode(signIns) });
    await auth.post("/otp", { email: guarded.email });
    const link = (await auth.received(guarded.email)).link.get("token") ?? "";
    secrets.push({ kind: "magic link", value: link, address: guarded.email, opens: asToken(signIns) });

    const third = await auth.newPerson();
    await auth.post("/recover", { email: person.email });
    const recovery = await auth.received(person.email);
    secrets.push({
      kind: "recovery's code",
      value: recovery.otp,
      address: person.email,
      opens: asCode(["recovery"]),
    });
    await auth.post("/recover", { email: third.email });
    const lost = (await auth.received(third.email)).link.get("token") ?? "";
    secrets.push({ kind: "recovery's link", value: lost, address: third.email, opens: asToken(["recovery"]) });

    const changed = newEmail();
    const fourth = await auth.newPerson();
    await auth.ask("PUT", "/user", { token: fourth.token, body: { email: changed } });
    const old = await auth.received(fourth.email);
    secrets.push({
      kind: "half of a change, old address",
      value: old.link.get("token") ?? "",
      address: fourth.email,
      opens: asToken(["email_change", "email_change_current"]),
    });
    const other = await auth.received(changed);
    secrets.push({
      kind: "half of a change, new address",
      value: other.otp,
      address: changed,
      opens: asCode(["email_change", "email_change_new"]),
    });

    const generated = await auth.newPerson();
    const made = await auth.admin("POST", "/admin/generate_link", { type: "recovery", email: generated.email });
    secrets.push({
      kind: "generated link",
      value: made.body.hashed_token,
      address: generated.email,
      opens: asToken(["recovery"]),
    });

    const phone = newPhone();
    await auth.post("/otp", { phone });
    const sms = {
      kind: "code by text message",
      value: (await auth.received(phone)).otp,
      address: phone,
      opens: asCode(["sms"]),
    };
    const number = newPhone();
    await auth.ask("PUT", "/user", { token: person.token, body: { phone: `+${number}` } });
    const change = (await auth.received(number)).otp;
    secrets.push({ kind: "new number's code", value: change, address: number, opens: asCode(["phone_change"]) });

    await auth.ask("GET", "/reauthenticate", { token: person.token });
    const nonce = (await auth.received(person.email)).otp;
    secrets.push({
      kind: "nonce",
      value: nonce,
      address: person.email,
      opens: ["nonce of a new password", "nonce of a deletion"],
    });

    const pkce = await auth.newPerson();
    await auth.post("/otp", { email: pkce.email, code_challenge: s256(verifier), code_challenge_method: "s256" });
    const led = await auth.ask("GET", `/verify?${(await auth.received(pkce.email)).link}`);
    const code = new URL(led.headers.get("location")!).searchParams.get("code") ?? "";
    secrets.push({ kind: "redirect's code", value: code, address: pkce.email, opens: ["auth_code"] });

    const begun = await auth.ask("GET", "/authorize?provider=google");
    const state = new URL(begun.headers.get("location")!).searchParams.get("state") ?? "";
    secrets.push({ kind: "state", value: state, address: "", opens: ["state of a callback"] });

    const { body: factor } = await auth.post("/factors", { factor_type: "totp" }, guarded.token);
    const { body: challenge } = await auth.post(`/factors/${factor.id}/challenge`, {}, guarded.token);
    const { secret } = factor.totp as { secret: string };
    const opensFactor = ["code of a factor"];
    secrets.push({
      kind: "authenticator's code",
      value: totpCode(secret),
      address: guarded.email,
      opens: opensFactor,
    });
    const { body: textFactor } = await auth.post(
      "/factors",
      { factor_type: "phone", phone: `+${newPhone()}`, friendly_name: "phone" },
      guarded.token,
    );
    const factorPhone = textFactor.phone.slice(1);
    await auth.post(`/factors/${textFactor.id}/challenge`, {}, guarded.token);
    // Of another factor than the one that is tried: it opens nothing here.
    const texted = await auth.received(factorPhone);
    secrets.push({ kind: "factor's code by text message", value: texted.otp, address: factorPhone, opens: [] });

    const { body: options } = await auth.post("/passkeys/authentication/options", {});
    secrets.push({ kind: "passkey challenge", value: options.challenge_id, address: "", opens: [] });
    secrets.push({ kind: "factor challenge", value: challenge.id, address: "", opens: [] });
    secrets.push({ kind: "access token", value: third.token, address: third.email, opens: ["bearer token"] });
    secrets.push({
      kind: "refresh token",
      value: fourth.refreshToken,
      address: fourth.email,
      opens: ["refresh token"],
    });
    return { secrets, sms, factorId: factor.id as string, challengeId: challenge.id as string };
  }

  function waysOf(person: Person, guarded: Person, of: { readonly factorId: string; readonly challengeId: string }) {
    const post = (path: string, body: unknown, token?: string) => auth.post(path, body, token);
    const ways: Way[] = [
      ...emailTypes.flatMap((type): Way[] => [
        {
          name: `code as ${type}`,
          redeem: ({ value, address }) =>
            post("/verify", { type, token: value, email: address.includes("@") ? address : person.email }),
        },
        { name: `token_hash as ${type}`, redeem: ({ value }) => post("/verify", { type, token_hash: value }) },
      ]),
      ...phoneTypes.map(
        (type): Way => ({
          name: `code as ${type}`,
          redeem: ({ value, address }) =>
            post("/verify", { type, token: value, phone: /^\d+$/.test(address) ? address : "15550000000" }),
        }),
      ),
      {
        name: "auth_code",
        redeem: ({ value }) => post("/token?grant_type=pkce", { auth_code: value, code_verifier: verifier }),
      },
      {
        name: "refresh token",
        redeem: ({ value }) => post("/token?grant_type=refresh_token", { refresh_token: value }),
      },
      {
        name: "id token",
        redeem: ({ value }) => post("/token?grant_type=id_token", { provider: "google", id_token: value }),
      },
      {
        name: "password",
        redeem: ({ value, address }) => post("/token?grant_type=password", { email: address, password: value }),
      },
      {
        name: "code of a factor",
        redeem: ({ value }) =>
          post(`/factors/${of.factorId}/verify`, { challenge_id: of.challengeId, code: value }, guarded.token),
      },
      {
        name: "challenge of a factor",
        redeem: ({ value }) =>
          post(`/factors/${of.factorId}/verify`, { challenge_id: value, code: "000000" }, guarded.token),
      },
      {
        name: "recovery code",
        redeem: ({ value }) => post("/factors/recovery-codes/verify", { code: value }, guarded.token),
      },
      {
        name: "nonce of a new password",
        redeem: ({ value }) =>
          auth.ask("PUT", "/user", { token: person.token, body: { password: "another horse 8", nonce: value } }),
      },
      {
        name: "nonce of a deletion",
        redeem: ({ value }) => auth.ask("DELETE", "/user", { token: person.token, body: { nonce: value } }),
      },
      {
        name: "state of a callback",
        redeem: ({ value }) => auth.ask("GET", `/callback?state=${encodeURIComponent(value)}&code=x`),
      },
      {
        name: "invite_token of a provider's sign-in",
        redeem: ({ value }) => auth.ask("GET", `/authorize?provider=google&invite_token=${encodeURIComponent(value)}`),
      },
      {
        name: "passkey challenge",
        redeem: ({ value }) =>
          post("/passkeys/authentication/verify", {
            challenge_id: value,
            credential: { id: "AAAA", rawId: "AAAA", type: "public-key", response: {}, clientExtensionResults: {} },
          }),
      },
      { name: "bearer token", redeem: ({ value }) => auth.ask("GET", "/user", { token: value }) },
      { name: "key", redeem: ({ value }) => auth.ask("GET", "/settings", { headers: { apikey: value } }) },
    ];
    return ways;
  }
});

/** Whether somebody got somewhere: an answer that is no refusal, or a redirect of another kind than "never heard of it". */
function isIn({ status, headers }: Reply): boolean {
  const location = headers.get("location");
  if (location === null || status >= 400) return status < 300;
  // A right state is used up by the made-up code that comes with it; it is the provider that refuses that one, not we.
  return !/error_code=bad_oauth_state/.test(location);
}

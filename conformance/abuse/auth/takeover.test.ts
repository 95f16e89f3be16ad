import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { googleAt, type Issuer, openIssuer } from "./issuer.ts";
import { type AuthServer, newEmail, type Reply, startAuth } from "./server.ts";

/** Threats A05 and A06: one address, claimed by two. Whoever has shown that it is theirs ends as its only owner. */
let issuer: Issuer;
let second: Issuer;
let auth: AuthServer;
beforeAll(async () => {
  [issuer, second] = await Promise.all([openIssuer(), openIssuer()]);
  auth = await startAuth({
    auth: {
      ...googleAt(issuer),
      providers: { "custom:second": { client_id: "second-client", secret: "second-secret", issuer: second.url } },
    },
  });
});
afterAll(async () => {
  await Promise.all([auth.stop(), issuer.close(), second.close()]);
});

/** How somebody comes from a provider: with the phone's token, or through the browser. */
type Way = "id token" | "redirect";
type Provider = "google" | "custom:second";
const ways: readonly Way[] = ["id token", "redirect"];
const providers: readonly Provider[] = ["google", "custom:second"];

interface Arrived {
  readonly token: string | null;
  readonly refreshToken: string | null;
}

async function arrive(way: Way, provider: Provider, claims: Record<string, unknown>): Promise<Arrived> {
  const from = provider === "google" ? issuer : second;
  const audience = provider === "google" ? {} : { aud: "second-client" };
  if (way === "id token") {
    const id_token = from.idToken({ ...audience, ...claims });
    const { body } = await auth.post("/token?grant_type=id_token", { provider, id_token });
    return { token: body.access_token ?? null, refreshToken: body.refresh_token ?? null };
  }
  const begun = await auth.ask("GET", `/authorize?provider=${provider}`);
  const query = new URL(begun.headers.get("location")!).searchParams;
  const code = from.codeFor({ ...audience, ...claims, nonce: query.get("nonce") });
  const back = await auth.ask("GET", `/callback?state=${query.get("state")}&code=${code}`);
  const facts = new URLSearchParams(new URL(back.headers.get("location")!).hash.slice(1));
  return { token: facts.get("access_token"), refreshToken: facts.get("refresh_token") };
}

const me = async (token: string | null): Promise<Reply["body"] | null> => {
  const { status, body } = await auth.ask("GET", "/user", { token: token ?? "" });
  return status === 200 ? body : null;
};
const canSignIn = async (email: string, password: string): Promise<boolean> =>
  (await auth.post("/token?grant_type=password", { email, password })).status === 200;
const isAlive = async ({ token, refreshToken }: Arrived): Promise<boolean> => {
  if ((await me(token)) !== null) return true;
  return (await auth.post("/token?grant_type=refresh_token", { refresh_token: refreshToken ?? "x" })).status === 200;
};

const unproven = [
  ["says it is not verified", false],
  ["does not say", undefined],
  ["says null", null],
  ["says a number", 1],
  ["says an object", { valueOf: true }],
  ["says something else", "yes"],
] as const;

describe("A05 A06 one address and two who claim it", () => {
  const cases = ways.flatMap((way) => providers.map((provider) => [way, provider] as const));

  test.each(cases)("A05 by %s of %s: a stranger's sign-up leaves nothing to the stranger", async (way, provider) => {
    const email = newEmail();
    const password = "the stranger's horse 8";
    await auth.post("/signup", { email, password, data: { name: "stranger" } });
    const before = await auth.received(email);
    const owner = await arrive(way, provider, { sub: `owner-${email}`, email, email_verified: true });
    const user = await me(owner.token);
    expect([user?.email, user?.identities.map((each: { provider: string }) => each.provider)]).toEqual([
      email,
      expect.not.arrayContaining(["email"]),
    ]);
    expect(await canSignIn(email, password)).toBe(false);
    // Nor does the mail that the stranger had sent open it with the stranger's password.
    await auth.post("/verify", { type: "signup", token_hash: before.link.get("token") });
    expect(await canSignIn(email, password)).toBe(false);
    expect(JSON.stringify(await me(owner.token))).not.toContain("stranger");
  });

  test.each(cases)("A06 by %s of %s: a verified address on both sides is one person", async (way, provider) => {
    const person = await auth.newPerson();
    const claims = { sub: `s-${person.email}`, email: person.email, email_verified: true };
    const arrived = await arrive(way, provider, claims);
    expect((await me(arrived.token))?.id).toBe(person.id);
    // And stays one when the provider's address changes: the subject decides.
    const moved = await arrive(way, provider, { ...claims, email: newEmail() });
    expect((await me(moved.token))?.id).toBe(person.id);
  });

  test.each(cases.flatMap((each) => unproven.map(([what, value]) => [...each, what, value] as const)))(
    "A06 by %s of %s that %s: no way into the account with this address",
    async (way, provider, _what, value) => {
      const person = await auth.newPerson();
      const before = await auth.sql("select to_jsonb(u) - 'recovery_sent_at' as u from auth.users u where id = $1", [
        person.id,
      ]);
      const claims = { sub: `s-${person.email}`, email: person.email, email_verified: value };
      const arrived = await arrive(way, provider, claims);
      expect((await me(arrived.token))?.id).not.toBe(person.id);
      const identities = await auth.sql("select provider from auth.identities where user_id = $1", [person.id]);
      expect(identities).toEqual([{ provider: "email" }]);
      expect(
        await auth.sql("select to_jsonb(u) - 'recovery_sent_at' as u from auth.users u where id = $1", [person.id]),
      ).toEqual(before);
      // A claim the caller adds beside the token counts for nothing.
      const id_token = (provider === "google" ? issuer : second).idToken({
        ...(provider === "google" ? {} : { aud: "second-client" }),
        ...claims,
      });
      const beside = { email: person.email, email_verified: true, user: { email_verified: true } };
      const reply = await auth.post("/token?grant_type=id_token", { provider, id_token, ...beside });
      expect(reply.body.user?.id).not.toBe(person.id);
    },
  );

  test.each(cases)(
    "A05 by %s of %s: who came first and vouched for by nobody goes when the owner proves the address",
    async (way, provider) => {
      const email = newEmail();
      const stranger = await arrive(way, provider, { sub: `stranger-${email}`, email, email_verified: false });
      // The address is nobody's yet, so there is no session to it.
      expect(await me(stranger.token)).toBeNull();
      const other: Provider = provider === "google" ? "custom:second" : "google";
      const owner = await arrive(way, other, { sub: `owner-${email}`, email, email_verified: true });
      const user = await me(owner.token);
      expect([user?.email, user?.identities.map((each: { provider: string }) => each.provider)]).toEqual([
        email,
        [other],
      ]);
      expect(await isAlive(stranger)).toBe(false);
      const again = await arrive(way, provider, { sub: `stranger-${email}`, email, email_verified: false });
      expect((await me(again.token))?.id).not.toBe(user.id);
    },
  );

  test("A05 by a code: the owner's mailbox takes the account from whoever signed up first", async () => {
    for (const path of ["/otp", "/recover"] as const) {
      const email = newEmail();
      const password = "the stranger's horse 8";
      await auth.post("/signup", { email, password, data: { name: "stranger" } });
      await auth.received(email);
      await auth.post(path, { email });
      const { otp } = await auth.received(email);
      const type = path === "/otp" ? "email" : "recovery";
      const owner = await auth.post("/verify", { type, email, token: otp });
      expect([owner.status, owner.body.user.email]).toEqual([200, email]);
      expect(await canSignIn(email, password)).toBe(false);
    }
  });
});

import { createHmac, randomUUID } from "node:crypto";
import type { SupabaseClient } from "@supabase/supabase-js";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type App, startApp } from "../app.ts";

let app: App;
beforeAll(async () => {
  app = await startApp();
  await app.sql(`
    create table public.sealed_letters (id int primary key, owner_id uuid not null default auth.uid());
    alter table public.sealed_letters enable row level security;
    create policy "own letters" on public.sealed_letters for all to authenticated
      using (owner_id = (select auth.uid())) with check (owner_id = (select auth.uid()));
    create policy "with a second factor" on public.sealed_letters as restrictive for all to authenticated
      using ((select auth.jwt() ->> 'aal') = 'aal2')`);
});
afterAll(() => app.stop());

const password = "correct horse battery staple";

/** What an authenticator app does with the secret it was given. */
function authenticatorApp(secret: string) {
  const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
  const bits = [...secret].map((letter) => letters.indexOf(letter).toString(2).padStart(5, "0")).join("");
  const key = Buffer.from((bits.match(/.{8}/g) ?? []).map((byte) => Number.parseInt(byte, 2)));
  // Each code is accepted once, and so are its neighbours in time: three in half a minute.
  let step = Math.floor(Date.now() / 30_000) - 2;
  return () => {
    step += 1;
    const counter = Buffer.alloc(8);
    counter.writeBigUInt64BE(BigInt(step));
    const mac = createHmac("sha1", key).update(counter).digest();
    const number = mac.readUInt32BE((mac.at(-1) ?? 0) & 15) & 0x7fffffff;
    return String(number % 1_000_000).padStart(6, "0");
  };
}

const newClient = () => app.client(undefined, { auth: { experimental: { recoveryCodes: true } } });

async function signUp(): Promise<{ client: SupabaseClient; email: string; id: string }> {
  const client = newClient();
  const email = `${randomUUID()}@conformance.example`;
  const { data, error } = await client.auth.signUp({ email, password });
  expect(error).toBeNull();
  return { client, email, id: data.user?.id ?? "" };
}

async function signIn(email: string): Promise<SupabaseClient> {
  const client = newClient();
  const { error } = await client.auth.signInWithPassword({ email, password });
  expect(error).toBeNull();
  return client;
}

/** Somebody with an authenticator app, in the session that verified it. */
async function withFactor() {
  const person = await signUp();
  const { data, error } = await person.client.auth.mfa.enroll({ factorType: "totp", friendlyName: "app" });
  expect(error).toBeNull();
  if (data?.type !== "totp") throw new Error("no TOTP factor");
  const code = authenticatorApp(data.totp.secret);
  const verified = await person.client.auth.mfa.challengeAndVerify({ factorId: data.id, code: code() });
  expect(verified.error).toBeNull();
  return { ...person, factorId: data.id, code };
}

const levels = async (client: SupabaseClient) => {
  const { data } = await client.auth.mfa.getAuthenticatorAssuranceLevel();
  return [data?.currentLevel, data?.nextLevel];
};

describe("auth: mfa", () => {
  it("enrolls an authenticator app, whose QR code a browser can show", async () => {
    const { client, email } = await signUp();
    const { data } = await client.auth.mfa.enroll({ factorType: "totp", issuer: "Roam" });
    if (data?.type !== "totp") throw new Error("no TOTP factor");
    expect(data.totp.uri).toMatch(`otpauth://totp/Roam:${encodeURIComponent(email)}?`);
    const image = await (await fetch(data.totp.qr_code)).text();
    expect(image).toMatch(/^<svg [\s\S]+<\/svg>$/);
    const { data: listed } = await client.auth.mfa.listFactors();
    expect(listed?.all).toMatchObject([{ id: data.id, factor_type: "totp", status: "unverified" }]);
    expect(listed?.totp).toEqual([]);
  });

  it("raises the session, says so to the app, and the level survives refreshes", async () => {
    const { client, factorId } = await withFactor();
    const events: string[] = [];
    client.auth.onAuthStateChange((event) => void events.push(event));
    expect(await levels(client)).toEqual(["aal2", "aal2"]);
    const { data } = await client.auth.refreshSession();
    expect(await levels(client)).toEqual(["aal2", "aal2"]);
    expect(data.user?.factors).toMatchObject([{ id: factorId, status: "verified" }]);
    const { data: level } = await client.auth.mfa.getAuthenticatorAssuranceLevel();
    expect(level?.currentAuthenticationMethods).toMatchObject([{ method: "totp" }, { method: "password" }]);
    expect(events).toContain("TOKEN_REFRESHED");
  });

  it("a sign-in begins below, sees nothing that a policy keeps for the level, and is raised by a code", async () => {
    const { client, email, factorId, code } = await withFactor();
    expect((await client.from("sealed_letters").insert({ id: 1 })).error).toBeNull();
    expect((await client.from("sealed_letters").select("id")).data).toEqual([{ id: 1 }]);

    const phone = await signIn(email);
    const events: string[] = [];
    phone.auth.onAuthStateChange((event) => void events.push(event));
    expect(await levels(phone)).toEqual(["aal1", "aal2"]);
    expect((await phone.from("sealed_letters").select("id")).data).toEqual([]);
    const wrong = await phone.auth.mfa.challengeAndVerify({ factorId, code: "000000" });
    expect(wrong.error).toMatchObject({ status: 422, code: "mfa_verification_failed" });
    const { data: challenge } = await phone.auth.mfa.challenge({ factorId });
    const right = await phone.auth.mfa.verify({ factorId, challengeId: challenge?.id ?? "", code: code() });
    expect(right.error).toBeNull();
    expect(events).toContain("MFA_CHALLENGE_VERIFIED");
    expect(await levels(phone)).toEqual(["aal2", "aal2"]);
    expect((await phone.from("sealed_letters").select("id")).data).toEqual([{ id: 1 }]);
    expect((await phone.auth.refreshSession()).error).toBeNull();
    expect(await levels(phone)).toEqual(["aal2", "aal2"]);
  });

  it("recovery codes stand in for the app", async () => {
    const { client, email } = await withFactor();
    const { data: made, error } = await client.auth.mfa.recoveryCodes.generate();
    expect(error).toBeNull();
    expect(made?.codes).toHaveLength(10);
    const phone = await signIn(email);
    const typed = (made?.codes[0] ?? "").toUpperCase().replace(/(.{4})(?!$)/g, "$1-");
    expect((await phone.auth.mfa.recoveryCodes.verify({ code: typed })).error).toBeNull();
    expect(await levels(phone)).toEqual(["aal2", "aal2"]);
    expect((await phone.auth.mfa.recoveryCodes.getStatus()).data).toMatchObject({ total: 10, remaining: 9 });
    const again = await (await signIn(email)).auth.mfa.recoveryCodes.verify({ code: typed });
    expect(again.error).toMatchObject({ status: 422, code: "mfa_verification_failed" });
    const { data: listed } = await phone.auth.mfa.listFactors();
    expect(listed?.all.map((factor) => String(factor.factor_type))).toEqual(["totp", "recovery_code"]);
    expect((await phone.auth.mfa.recoveryCodes.regenerate()).data?.codes).toHaveLength(10);
    expect((await phone.auth.mfa.recoveryCodes.unenroll()).error).toBeNull();
    expect((await phone.auth.mfa.recoveryCodes.getStatus()).error).toMatchObject({ code: "mfa_factor_not_found" });
  });

  it("a factor goes in a session that showed it, or by an admin", async () => {
    const { client, email, id, factorId } = await withFactor();
    const phone = await signIn(email);
    expect((await phone.auth.mfa.unenroll({ factorId })).error).toMatchObject({
      status: 422,
      code: "insufficient_aal",
    });
    expect((await client.auth.mfa.unenroll({ factorId })).data).toEqual({ id: factorId });
    await client.auth.refreshSession();
    expect(await levels(client)).toEqual(["aal1", "aal1"]);

    const other = await withFactor();
    const admin = app.client(app.serviceRoleKey).auth.admin;
    const { data } = await admin.mfa.listFactors({ userId: other.id });
    expect(data?.factors).toMatchObject([{ id: other.factorId, factor_type: "totp", status: "verified" }]);
    const gone = await admin.mfa.deleteFactor({ id: other.factorId, userId: other.id });
    expect(gone.error).toBeNull();
    expect((await admin.mfa.listFactors({ userId: other.id })).data?.factors).toEqual([]);
    expect((await admin.mfa.listFactors({ userId: id })).data?.factors).toEqual([]);
    expect((await other.client.auth.refreshSession()).error).toMatchObject({ code: "refresh_token_not_found" });
  });
});

import { randomUUID } from "node:crypto";
import type { SupabaseClient } from "@supabase/supabase-js";
import type { Inbox } from "./inbox.ts";
import { check, tell } from "./say.ts";
import { totp } from "./totp.ts";

export interface Person {
  readonly name: string;
  readonly id: string;
  readonly roam: SupabaseClient;
}

const usernameOf = (name: string) => `${name.toLowerCase()}_${randomUUID().slice(0, 8)}`;

/** By a code from a mail: there is no password anybody could guess. */
export async function signUpByCode(roam: SupabaseClient, inbox: Inbox, name: string): Promise<Person> {
  const username = usernameOf(name);
  const email = `${username}@roam.example`;
  await held(roam.auth.signInWithOtp({ email, options: { data: { username, display_name: name } } }));
  const { user } = await held(roam.auth.verifyOtp({ email, token: await inbox.codeFor(email), type: "email" }));
  check(user !== null, "a right code should sign in");
  const { data: profile } = await roam.from("profiles").select("username").eq("id", user.id).single().throwOnError();
  check(profile.username === username, `${name}'s profile should carry the chosen name, not ${profile.username}`);
  tell(`${name} signs up with a code from a mail; a profile "${username}" is there in the same moment.`);
  return { name, id: user.id, roam };
}

/** Without an account first; what was made is still there when it is completed. */
export async function beginWithoutAccount(roam: SupabaseClient, inbox: Inbox, name: string): Promise<Person> {
  const { user } = await held(roam.auth.signInAnonymously());
  check(user?.is_anonymous === true, "who says nothing of themselves should be anonymous");
  await roam.from("lists").insert({ title: "Maybe one day" }).throwOnError();
  const early = await roam.from("reviews").insert({ place_id: 2267057, rating: 5 });
  check(
    early.error?.code === "42501",
    `a review without an account should be refused with 42501, not ${early.error?.code}`,
  );
  tell(`${name} looks around without an account and keeps a list; a review takes an account.`);

  const username = usernameOf(name);
  const email = `${username}@roam.example`;
  const { user: asked } = await held(roam.auth.updateUser({ email }));
  if (asked.email !== email) {
    await held(roam.auth.verifyOtp({ email, token: await inbox.codeFor(email), type: "email_change" }));
  }
  await held(roam.auth.updateUser({ password: randomUUID() }));
  const { user: complete } = await held(roam.auth.refreshSession());
  check(complete?.id === user.id && complete.is_anonymous === false, "an address should complete the account");
  await roam.from("profiles").update({ username, display_name: name }).eq("id", user.id).throwOnError();
  const { data: lists } = await roam.from("lists").select("title").eq("owner_id", user.id).throwOnError();
  check(lists.length === 1, "the list kept without an account should be there with one");
  tell(`He adds an address and a password: the same account, and the list is still his.`);
  return { name, id: user.id, roam };
}

/** Where the money goes takes a second factor: a policy says so. */
export async function secureThePayout(host: Person, other: Person): Promise<void> {
  const { roam } = host;
  const account = { holder: host.name, iban: "PT50000201231234567890154" };
  const early = await roam.from("payout_accounts").insert(account);
  check(
    early.error?.code === "42501",
    `without a second factor that should be refused with 42501, not ${early.error?.code}`,
  );
  const { id: factorId, totp: shown } = await held(roam.auth.mfa.enroll({ factorType: "totp" }));
  await held(roam.auth.mfa.challengeAndVerify({ factorId, code: totp(shown.secret) }));
  await roam.from("payout_accounts").insert(account).throwOnError();
  const { data: read } = await other.roam.from("payout_accounts").select("iban").throwOnError();
  check(read.length === 0, `${other.name} read ${host.name}'s bank account`);
  tell(`${host.name} may say where her money goes only after a code from an authenticator app.`);
}

/** Everything of theirs goes, as stores ask of every app with accounts. */
export async function leave(url: string, key: string, { name, roam, id }: Person, other: Person): Promise<void> {
  const { session } = await held(roam.auth.getSession());
  const headers = { apikey: key, Authorization: `Bearer ${session?.access_token}` };
  const reply = await fetch(new URL("/auth/v1/user", url), { method: "DELETE", headers });
  check(reply.ok, `${name} should be able to delete the account, not get ${reply.status}`);
  const { rows } = (await reply.json()) as { rows: { schema: string; table: string; rows: number }[] };
  const { data: left } = await other.roam.from("profiles").select("id").eq("id", id).throwOnError();
  check(left.length === 0, `${name}'s profile is still there`);
  const own = rows.filter(({ schema }) => schema === "public");
  const count = own.reduce((sum, table) => sum + table.rows, 0);
  tell(`${name} deletes the account; ${count} rows of ${own.length} tables go with it.`);
}

/** @throws AuthError as the server gave it */
async function held<A extends { data: unknown; error: Error | null }>(
  asked: Promise<A>,
): Promise<Extract<A, { error: null }>["data"]> {
  const { data, error } = await asked;
  if (error !== null) throw error;
  return data;
}

import { randomUUID } from "node:crypto";
import { freePort } from "@mainstay/testing";
import type { AuthChangeEvent, SupabaseClient, SupportedStorage } from "@supabase/supabase-js";
import { expect } from "vitest";
import { type App, type AppSettings, startApp } from "../app.ts";
import { type Inbox, openInbox } from "./inbox.ts";

export const password = "correct horse battery staple";
export const siteUrl = "https://roam.example";
/** Where the app's own scheme takes over: listed, so links may lead there. */
export const deepLink = "com.roam.app://login-callback";

/** A server that asks people to confirm what they say, with an inbox where its mails and text messages are read. */
export interface AuthApp extends App {
  readonly inbox: Inbox;
}

export async function startAuthApp(auth: AppSettings["auth"] = {}, others: AppSettings = {}): Promise<AuthApp> {
  // Links in mails are built from the settings, so the port has to be known before the server is.
  const port = await freePort();
  const app = await startApp({
    ...others,
    http: { port, ...others.http },
    auth: {
      publicUrl: `http://127.0.0.1:${port}`,
      siteUrl,
      redirectAllowList: ["com.roam.app://**", "https://*.roam.example/**"],
      inbox: "on",
      mailerAutoconfirm: false,
      phoneEnabled: true,
      anonymousEnabled: true,
      manualLinkingEnabled: true,
      ...auth,
    },
  });
  return { ...app, inbox: openInbox(app.url) };
}

export const newAddress = (): string => `${randomUUID()}@conformance.example`;

let lastNumber = 0;
/** A number of the range that is kept for films and examples, without the `+`, as it is stored. */
export const newNumber = (): string => `1555010${String(++lastNumber).padStart(4, "0")}`;

/** What an app keeps on a device: what is in it survives the client. */
export function deviceStorage(): SupportedStorage & { readonly values: Map<string, string> } {
  const values = new Map<string, string>();
  return {
    values,
    getItem: (key) => values.get(key) ?? null,
    setItem: (key, value) => void values.set(key, value),
    removeItem: (key) => void values.delete(key),
  };
}

/** A client of the PKCE flow on a device; two of them on one storage are one app before and after its restart. */
export const pkceClient = (app: App, storage: SupportedStorage = deviceStorage()): SupabaseClient =>
  app.client(undefined, { auth: { flowType: "pkce", persistSession: true, storage } });

/** What the client has told the app, besides how it began. */
export function eventsOf(client: SupabaseClient): AuthChangeEvent[] {
  const events: AuthChangeEvent[] = [];
  client.auth.onAuthStateChange((event) => void (event !== "INITIAL_SESSION" && events.push(event)));
  return events;
}

/** Somebody who has signed up and confirmed it with the code from the mail. */
export async function signedUp(app: AuthApp, client: SupabaseClient = app.client()) {
  const email = newAddress();
  expect((await client.auth.signUp({ email, password })).error).toBeNull();
  const { code } = await app.inbox.mail(email, "confirmation");
  const { data, error } = await client.auth.verifyOtp({ type: "signup", email, token: code });
  expect(error).toBeNull();
  if (data.session === null || data.user === null) throw new Error("no session");
  return { client, email, user: data.user, session: data.session };
}

export const claimsOf = (token: string): Record<string, unknown> =>
  JSON.parse(Buffer.from(token.split(".")[1] ?? "", "base64url").toString());

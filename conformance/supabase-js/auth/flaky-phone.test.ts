import { randomUUID } from "node:crypto";
import { createClient, type Session, type SupabaseClient } from "@supabase/supabase-js";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type App, startApp } from "../app.ts";
import { type BadNetwork, badNetwork, type Fate, fates } from "../bad-network.ts";

/** Refreshes are what a phone does most, and its network is what it is. */
const phones = 20;
const refreshesEach = 10;

const password = "correct horse battery";
const address = () => `${randomUUID()}@phone.example`;

let app: App;
let network: BadNetwork;
let isBad = false;
beforeAll(async () => {
  app = await startApp();
  const luck = generator(20_261_121);
  network = await badNetwork(app.url, (path): Fate => {
    if (!isBad || !path.includes("grant_type=refresh_token")) return "arrives";
    return fates[Math.floor(luck() * fates.length)]!;
  });
});
afterAll(async () => {
  await network.stop();
  await app.stop();
});

/** What a phone keeps between starts of the app. */
class Storage {
  readonly values = new Map<string, string>();
  getItem(key: string): string | null {
    return this.values.get(key) ?? null;
  }
  setItem(key: string, value: string): void {
    this.values.set(key, value);
  }
  removeItem(key: string): void {
    this.values.delete(key);
  }
}

const openPhone = (storage: Storage): SupabaseClient =>
  createClient(network.url, app.anonKey, {
    auth: { storage, persistSession: true, autoRefreshToken: false, detectSessionInUrl: false },
  });

/** One phone's life: it signs up, refreshes and refreshes, and now and then the app is killed and starts with what it had stored. */
async function live(): Promise<{ phone: SupabaseClient; userId: string; signedOut: string[]; worked: number }> {
  const storage = new Storage();
  const signedOut: string[] = [];
  const start = (): SupabaseClient => {
    const client = openPhone(storage);
    client.auth.onAuthStateChange((event) => void (event === "SIGNED_OUT" && signedOut.push(event)));
    return client;
  };
  let phone = start();
  const { data, error } = await phone.auth.signUp({ email: address(), password });
  expect(error).toBeNull();
  const userId = data.user!.id;
  let worked = 0;
  for (let i = 1; i <= refreshesEach; i++) {
    const refreshed = await phone.auth.refreshSession();
    // What the client cannot know it tries again later; an answer that ends the session is what must not come.
    if (refreshed.error !== null) expect(refreshed.error.name).toBe("AuthRetryableFetchError");
    else {
      expect(refreshed.data.session?.user.id).toBe(userId);
      worked++;
    }
    if (i % 4 === 0) phone = start();
  }
  return { phone, userId, signedOut, worked };
}

describe("A08 phones on a bad network", () => {
  it(`are never signed out over ${phones * refreshesEach} refreshes whose answers are lost, late, doubled or errors`, async () => {
    isBad = true;
    const lives = await Promise.all(Array.from({ length: phones }, () => live()));
    isBad = false;
    expect(lives.flatMap((each) => each.signedOut)).toEqual([]);
    const worked = lives.reduce((sum, each) => sum + each.worked, 0);
    expect(worked).toBeGreaterThan((phones * refreshesEach) / 4);
    for (const fate of fates) expect(network.counts.get(fate) ?? 0, fate).toBeGreaterThan(5);
    for (const { phone, userId } of lives) {
      expect((await phone.auth.refreshSession()).error).toBeNull();
      expect((await phone.auth.getUser()).data.user?.id).toBe(userId);
    }
  });

  it("A07 whoever turns up with a token of before ends the session, for both", async () => {
    const phone = openPhone(new Storage());
    const { data } = await phone.auth.signUp({ email: address(), password });
    const stolen = (data.session as Session).refresh_token;
    for (let i = 0; i < 3; i++) expect((await phone.auth.refreshSession()).error).toBeNull();
    // The grace for apps that refresh twice at once has passed.
    await app.sql(
      `update auth.sessions set refreshed_at = refreshed_at - interval '1 minute' where user_id = '${data.user?.id}'`,
    );
    const thief = await openPhone(new Storage()).auth.refreshSession({ refresh_token: stolen });
    expect(thief.error).toMatchObject({ status: 400, code: "refresh_token_already_used" });
    const owner = await phone.auth.refreshSession();
    expect(owner.error).toMatchObject({ status: 400, code: "refresh_token_not_found" });
  });
});

/** Numbers from 0 to 1, the same for the same seed (mulberry32). */
function generator(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

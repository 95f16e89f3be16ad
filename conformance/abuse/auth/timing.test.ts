import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { compare } from "./ranks.ts";
import { type AuthServer, newEmail, newPhone, type Reply, startAuth } from "./server.ts";

/**
 * Threat A16 by time: the one place where time is asserted. Pairs are asked in random order, so what slows one slows the other.
 * Half as many answers of each kind as `MAINSTAY_TIMING_SAMPLES`; where answers wait for their time, fewer of them are enough.
 */
const given = process.env.MAINSTAY_TIMING_SAMPLES;
const samples = Number(given ?? 300);
const waitingSamples = Number(given ?? 50);
/** Below this share nobody tells two medians apart over a network. */
const maxShare = 0.05;
/** A difference in rank that comes by chance once in a billion. */
const maxZ = 6;
/** So many pairs at once where answers wait. Few, so that the work behind them keeps within their time on a busy machine. */
const lanes = 5;
const knownAccounts = 50;

let auth: AuthServer;
beforeAll(async () => {
  // As in production, but for limits (there are more requests here than anybody may send) and cheaper hashes: what the hash hides is seen.
  auth = await startAuth({
    auth: { codeAnswerMs: 150, lockoutAfter: 1_000_000, lockoutAccountAfter: 1_000_000 },
    // Delivery is not what is measured.
    outbox: { outboxPollMs: 10_000 },
  });
  await auth.sql(
    `insert into auth.users (instance_id, id, aud, role, email, phone, encrypted_password, email_confirmed_at, phone_confirmed_at,
       raw_app_meta_data, raw_user_meta_data, created_at, updated_at, confirmation_token, recovery_token,
       email_change_token_new, email_change)
     select '00000000-0000-0000-0000-000000000000', gen_random_uuid(), 'authenticated', 'authenticated',
       'known' || n || '@example.com', (15554000000 + n)::text, $1, now(), now(),
       '{"provider":"email","providers":["email"]}', '{}', now(), now(), '', '', '', ''
     from generate_series(1, ${knownAccounts}) n`,
    [await hashOfSomebody()],
  );
  await auth.sql(`
    insert into auth.identities (provider_id, user_id, identity_data, provider, last_sign_in_at, created_at, updated_at)
    select id::text, id, jsonb_build_object('sub', id, 'email', email), 'email', now(), now(), now()
    from auth.users where email like 'known%'`);
  await auth.sql("analyze auth.users");
});
afterAll(() => auth.stop());

async function hashOfSomebody(): Promise<string> {
  const { id } = await auth.newPerson();
  const [row] = await auth.sql<{ hash: string }>("select encrypted_password as hash from auth.users where id = $1", [
    id,
  ]);
  return row!.hash;
}

let turn = 0;
const knownEmail = (): string => `known${1 + (turn++ % knownAccounts)}@example.com`;
const knownPhone = (): string => String(15_554_000_001 + (turn++ % knownAccounts));

interface Asked {
  readonly path: string;
  readonly body: unknown;
}

interface Entrance {
  readonly make: (email: string, phone: string) => Asked;
  /** Sent before, and not measured. */
  readonly before?: (email: string) => Asked;
  /** Nothing is hashed, so there is a least time instead. */
  readonly isWaiting: boolean;
}

const entrances: Readonly<Record<string, Entrance>> = {
  "a sign-in": {
    make: (email) => ({ path: "/token?grant_type=password", body: { email, password: "wrong horse 8" } }),
    isWaiting: false,
  },
  "a sign-up": {
    make: (email) => ({ path: "/signup", body: { email, password: "correct horse 8" } }),
    isWaiting: true,
  },
  "a recovery": { make: (email) => ({ path: "/recover", body: { email } }), isWaiting: true },
  "a code by mail": { make: (email) => ({ path: "/otp", body: { email } }), isWaiting: true },
  "a magic link": { make: (email) => ({ path: "/magiclink", body: { email } }), isWaiting: true },
  "a code by text message": { make: (_email, phone) => ({ path: "/otp", body: { phone } }), isWaiting: true },
  "a confirmation once more": {
    make: (email) => ({ path: "/resend", body: { type: "signup", email } }),
    isWaiting: true,
  },
  "a wrong code after a recovery": {
    before: (email) => ({ path: "/recover", body: { email } }),
    make: (email) => ({ path: "/verify", body: { type: "recovery", email, token: "000000" } }),
    isWaiting: true,
  },
};

/**
 * Everything a caller sees but what is random by design. An account that looks new has no identity to show: that is GoTrue's
 * protocol (auth.md §6.1).
 */
function seenOf(path: string, { status, headers, text }: Reply): string {
  const names = [...headers.keys()].filter((name) => name !== "date").sort();
  const shown = path === "/signup" ? text.replace(/"identities":\[.*?\],|"role":"\w*",/g, "") : text;
  return JSON.stringify([status, names, sameText(shown)]);
}

const sameText = (text: string): string =>
  text
    .replace(/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/g, "id")
    .replace(/"[^"]*@example\.com"/g, '"email"')
    .replace(/\d{4}-\d\d-\d\dT[\d:.]+Z/g, "time");

describe("A16 known and unknown accounts", () => {
  test.each(Object.entries(entrances))(
    "A16 %s takes the same time and gets the same answer",
    { timeout: 300_000 },
    async (what, { make, before, isWaiting }) => {
      const times: Record<"known" | "unknown", number[]> = { known: [], unknown: [] };
      const answers = { known: new Set<string>(), unknown: new Set<string>() };
      const ask = async (isKnown: boolean, isCounted: boolean) => {
        const email = isKnown ? knownEmail() : newEmail();
        const { path, body } = make(email, isKnown ? knownPhone() : newPhone());
        const first = before?.(email);
        if (first !== undefined) await auth.post(first.path, first.body);
        const from = performance.now();
        const reply = await auth.post(path, body);
        const took = performance.now() - from;
        if (!isCounted) return;
        times[isKnown ? "known" : "unknown"].push(took);
        answers[isKnown ? "known" : "unknown"].add(seenOf(path, reply));
      };
      const wanted = 2 * (isWaiting ? waitingSamples : samples);
      for (let at = 0; at < 10; at++) await ask(at % 2 === 0, false);
      await Promise.all(
        Array.from({ length: isWaiting ? lanes : 1 }, async () => {
          while (times.known.length + times.unknown.length < wanted) {
            const isKnownFirst = Math.random() < 0.5;
            await ask(isKnownFirst, true);
            await ask(!isKnownFirst, true);
          }
        }),
      );
      const { share, z } = compare(times.known, times.unknown);
      const found = `medians ${(share * 100).toFixed(2)} % apart, z ${z.toFixed(2)}`;
      console.info(`${what}: ${found}`);
      expect(share < maxShare || Math.abs(z) < maxZ, found).toBe(true);
      expect(answers.known).toEqual(answers.unknown);
    },
  );
});

describe("A16 the measure itself", () => {
  const noise = (count: number, add: number) => Array.from({ length: count }, () => 10 + add + Math.random() * 4);

  test("A16 finds a tenth of difference, and none where there is none", () => {
    const apart = compare(noise(samples, 0), noise(samples, 1.2));
    expect(apart.share).toBeGreaterThan(maxShare);
    expect(Math.abs(apart.z)).toBeGreaterThan(maxZ);
    expect(Math.abs(compare(noise(samples, 0), noise(samples, 0)).z)).toBeLessThan(maxZ);
  });
});

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { identitySettings, openIdentity } from "@mainstay/server/identity";
import { hash, verify } from "@node-rs/argon2";
import { exchange, percentile, type Shot, saturate, shoot, sustain } from "./load.ts";
import type { Bench, Figure } from "./scenarios.ts";

const password = "a long enough password";
const whole = (n: number): string => Math.round(n).toLocaleString("en-US");

/** Limits are counted as ever, with room for one machine to be everybody. */
export const roomForAll = {
  MAINSTAY_RATE_LIMIT_SIGN_IN: "1000000000",
  MAINSTAY_ANONYMOUS_SIGNIN: "true",
  MAINSTAY_RATE_LIMIT_ANONYMOUS: "1000000000",
  MAINSTAY_RATE_LIMIT_REFRESH: "1000000000",
  MAINSTAY_RATE_LIMIT_REFRESH_BURST: "1000000000",
};

/** Everything about sign-in, one after the other. */
export async function signingIn(bench: Bench): Promise<Figure[]> {
  return [await refreshes(bench), await verification(bench), ...(await signIns(bench)), await signInRush(bench)];
}

/** Every open app refreshes once an hour: the answer to one refresh carries the token of the next. */
async function refreshes(bench: Bench): Promise<Figure> {
  // Anonymous ones: nothing of them is hashed, and there must be so many that they do not all share a few pages of the table.
  const tokens = await anonymousSessions(bench, 3_000);
  const { perSecond, failures } = await exchange({
    url: bench.server.url,
    path: "/auth/v1/token?grant_type=refresh_token",
    headers: { apikey: bench.headers.apikey!, "Content-Type": "application/json" },
    tokens,
    connections: bench.connections,
    seconds: bench.seconds,
  });
  return {
    name: "refresh a session",
    value: `${whole(perSecond)}/s${failures ? `, ${failures} FAILED` : ""}`,
    against: "≥ 4,000/s",
    isMet: perSecond >= 4_000 && failures === 0,
  };
}

/** What knowing the caller costs a request whose token was seen before, of what a read of one row takes. */
async function verification(bench: Bench): Promise<Figure> {
  const { perSecond } = await saturate({ ...bench, url: bench.server.url, shots: [onePlace(bench)] });
  const dir = mkdtempSync(join(tmpdir(), "mainstay-bench-keys-"));
  const defaults = Object.fromEntries(
    Object.entries(identitySettings).map(([name, setting]) => [name, setting.default]),
  );
  const open = await openIdentity({
    keysDir: dir,
    settings: defaults as Parameters<typeof openIdentity>[0]["settings"],
    observe: () => {},
    clock: { nowMs: () => Date.now() },
  });
  const exp = Math.floor(Date.now() / 1000) + 3_600;
  const requests = Array.from({ length: 1_000 }, (_, i) => ({
    apikey: open.keys.anonKey,
    authorization: `Bearer ${open.signer.sign({ sub: crypto.randomUUID(), role: "authenticated", aud: "authenticated", exp, n: i })}`,
  }));
  const rounds = 300;
  const pass = (count: number): number => {
    const begun = performance.now();
    for (let round = 0; round < count; round++) for (const headers of requests) open.identity.identify(headers, "");
    return ((performance.now() - begun) * 1_000) / (count * requests.length);
  };
  pass(20);
  const eachUs = pass(rounds);
  open.close();
  rmSync(dir, { recursive: true, force: true });
  const share = eachUs / (1_000_000 / perSecond);
  return {
    name: "token verification in a read of one row, seen before",
    value: `${eachUs.toFixed(2)} µs, ${(share * 100).toFixed(1)} %`,
    against: "< 3 %",
    isMet: share < 0.03,
  };
}

/** As many sign-ins as the processors allow, against the same hash in a process that does nothing else. */
async function signIns(bench: Bench): Promise<Figure[]> {
  const accounts = await Promise.all(
    Array.from({ length: 16 }, async (_, i) => (await signUp(bench, `signin${i}`)).email),
  );
  const shots = accounts.map((email) => signInShot(bench, email));
  const before = await pureHashes();
  let failures = 0;
  let done = 0;
  let next = 0;
  const endMs = performance.now() + bench.seconds * 1000;
  await Promise.all(
    shots.map(async () => {
      while (performance.now() < endMs) {
        if (!(await shoot(bench.server.url, shots[next++ % shots.length]!)).isOk) failures++;
        done++;
      }
    }),
  );
  const perSecond = done / bench.seconds;
  const limit = (before + (await pureHashes())) / 2;
  return [
    { name: "argon2id alone, both cores", value: `${whole(limit)}/s`, against: "the limit in this run", isMet: true },
    {
      name: "sign in with a password",
      value: `${whole(perSecond)}/s (${(perSecond / limit).toFixed(2)} × argon2id alone)${failures ? `, ${failures} FAILED` : ""}`,
      against: "≥ 0.9 × argon2id alone",
      isMet: perSecond >= 0.9 * limit && failures === 0,
    },
  ];
}

/** Reads of others while 500 people sign in at the same moment, and again, until the reads are done. */
async function signInRush(bench: Bench): Promise<Figure> {
  const { email } = await signUp(bench, "rush");
  const shot = signInShot(bench, email);
  let isOver = false;
  const outcomes = new Map<number, number>();
  const rush = Promise.all(
    Array.from({ length: 500 }, async () => {
      while (!isOver) {
        const { status } = await shoot(bench.server.url, shot);
        outcomes.set(status, (outcomes.get(status) ?? 0) + 1);
        if (status === 429) await new Promise((resolve) => setTimeout(resolve, 1_000));
      }
    }),
  );
  const { latencies, failures } = await sustain({
    url: bench.server.url,
    shots: [onePlace(bench)],
    connections: 32,
    seconds: bench.seconds,
    perSecond: 200,
  });
  isOver = true;
  await rush;
  const p95 = percentile(latencies, 0.95);
  const others = [...outcomes].filter(([status]) => status !== 200 && status !== 429);
  return {
    name: "reads while 500 sign in at once",
    value: `p50 ${percentile(latencies, 0.5).toFixed(0)} ms, p95 ${p95.toFixed(0)} ms; ${outcomes.get(200) ?? 0} signed in, ${outcomes.get(429) ?? 0} told to come back${failures + others.length > 0 ? `, ${failures} reads FAILED, others ${JSON.stringify(others)}` : ""}`,
    against: "p95 < 200 ms",
    isMet: p95 < 200 && failures === 0 && others.length === 0,
  };
}

const onePlace = (bench: Bench): Shot => ({
  method: "GET",
  path: "/rest/v1/places?select=id,name&limit=1",
  headers: bench.headers,
});

async function anonymousSessions(bench: Bench, count: number): Promise<string[]> {
  const tokens: string[] = [];
  let begun = 0;
  await Promise.all(
    Array.from({ length: 16 }, async () => {
      while (begun++ < count) tokens.push((await signUp(bench, null)).refresh_token);
    }),
  );
  return tokens;
}

function signInShot(bench: Bench, email: string): Shot {
  return {
    method: "POST",
    path: "/auth/v1/token?grant_type=password",
    headers: { apikey: bench.headers.apikey!, "Content-Type": "application/json" },
    body: JSON.stringify({ email, password }),
  };
}

/** An account by that name, or an anonymous one. */
async function signUp(bench: Bench, name: string | null): Promise<{ email: string; refresh_token: string }> {
  const email = name === null ? "" : `${name}-${crypto.randomUUID()}@example.com`;
  const response = await fetch(`${bench.server.url}/auth/v1/signup`, {
    method: "POST",
    headers: { apikey: bench.headers.apikey!, "Content-Type": "application/json" },
    body: JSON.stringify(name === null ? {} : { email, password }),
  });
  const session = (await response.json()) as { refresh_token: string };
  if (!response.ok) throw new Error(`A bench user could not sign up: ${JSON.stringify(session)}`);
  return { email, refresh_token: session.refresh_token };
}

/** Verifications a second at the server's own parameters, as many at once as it computes. */
async function pureHashes(): Promise<number> {
  const stored = await hash(password, { memoryCost: 19_456, timeCost: 2, parallelism: 1 });
  const endMs = performance.now() + 3_000;
  let done = 0;
  await Promise.all(
    Array.from({ length: 2 }, async () => {
      while (performance.now() < endMs) {
        await verify(stored, password);
        done++;
      }
    }),
  );
  return done / 3;
}

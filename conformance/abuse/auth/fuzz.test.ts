import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { inParallel, send } from "../send.ts";
import { adminEntrances, type Entrance, ownEntrances } from "./entrances.ts";
import { googleAt, type Issuer, openIssuer } from "./issuer.ts";
import { type AuthServer, type Person, startAuth } from "./server.ts";

/** Mutated requests at every route of auth: never a 5xx, never a word of ours, never another's account touched. */
const requests = Number(process.env.MAINSTAY_AUTH_FUZZ_REQUESTS ?? 12_000);
const budgetMs = 60_000;
const seed = Number(process.env.MAINSTAY_FUZZ_SEED ?? 20_261_121);
const width = 24;
const batchSize = 1_000;

let issuer: Issuer;
let auth: AuthServer;
let attacker: Person;
const bystanders: Person[] = [];
beforeAll(async () => {
  issuer = await openIssuer();
  auth = await startAuth({ auth: { ...googleAt(issuer), lockoutAfter: 1_000_000, lockoutAccountAfter: 1_000_000 } });
  attacker = await auth.newPerson();
  for (let at = 0; at < 3; at++) bystanders.push(await auth.newPerson());
});
afterAll(async () => {
  await Promise.all([auth.stop(), issuer.close()]);
});

const strangerEntrances: readonly Entrance[] = [
  { method: "POST", path: "/signup", body: { email: "fuzz@example.com", password: "correct horse 8", data: { a: 1 } } },
  { method: "POST", path: "/signup", body: { data: {} } },
  { method: "POST", path: "/token?grant_type=password", body: { email: "fuzz@example.com", password: "x" } },
  { method: "POST", path: "/token?grant_type=refresh_token", body: { refresh_token: "x".repeat(64) } },
  {
    method: "POST",
    path: "/token?grant_type=pkce",
    body: { auth_code: "00000000-0000-4000-8000-000000000000", code_verifier: "v".repeat(43) },
  },
  {
    method: "POST",
    path: "/token?grant_type=id_token",
    body: { provider: "google", id_token: "a.b.c", access_token: "x", nonce: "n", link_identity: false },
  },
  { method: "POST", path: "/token?grant_type=web3", body: { chain: "ethereum", message: "x", signature: "y" } },
  {
    method: "POST",
    path: "/otp?redirect_to=myapp%3A%2F%2Fx",
    body: {
      email: "fuzz@example.com",
      create_user: true,
      data: {},
      code_challenge: "c".repeat(43),
      code_challenge_method: "s256",
    },
  },
  { method: "POST", path: "/otp", body: { phone: "+15550001111", channel: "sms", create_user: true } },
  { method: "POST", path: "/magiclink", body: { email: "fuzz@example.com", data: {} } },
  { method: "POST", path: "/recover", body: { email: "fuzz@example.com" } },
  { method: "POST", path: "/resend", body: { type: "signup", email: "fuzz@example.com" } },
  { method: "POST", path: "/resend", body: { type: "sms", phone: "+15550001111" } },
  { method: "POST", path: "/verify", body: { type: "email", email: "fuzz@example.com", token: "123456" } },
  { method: "POST", path: "/verify", body: { type: "signup", token_hash: "ab".repeat(28) } },
  { method: "POST", path: "/verify", body: { type: "sms", phone: "+15550001111", token: "123456" } },
  { method: "GET", path: "/verify?token=abc&type=signup&redirect_to=https%3A%2F%2Fapp.example.com" },
  { method: "HEAD", path: "/verify?token=abc&type=signup" },
  {
    method: "GET",
    path: "/authorize?provider=google&redirect_to=x&scopes=a&code_challenge=c&code_challenge_method=s256",
  },
  { method: "GET", path: "/callback?state=00000000-0000-4000-8000-000000000000&code=x&error=y" },
  { method: "POST", path: "/callback", body: "state=x&code=y&user=%7B%7D" },
  { method: "POST", path: "/sso", body: { domain: "example.com" } },
  { method: "POST", path: "/passkeys/authentication/options", body: {} },
  {
    method: "POST",
    path: "/passkeys/authentication/verify",
    body: {
      challenge_id: "00000000-0000-4000-8000-000000000000",
      credential: {
        id: "AAAA",
        rawId: "AAAA",
        type: "public-key",
        response: { clientDataJSON: "e30", authenticatorData: "AA", signature: "AA", userHandle: "AA" },
        clientExtensionResults: {},
      },
    },
  },
  { method: "GET", path: "/settings" },
  { method: "GET", path: "/health" },
  { method: "GET", path: "/.well-known/jwks.json" },
];
const entrances = [...strangerEntrances, ...ownEntrances, ...adminEntrances];

const nasty = fc.constantFrom<unknown>(
  null,
  true,
  0,
  -1,
  1e308,
  2 ** 53,
  "",
  " ",
  "\0",
  "\ud800",
  "a\u0000b",
  "'; drop table auth.users; --",
  "%00",
  "..%2f..%2f",
  "{{7*7}}",
  "<script>alert(1)</script>",
  "\r\nX-Evil: 1",
  "١٢٣٤٥٦",
  "x".repeat(5_000),
  "😀".repeat(300),
  [],
  {},
  [[[[]]]],
  { length: 1 },
  { toString: "x" },
  { __proto__: null },
  JSON.parse('{"__proto__":{"role":"service_role"},"constructor":{"prototype":{"x":1}}}'),
  "2026-13-45T99:99:99Z",
  "00000000-0000-0000-0000-000000000000",
  "ffffffff-ffff-ffff-ffff-ffffffffffff",
);
const anything = fc.oneof(
  { weight: 3, arbitrary: nasty },
  { weight: 1, arbitrary: fc.string({ unit: "binary" }) },
  { weight: 1, arbitrary: fc.jsonValue({ maxDepth: 6 }) },
);

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** The body with one field, at any depth, exchanged, taken away or added. */
function mutated(body: unknown): fc.Arbitrary<unknown> {
  if (!isObject(body)) return anything;
  const names = Object.keys(body);
  const name = names.length > 0 ? fc.constantFrom(...names) : fc.string();
  return fc.oneof(
    fc.tuple(name, anything).map(([key, value]) => ({ ...body, [key]: value })),
    name.map((key) => Object.fromEntries(Object.entries(body).filter(([each]) => each !== key))),
    fc
      .tuple(
        fc.oneof(
          fc.string({ unit: "binary" }),
          fc.constantFrom(
            "__proto__",
            "role",
            "id",
            "user_id",
            "gotrue_meta_security",
            "redirect_to",
            "nonce",
            "app_metadata",
            "data",
            "code_challenge",
          ),
        ),
        anything,
      )
      .map(([key, value]) => ({ ...body, [key]: value })),
    name.chain((key) => mutated(body[key]).map((value) => ({ ...body, [key]: value }))),
  );
}

const rawBodies = fc.oneof(
  fc.string({ unit: "binary" }),
  fc.constantFrom(
    "{",
    "[]",
    "null",
    '"x"',
    "{}{}",
    '{"a":1,}',
    "[".repeat(5_000),
    '{"a":'.repeat(3_000),
    "\ufeff{}",
    '{"email":"\\ud800"}',
    "a=b&c=d",
  ),
  fc.json({ maxDepth: 4 }),
);

/** Path and query with something else in the place of a part. */
const targetOf = ({ path }: Entrance): fc.Arbitrary<string> => {
  const [before = "", query = ""] = path.split("?");
  const part = fc.oneof(
    fc.string({ unit: "binary" }).map((text) => encodeURIComponent(text.replace(/[\ud800-\udfff]/g, "?"))),
    fc.constantFrom("%", "%zz", "%00", "..", "%2e%2e%2f", "%ff", "'", "a".repeat(3_000), "null", "-1"),
  );
  const segments = before.split("/");
  return fc.oneof(
    { weight: 4, arbitrary: fc.constant(path) },
    {
      weight: 1,
      arbitrary: fc
        .tuple(fc.nat({ max: segments.length - 1 }), part)
        .map(([at, value]) => `/${segments.map((each, index) => (index === at ? value : each)).join("/")}?${query}`),
    },
    {
      weight: 2,
      arbitrary: fc
        .tuple(
          fc.constantFrom(
            "grant_type",
            "redirect_to",
            "scope",
            "page",
            "per_page",
            "filter",
            "provider",
            "code_challenge",
            "state",
            "token",
            "type",
            "invite_token",
            "scopes",
            "apikey",
          ),
          part,
        )
        .map(([name, value]) => `${before}?${query}&${name}=${value}`),
    },
  );
};

const headersOf = fc.dictionary(
  fc.constantFrom(
    "x-supabase-api-version",
    "x-jwt-aud",
    "redirect_to",
    "referer",
    "origin",
    "x-forwarded-for",
    "user-agent",
    "cookie",
    "sec-fetch-site",
    "accept-language",
    "x-client-info",
    "content-type",
    "accept",
    "prefer",
  ),
  fc.oneof(
    fc.string({ unit: "grapheme-ascii" }),
    fc.constantFrom(
      "2024-01-01",
      "9999-99-99",
      "application/x-www-form-urlencoded",
      "text/plain; charset=utf-16",
      "multipart/form-data; boundary=x",
      "https://[::",
      "javascript:alert(1)",
      "a".repeat(4_000),
      "cross-site",
    ),
  ),
  { maxKeys: 3 },
);

interface Attempt {
  readonly entrance: Entrance;
  readonly target: string;
  readonly headers: Record<string, string>;
  readonly body: string | null;
  readonly as: "nobody" | "attacker" | "anon";
}

const attempts: fc.Arbitrary<Attempt> = fc.constantFrom(...entrances).chain((entrance) => {
  const isRead = entrance.method === "GET" || entrance.method === "HEAD";
  const written = (value: unknown) => (typeof value === "string" ? value : JSON.stringify(value));
  const body = isRead
    ? fc.constant(null)
    : fc.oneof(
        { weight: 1, arbitrary: fc.constant(written(entrance.body ?? {})) },
        { weight: 6, arbitrary: mutated(entrance.body ?? {}).map((value) => written(value) ?? "") },
        { weight: 1, arbitrary: rawBodies },
      );
  return fc.record({
    entrance: fc.constant(entrance),
    target: targetOf(entrance),
    headers: headersOf,
    body,
    as: fc.constantFrom<Attempt["as"]>("nobody", "attacker", "attacker", "anon"),
  });
});

/** What no answer to a stranger may hold: our language's, the database's, and the machine's words. */
const leaks =
  /\bat \w+.*\.(?:ts|js):\d|node_modules|node:internal|TypeError|RangeError|SyntaxError|ReferenceError|pg-sql2|SQLSTATE|syntax error at|duplicate key|violates|relation "|column "|invalid input syntax|invalid byte sequence|encrypted_password|\/packages\/server/;

const others = () =>
  auth.sql(
    `select (select jsonb_agg(to_jsonb(u) - 'recovery_sent_at' - 'confirmation_sent_at' order by u.id) from auth.users u where u.id = any ($1)) as users,
      (select jsonb_agg(to_jsonb(i) order by i.id) from auth.identities i where i.user_id = any ($1)) as identities,
      (select jsonb_agg(to_jsonb(s) order by s.id) from auth.sessions s where s.user_id = any ($1)) as sessions,
      (select jsonb_agg(to_jsonb(f) order by f.id) from auth.mfa_factors f where f.user_id = any ($1)) as factors`,
    [bystanders.map(({ id }) => id)],
  );

describe(`auth under ${requests} mutated requests`, () => {
  test("A17 A18 answers each below 500, without a word of ours, and touches nobody else", {
    timeout: budgetMs * 2,
  }, async () => {
    const before = await others();
    const faults: string[] = [];
    const tally = new Map<string, number>();
    const reached = new Set<Entrance>();
    const until = Date.now() + budgetMs;
    let done = 0;
    const fuzz = async ({ entrance, target, headers, body, as }: Attempt): Promise<void> => {
      const sent = {
        method: entrance.method,
        target: `/auth/v1${target}`,
        headers: {
          "content-type": "application/json",
          ...Object.fromEntries(
            Object.entries(headers).map(([name, value]) => [name, value.replace(/[^\x20-\x7e]/g, "?")]),
          ),
          apikey: as === "anon" ? auth.anonKey : auth.publishableKey,
          ...(as === "nobody" ? {} : { authorization: `Bearer ${as === "anon" ? auth.anonKey : attacker.token}` }),
        },
        body,
      };
      const report = (what: string, detail: string) =>
        faults.push(
          `${what}\n  ${sent.method} ${sent.target.slice(0, 400)} ${JSON.stringify(headers)} as ${as}\n  ${body?.slice(0, 600)}\n  → ${detail.slice(0, 500)}`,
        );
      try {
        const answer = await send(auth.url, sent);
        tally.set(`${Math.floor(answer.status / 100)}xx`, (tally.get(`${Math.floor(answer.status / 100)}xx`) ?? 0) + 1);
        if (answer.status < 300) reached.add(entrance);
        if (answer.status >= 500) report("5xx", `${answer.status} ${answer.text}`);
        if (leaks.test(answer.text)) report("leak", `${answer.status} ${answer.text}`);
        const evil = Object.keys(answer.headers).find((name) => name === "x-evil");
        if (evil !== undefined) report("header of the caller's", JSON.stringify(answer.headers));
      } catch (error) {
        report("no answer", String(error));
      }
    };
    for (let at = 0; done < requests && Date.now() < until && faults.length < 50; at++) {
      const batch = fc.sample(attempts, { numRuns: Math.min(batchSize, requests - done), seed: seed + at });
      await inParallel(batch, width, fuzz);
      done += batch.length;
      // Some of it deletes and signs out: with an account that is there, and signed in, the rest means more.
      const alive = await auth.ask("GET", "/user", { token: attacker.token });
      if (alive.status !== 200) attacker = await auth.newPerson();
    }
    // What we answer 500 to is our mistake, and only the server's own report says which.
    for (const observation of auth.observations) {
      if (observation.kind === "request.failed") faults.unshift(String((observation.error as Error).stack));
    }
    console.info("requests:", done, "answers:", Object.fromEntries([...tally].sort()), "faults:", faults.length);
    expect([...new Set(faults)].slice(0, 12).join("\n\n"), `${faults.length} faults, seed ${seed}`).toBe("");
    expect(await others()).toEqual(before);
    for (const person of bystanders) {
      expect((await auth.ask("GET", "/user", { token: person.token })).status).toBe(200);
      await auth.signIn(person);
    }
    // Enough was said right that the wrong was looked at.
    expect(done).toBeGreaterThan(2_000);
    expect(reached.size).toBeGreaterThan(20);
  });
});

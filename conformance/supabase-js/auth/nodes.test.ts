import type { Session } from "@supabase/supabase-js";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { claimsOf, deepLink, deviceStorage, newAddress, password } from "./auth-app.ts";
import { press } from "./inbox.ts";
import { type Node, type Nodes, startNodes } from "./nodes.ts";

/** What one node may take until it knows what another has done. */
const within = { timeout: 30_000, interval: 25 };

let nodes: Nodes;
beforeAll(async () => {
  nodes = await startNodes();
});
afterAll(() => nodes.stop());

async function signedUp(node: Node = nodes.a) {
  const email = newAddress();
  const client = node.client();
  const { data, error } = await node.admin.createUser({ email, password, email_confirm: true });
  expect(error).toBeNull();
  const signedIn = await client.auth.signInWithPassword({ email, password });
  expect(signedIn.error).toBeNull();
  return { client, email, id: data.user?.id ?? "", session: signedIn.data.session as Session };
}

describe("a sign-in on one node", () => {
  it("is one on the other: data, user, claims, refresh", async () => {
    const { client, session, id } = await signedUp();
    expect((await client.from("notes").insert({ body: "from a" })).error).toBeNull();
    const other = nodes.b.client();
    expect((await other.auth.setSession(session)).error).toBeNull();
    expect((await other.from("notes").select("body")).data).toEqual([{ body: "from a" }]);
    expect((await other.auth.getUser()).data.user?.id).toBe(id);
    expect((await other.auth.getClaims()).data?.claims.sub).toBe(id);
  });

  it("codes, links and challenges asked for on one are good on the other", async () => {
    const email = newAddress();
    await nodes.a.client().auth.signUp({ email, password });
    const { code } = await nodes.b.inbox.mail(email, "confirmation");
    const { error } = await nodes.b.client().auth.verifyOtp({ type: "signup", email, token: code });
    expect(error).toBeNull();

    const storage = deviceStorage();
    // One key for both, as an app has that reaches them through one name.
    const options = { flowType: "pkce", persistSession: true, storage, storageKey: "app" } as const;
    const began = nodes.a.client(options);
    await began.auth.signInWithOtp({ email, options: { emailRedirectTo: deepLink } });
    const { link } = await nodes.a.inbox.mail(email, "magic_link");
    const atB = new URL(link);
    atB.host = new URL(nodes.b.url).host;
    const url = await press(atB.href);
    const done = await nodes.b.client(options).auth.exchangeCodeForSession(url.searchParams.get("code") ?? "");
    expect([done.error, done.data.user?.email]).toEqual([null, email]);
  });

  it("refreshes at one and the other in turn, and at both at once", async () => {
    let { session } = await signedUp();
    const first = claimsOf(session.access_token).session_id;
    for (let turn = 0; turn < 20; turn++) {
      const node = turn % 2 === 0 ? nodes.b : nodes.a;
      const { data, error } = await node.client().auth.refreshSession({ refresh_token: session.refresh_token });
      expect(error).toBeNull();
      expect(data.session?.refresh_token).not.toBe(session.refresh_token);
      session = data.session as Session;
    }
    const answers = await Promise.all(
      [nodes.a, nodes.b, nodes.a, nodes.b].map((node) =>
        node.client().auth.refreshSession({ refresh_token: session.refresh_token }),
      ),
    );
    expect(answers.map(({ error }) => error)).toEqual([null, null, null, null]);
    expect(new Set(answers.map(({ data }) => data.session?.refresh_token)).size).toBe(1);
    expect(claimsOf(answers[0]?.data.session?.access_token ?? "").session_id).toBe(first);
  });
});

describe("A22 what is ended on one node", () => {
  type Person = Awaited<ReturnType<typeof signedUp>>;
  const endings: readonly [name: string, end: (person: Person) => Promise<{ readonly error: unknown }>][] = [
    ["a ban", ({ id }) => nodes.b.admin.updateUserById(id, { ban_duration: "24h" })],
    ["deletion", ({ id }) => nodes.b.admin.deleteUser(id)],
    ["soft deletion", ({ id }) => nodes.b.admin.deleteUser(id, true)],
    ["sign-out", ({ session }) => nodes.b.admin.signOut(session.access_token)],
    ["a password set by an admin", ({ id }) => nodes.b.admin.updateUserById(id, { password: "set by an admin" })],
    [
      "a recovered password",
      async ({ email }) => {
        const client = nodes.b.client();
        await client.auth.resetPasswordForEmail(email);
        const { code } = await nodes.b.inbox.mail(email, "recovery");
        await client.auth.verifyOtp({ type: "recovery", email, token: code });
        return client.auth.updateUser({ password: "an entirely new one" });
      },
    ],
  ];

  it.each(endings)("%s: over on the other in 5 s, for the account and for data", async (_, end) => {
    const person = await signedUp();
    const bystander = await signedUp();
    const { access_token: token, refresh_token } = person.session;
    expect(await nodes.a.restStatus(token)).toBe(200);
    expect((await end(person)).error).toBeNull();
    // The account itself is looked up each time.
    expect((await nodes.a.client().auth.getUser(token)).error?.status).toBeGreaterThanOrEqual(400);
    await vi.waitFor(async () => expect(await nodes.a.restStatus(token)).toBe(401), within);
    expect((await person.client.from("notes").select("body")).error).toMatchObject({ code: "PGRST303" });
    expect((await nodes.a.client().auth.refreshSession({ refresh_token })).error?.status).toBe(400);
    // Nobody else is.
    expect(await nodes.a.restStatus(bystander.session.access_token)).toBe(200);
  });

  it("others: the device that asked goes on", async () => {
    const { client, email, session } = await signedUp();
    const { data } = await nodes.b.client().auth.signInWithPassword({ email, password });
    const other = data.session?.access_token ?? "";
    expect((await nodes.b.admin.signOut(session.access_token, "others")).error).toBeNull();
    await vi.waitFor(async () => expect(await nodes.a.restStatus(other)).toBe(401), within);
    expect(await nodes.a.restStatus(session.access_token)).toBe(200);
    expect((await client.auth.getUser()).error).toBeNull();
  });
});

describe("limits", () => {
  let limited: Nodes;
  beforeAll(async () => {
    limited = await startNodes({ rateLimits: true, rateLimitSignIn: 4, rateLimitExchangeMs: 50 });
  });
  afterAll(() => limited.stop());

  it("A12 count over both", async () => {
    const refusals: unknown[] = [];
    for (let turn = 0; turn < 10; turn++) {
      const node = turn % 2 === 0 ? limited.a : limited.b;
      const { error } = await node.client().auth.signInWithPassword({ email: newAddress(), password });
      refusals.push(error?.code);
    }
    expect(refusals.slice(0, 4)).toEqual(Array(4).fill("invalid_credentials"));
    expect(refusals.slice(-4)).toEqual(Array(4).fill("over_request_rate_limit"));
    const { error } = await limited.a.client().auth.signInWithPassword({ email: newAddress(), password });
    expect(error).toMatchObject({ name: "AuthApiError", status: 429 });
  });

  it("one mail a minute to one address, whichever is asked", async () => {
    const email = newAddress();
    expect((await limited.a.client().auth.signInWithOtp({ email })).error).toBeNull();
    const { error } = await limited.b.client().auth.signInWithOtp({ email });
    expect(error).toMatchObject({ status: 429, code: "over_email_send_rate_limit" });
    expect(error?.message).toMatch(/after \d+ seconds/);
  });
});

describe("A04 keys", () => {
  const kidOf = (token: string): string =>
    JSON.parse(Buffer.from(token.split(".")[0] ?? "", "base64url").toString()).kid;
  const publishedAt = async ({ url }: Node): Promise<readonly string[]> => {
    const { keys } = (await (await fetch(`${url}/auth/v1/.well-known/jwks.json`)).json()) as {
      keys: { kid: string }[];
    };
    return keys.map(({ kid }) => kid);
  };
  const bothSignWith = (isRight: (kid: string) => boolean) =>
    vi.waitFor(async () => {
      for (const node of [nodes.a, nodes.b]) {
        const { session } = await signedUp(node);
        expect(isRight(kidOf(session.access_token))).toBe(true);
      }
    }, within);

  it("a rotation reaches both, and signs nobody out", async () => {
    const { client, session } = await signedUp();
    const old = kidOf(session.access_token);
    await nodes.mainstay("keys", "rotate");
    await bothSignWith((kid) => kid !== old);
    expect(await publishedAt(nodes.b)).toEqual(await publishedAt(nodes.a));
    expect(await publishedAt(nodes.a)).toContain(old);
    const other = nodes.b.client();
    expect((await other.auth.setSession(session)).error).toBeNull();
    expect(await Promise.all([nodes.a, nodes.b].map((node) => node.restStatus(session.access_token)))).toEqual([
      200, 200,
    ]);
    expect((await client.auth.getUser()).error).toBeNull();
    const { data, error } = await other.auth.refreshSession();
    expect(error).toBeNull();
    expect(kidOf(data.session?.access_token ?? "")).not.toBe(old);
    expect((await nodes.a.client().auth.getClaims(data.session?.access_token)).error).toBeNull();
  });

  it("a key that leaked is dead on both in 5 s; whoever has a refresh token goes on", async () => {
    const { client, session } = await signedUp();
    const old = kidOf(session.access_token);
    await nodes.mainstay("keys", "rotate", "--revoke");
    await vi.waitFor(async () => {
      for (const node of [nodes.a, nodes.b]) {
        expect(await node.restStatus(session.access_token)).toBe(401);
        expect((await node.client().auth.getUser(session.access_token)).error).toMatchObject({
          status: 403,
          code: "bad_jwt",
        });
      }
    }, within);
    for (const node of [nodes.a, nodes.b]) expect(await publishedAt(node)).not.toContain(old);
    await bothSignWith((kid) => kid !== old);
    const { data, error } = await client.auth.refreshSession();
    expect(error).toBeNull();
    expect(await nodes.b.restStatus(data.session?.access_token ?? "")).toBe(200);
  });
});

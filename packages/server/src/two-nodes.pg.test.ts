import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type BootedApp, boot } from "@mainstay/testing";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { type RunningServer, startServer } from "./compose.ts";

/** What the issue allows the other node to take until it knows. */
const withinMs = 5_000;
const env = { MAINSTAY_MASTER_KEY: "the master key of two nodes, long enough" };
const settings = { auth: { rateLimits: false, hashMemoryKib: 7_168, hashPasses: 1 } };

let first: BootedApp;
let second: RunningServer;
let dir: string;

beforeAll(async () => {
  first = await boot({
    env,
    settings,
    sql: "create table notes (id int); grant select on notes to anon, authenticated; insert into notes values (1)",
  });
  dir = await mkdtemp(join(tmpdir(), "mainstay-second-"));
  second = await startServer({
    projectDir: dir,
    flags: { ...settings, http: { port: 0 } },
    env: { DATABASE_URL: first.databaseUrl, ...env },
    observe: () => {},
  });
});
afterAll(async () => {
  await second?.stop(AbortSignal.timeout(5_000));
  await first?.stop();
  await rm(dir, { recursive: true, force: true });
});

interface Answer {
  readonly status: number;
  // biome-ignore lint/suspicious/noExplicitAny: tests look into answers of every shape
  readonly body: any;
}

async function ask(url: string, path: string, token: string | null, body?: unknown, method?: string): Promise<Answer> {
  const reply = await fetch(`${url}${path}`, {
    method: method ?? (body === undefined ? "GET" : "POST"),
    headers: {
      apikey: token === second.keys.secretKey ? token : second.keys.publishableKey,
      ...(token === null ? {} : { authorization: `Bearer ${token}` }),
      "content-type": "application/json",
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  const text = await reply.text();
  return { status: reply.status, body: text === "" ? null : JSON.parse(text) };
}

let count = 0;
async function signedUp() {
  const email = `two-nodes-${++count}@example.com`;
  const { status, body } = await ask(first.url, "/auth/v1/signup", null, { email, password: "correct horse" });
  expect(status).toBe(200);
  return { email, id: body.user.id as string, token: body.access_token as string };
}

const read = (token: string) => ask(second.url, "/rest/v1/notes", token);
const admin = (path: string, body: unknown, method: string) =>
  ask(first.url, `/auth/v1/admin/users/${path}`, second.keys.secretKey, body, method);

describe("A22 two servers on one database", () => {
  const endings: [name: string, end: (user: Awaited<ReturnType<typeof signedUp>>) => Promise<Answer>, code: string][] =
    [
      ["sign-out", ({ token }) => ask(first.url, "/auth/v1/logout", token, {}), "session_not_found"],
      ["a ban", ({ id }) => admin(id, { ban_duration: "24h" }, "PUT"), "user_banned"],
      ["deletion", ({ id }) => admin(id, {}, "DELETE"), "user_not_found"],
      ["a new password by an admin", ({ id }) => admin(id, { password: "another horse" }, "PUT"), "session_not_found"],
    ];

  test.each(endings)(
    "A22 after %s on one, the other refuses the token in time, at /rest as at /user",
    async (_, end, code) => {
      const user = await signedUp();
      expect((await read(user.token)).body).toEqual([{ id: 1 }]);
      expect((await end(user)).status).toBeLessThan(300);
      await vi.waitFor(async () => expect((await read(user.token)).status).toBe(401), {
        timeout: withinMs,
        interval: 20,
      });
      const refused = await read(user.token);
      expect(refused.body).toMatchObject({ code: "PGRST303" });
      const { status, body } = await ask(second.url, "/auth/v1/user", user.token);
      expect([status, body.error_code]).toEqual([403, code]);
    },
  );

  test("A22 a new password ends the other device at /rest too, and not the one that changed it", async () => {
    const user = await signedUp();
    const other = await ask(second.url, "/auth/v1/token?grant_type=password", null, {
      email: user.email,
      password: "correct horse",
    });
    await ask(first.url, "/auth/v1/user", user.token, { password: "another horse" }, "PUT");
    await vi.waitFor(async () => expect((await read(other.body.access_token)).status).toBe(401), {
      timeout: withinMs,
      interval: 20,
    });
    expect((await read(user.token)).status).toBe(200);
  });
});

test("A04 both have the same keys, and a token of one is good at the other", async () => {
  expect(second.keys).toEqual(first.server.keys);
  expect((await read((await signedUp()).token)).status).toBe(200);
});

test("A12 A13 sign-ins from one address are counted over both, whatever headers say", async () => {
  const [one, other] = await Promise.all(
    [1, 2].map(async () => {
      const projectDir = await mkdtemp(join(tmpdir(), "mainstay-limited-"));
      const server = await startServer({
        projectDir,
        flags: { auth: { ...settings.auth, rateLimits: true, rateLimitSignIn: 4 }, http: { port: 0 } },
        env: { DATABASE_URL: first.databaseUrl, ...env },
        observe: () => {},
      });
      return {
        server,
        stop: () => server.stop(AbortSignal.timeout(5_000)).then(() => rm(projectDir, { recursive: true })),
      };
    }),
  );
  try {
    const statuses: number[] = [];
    for (let n = 0; n < 12; n++) {
      const reply = await fetch(`${[one, other][n % 2]!.server.url}/auth/v1/token?grant_type=password`, {
        method: "POST",
        headers: {
          apikey: second.keys.publishableKey,
          "x-forwarded-for": `198.51.100.${n}`,
          forwarded: `for=198.51.100.${n}`,
          "x-real-ip": `198.51.100.${n}`,
          cookie: `n=${n}`,
        },
        body: JSON.stringify({ email: `nobody${n}@example.com`, password: "wrong", n }),
      });
      statuses.push(reply.status);
      if (reply.status === 429) expect(reply.headers.get("ratelimit-policy")).toBe('"signIn";q=4;w=300');
      await reply.arrayBuffer();
    }
    expect(statuses).toEqual([...Array<number>(4).fill(400), ...Array<number>(8).fill(429)]);
  } finally {
    await Promise.all([one!.stop(), other!.stop()]);
  }
});

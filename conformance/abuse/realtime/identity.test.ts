import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { forgedTokens } from "../auth/forgeries.ts";
import { googleAt, type Issuer, openIssuer } from "../auth/issuer.ts";
import { type AuthServer, type Person, startAuth } from "../auth/server.ts";
import { runMainstay } from "../command.ts";
import { failuresOf, type RealtimeApp, withClients } from "./app.ts";
import type { Client } from "./client.ts";
import { handshake } from "./client.ts";

const jwtSecret = "a shared secret of the days before asymmetric keys, 64 bytes long";

let issuer: Issuer;
let auth: AuthServer;
let app: RealtimeApp;
let person: Person;
let forged: Readonly<Record<string, string>>;
beforeAll(async () => {
  issuer = await openIssuer();
  auth = await startAuth({
    identity: { jwtSecret, jwtAlgorithm: "ES256", jwtLeewaySeconds: 0 },
    auth: { ...googleAt(issuer), mailerAutoconfirm: true },
  });
  app = withClients(auth);
  await app.sql(`
    create policy "users" on realtime.messages for select to authenticated using (true);
    create policy "users write" on realtime.messages for insert to authenticated with check (true);
    create policy "the service" on realtime.messages for select to service_role using (true);
    create table public.notes (id int primary key); alter publication supabase_realtime add table public.notes;
    grant select on public.notes to authenticated`);
  person = await auth.newPerson();
  forged = await forgedTokens({ server: auth, person, jwtSecret, issuer });
});
afterAll(async () => {
  await app.stop();
  await issuer.close();
});

/** What is no token at all, and must not be taken for none. */
const noTokens: Readonly<Record<string, unknown>> = {
  "an object": { role: "service_role" },
  "a list": ["eyJ"],
  "a number": 1,
  true: true,
  false: false,
  zero: 0,
  "a word": "null",
  undefined: "undefined",
  "a space": " ",
  Bearer: `Bearer ${"x".repeat(20)}`,
  long: "e".repeat(100_000),
};

const isOver = (message: { event: string; topic: string }, topic: string): boolean =>
  message.event === "phx_close" && message.topic === topic;

async function expectNothing(client: Client, topic: string): Promise<void> {
  const reply = await client.ask(topic, "broadcast", { type: "broadcast", event: "x", payload: {} });
  expect(reply).toEqual({ status: "error", response: { reason: "unmatched topic" } });
}

describe("R01 A03 a token that fails is no token, and never more", () => {
  test("R01 A03 forged ones open no websocket, as key or as header", async () => {
    expect(Object.keys(forged).length).toBeGreaterThanOrEqual(40);
    for (const [what, token] of Object.entries(forged)) {
      const asKey = await handshake(app.url, { key: token });
      expect.soft([asKey.status, Object.keys(JSON.parse(asKey.body))], `${what} as key`).toEqual([401, ["error"]]);
      // What no header can carry is no threat there.
      if (/[^\x21-\x7e]/.test(token)) continue;
      const asHeader = await handshake(app.url, { key: app.anonKey, headers: { "x-api-key": token } });
      expect.soft(asHeader.status, `${what} as header`).toBe(401);
    }
  });

  test("R01 A03 forged ones join nothing, by either name, public or private", async () => {
    for (const [what, token] of Object.entries(forged)) {
      const client = await app.connect();
      for (const [at, name] of ["access_token", "user_token"].entries()) {
        for (const isPrivate of [false, true]) {
          const topic = `realtime:forged-${at}-${isPrivate}`;
          const reply = await client.ask(topic, "phx_join", { config: { private: isPrivate }, [name]: token });
          expect.soft(reply.status, `${what} as ${name}`).toBe("error");
          expect.soft(reply.response.reason, what).toMatch(/^(InvalidJWTToken|MalformedJWT|JwtSignatureError): /);
          await expectNothing(client, topic);
        }
      }
      client.cut();
    }
  });

  test("R01 A03 forged ones end the channel they come on, and what was there by the old one with it", async () => {
    for (const [what, token] of Object.entries(forged)) {
      const client = await app.connect();
      const [hit, other] = ["realtime:hit", "realtime:other"];
      for (const topic of [hit, other]) {
        expect((await client.join(topic, { private: true }, person.token)).status).toBe("ok");
      }
      client.push(hit, "access_token", { access_token: token });
      await client.next((message) => isOver(message, hit));
      expect.soft(client.of("system", hit).at(-1)?.payload.status, what).toBe("error");
      await expectNothing(client, hit);
      // Nobody else is touched by it.
      expect(client.of("phx_close", other)).toEqual([]);
      client.cut();
    }
  });

  test("R01 what is no token is refused, and not passed over for the key", async () => {
    for (const [what, token] of Object.entries(noTokens)) {
      const client = await app.connect({ key: app.serviceRoleKey });
      const reply = await client.join("realtime:lobby", {}, token);
      expect.soft(reply.status, what).toBe("error");
      expect((await client.join("realtime:lobby", {}, person.token)).status).toBe("ok");
      client.push("realtime:lobby", "access_token", { access_token: token });
      await client.next((message) => isOver(message, "realtime:lobby"));
      client.cut();
    }
  });

  test("R01 no token leaves the key, and the key of somebody anonymous has the least rights", async () => {
    for (const token of [null, "", app.publishableKey, "sb_secret_of_somebody_else"]) {
      const client = await app.connect();
      expect((await client.join("realtime:lobby", {}, token)).status).toBe("ok");
      const reply = await client.join("realtime:secret", { private: true }, token);
      expect(reply.response.reason).toMatch(/^Unauthorized: /);
      // Nor does it end what a good token has opened.
      expect((await client.join("realtime:secret", { private: true }, person.token)).status).toBe("ok");
      client.push("realtime:secret", "access_token", { access_token: token });
      expect(await client.beat()).toBe(true);
      expect(client.of("phx_close", "realtime:secret")).toEqual([]);
      client.cut();
    }
  });

  test("R01 nobody connects without a key, with an empty one, or with one that was never given out", async () => {
    for (const key of [null, "", " ", "null", "undefined", "sb_publishable_x", "sb_secret_x", `${app.anonKey}x`]) {
      const { status, body } = await handshake(app.url, { key });
      expect([key, status]).toEqual([key, 401]);
      expect(JSON.parse(body)).toEqual({ error: expect.any(String) });
    }
  });

  test("B07 what is refused says the same of what is there and what is not", async () => {
    await app.sql("create table if not exists public.hidden (id int primary key)");
    const client = await app.connect();
    const follow = (table: string) =>
      client.follow(`realtime:${table}`, [{ event: "*", schema: "public", table }]).then(
        () => "",
        (error: Error) => error.message.replaceAll(table, "?"),
      );
    expect(await follow("hidden")).toBe(await follow("absent"));
    expect(await follow("hidden")).toContain("has no table");
    const join = async (name: string) => JSON.stringify(await client.join(`realtime:${name}`, { private: true }));
    expect((await join("nobodys")).replace("nobodys", "?")).toBe((await join("users")).replace("users", "?"));
  });
});

describe("A04 keys that were replaced", () => {
  const withinMs = 5_000;
  const rotate = async (...flags: string[]): Promise<void> => {
    const { dir, dataDir } = app.server.project;
    const run = runMainstay(["keys", "rotate", "--yes", ...flags], dir, {
      MAINSTAY_DATA_DIR: dataDir,
      JWT_SECRET: jwtSecret,
      MAINSTAY_JWT_ALGORITHM: "ES256",
    });
    expect(await run.ended, run.output()).toBe(0);
  };

  test("A04 tokens of a revoked key end their channels, API keys their sockets, on a server that is told by nobody", async () => {
    const old = { ...app.server.keys };
    const withToken = await app.connect();
    expect((await withToken.join("realtime:mine", { private: true }, person.token)).status).toBe("ok");
    expect((await withToken.join("realtime:lobby")).status).toBe("ok");
    await rotate("--revoke");
    const revokedAtMs = performance.now();
    await withToken.next((message) => isOver(message, "realtime:mine"));
    expect(performance.now() - revokedAtMs).toBeLessThan(withinMs);
    expect(withToken.of("system", "realtime:mine").at(-1)?.payload.message).toContain("its key was revoked");
    // By the API key, which is as good as before.
    expect(withToken.of("phx_close", "realtime:lobby")).toEqual([]);
    expect((await withToken.join("realtime:mine", { private: true }, person.token)).status).toBe("error");

    const sockets = await Promise.all(
      [old.publishableKey, old.secretKey].map(async (key) => {
        const socket = await app.connect({ key });
        expect((await socket.join("realtime:lobby")).status).toBe("ok");
        return { key, socket };
      }),
    );
    await rotate("--api-keys");
    const replacedAtMs = performance.now();
    for (const { key, socket } of sockets) {
      expect(await socket.closed).toEqual({ code: 1008, reason: "The API key is not valid any more" });
      expect(performance.now() - replacedAtMs).toBeLessThan(withinMs);
      expect((await handshake(app.url, { key })).status).toBe(401);
    }
    const fresh = await app.connect({ key: app.server.keys.publishableKey });
    expect((await fresh.join("realtime:lobby")).status).toBe("ok");
  });
});

describe("A28 secrets in what is reported", () => {
  test("A28 no key and no token that came over a websocket is in any report", () => {
    const reports = JSON.stringify(app.observations, (_key, value) =>
      value instanceof Error ? { message: value.message, stack: value.stack } : value,
    );
    const secrets = [app.secretKey, app.serviceRoleKey, app.anonKey, person.token, person.refreshToken, jwtSecret];
    for (const secret of [...secrets, ...Object.values(forged)]) {
      const part = secret.split(".").at(-1) ?? "";
      if (part.length > 8) expect(reports.includes(part)).toBe(false);
    }
    expect(failuresOf(app)).toEqual([]);
  });
});

import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import type { Reply } from "../../../kernel/route.ts";
import type { AuthContext } from "../context.ts";
import { openTestAuth, type TestAuth } from "../testing.ts";
import { createErasures } from "./due.ts";

let auth: TestAuth;
let at = 0;
const password = "correct horse battery";

beforeAll(async () => {
  auth = await openTestAuth();
  await auth.sql(`
    create table public.profiles (id uuid primary key references auth.users on delete cascade, name text);
    create table public.posts (id bigint generated always as identity primary key,
      author uuid not null references public.profiles on delete cascade, title text);
    create table public.comments (id bigint generated always as identity primary key,
      post bigint references public.posts on delete cascade,
      answers bigint references public.comments on delete cascade,
      moderated_by uuid references auth.users on delete set null, body text);
    create table public.orders (id bigint generated always as identity primary key,
      buyer uuid references auth.users on delete restrict, item text);
    create table public.invoices (id bigint generated always as identity primary key,
      "the order" bigint references public.orders, total int);
    create schema "Odd Schema";
    create table "Odd Schema"."Log ""x""" (owner uuid references auth.users on delete cascade, at date not null, note text)
      partition by range (at);
    create table "Odd Schema".log_2026 partition of "Odd Schema"."Log ""x""" for values from ('2026-01-01') to ('2027-01-01');
    create table public.bystanders (id int primary key, user_id uuid)`);
});
afterAll(() => auth.close());

interface Person {
  readonly id: string;
  readonly email: string;
  readonly token: string;
}

async function person(server = auth): Promise<Person> {
  const email = `person${++at}@example.com`;
  const { body } = await server.send("POST", "/signup", { body: { email, password } });
  return { id: body.user.id, email, token: body.access_token };
}

/** A profile, two posts, a thread below one, a comment moderated elsewhere, a partitioned log. */
async function busyPerson(): Promise<Person> {
  const one = await person();
  await auth.sql("insert into profiles values ($1, 'Ann')", [one.id]);
  await auth.sql(
    `with p as (insert into posts (author, title) values ($1, 'first'), ($1, 'second') returning id),
      c as (insert into comments (post, body) select min(id), 'root' from p returning id)
     insert into comments (answers, body) select id, 'answer' from c`,
    [one.id],
  );
  await auth.sql("insert into comments (answers, body) select max(id), 'answer to the answer' from comments");
  await auth.sql("insert into comments (moderated_by, body) values ($1, 'not theirs')", [one.id]);
  await auth.sql(`insert into "Odd Schema"."Log ""x""" values ($1, '2026-05-05', 'was here')`, [one.id]);
  return one;
}

const planOf = (rows: { schema: string; table: string; action: string; rows: number }[]) =>
  Object.fromEntries(
    rows
      .filter(({ schema }) => !["auth", "mainstay"].includes(schema))
      .map(({ schema, table, action, rows }) => [`${schema}.${table} ${action}`, rows]),
  );

const whole = {
  'Odd Schema.Log "x" delete': 1,
  "public.comments delete": 3,
  "public.comments detach": 1,
  "public.posts delete": 2,
  "public.profiles delete": 1,
};

async function textOf(body: Reply["body"]): Promise<string> {
  let text = "";
  for await (const chunk of body as AsyncIterable<string>) text += chunk;
  return text;
}

let ann: Person;
beforeEach(async () => {
  ann = await busyPerson();
});

describe("a preview", () => {
  test("follows foreign keys through tables, threads and partitions, and changes nothing", async () => {
    await person();
    const { status, body } = await auth.send("GET", "/user/deletion-preview", { token: ann.token });
    expect([status, body.dry_run, body.is_blocked]).toEqual([200, true, false]);
    expect(planOf(body.rows)).toEqual(whole);
    const own = body.rows.filter(({ schema }: { schema: string }) => schema === "auth");
    expect(own.map(({ table }: { table: string }) => table)).toEqual(
      expect.arrayContaining(["users", "identities", "sessions", "mfa_amr_claims"]),
    );
    expect(await auth.sql("select from posts where author = $1", [ann.id])).toHaveLength(2);
    const byAdmin = await auth.admin("GET", `/admin/users/${ann.id}/deletion-preview`);
    expect(byAdmin.body.rows).toEqual(body.rows);
  });

  test("says what stands in the way, and that it no longer does where the setting names the table", async () => {
    await auth.sql(
      "with o as (insert into orders (buyer, item) values ($1, 'tea') returning id) insert into invoices (\"the order\", total) select id, 3 from o",
      [ann.id],
    );
    const blocked = (await auth.send("GET", "/user/deletion-preview", { token: ann.token })).body;
    expect([blocked.is_blocked, planOf(blocked.rows)]).toEqual([true, { ...whole, "public.orders block": 1 }]);
    // What references the removed rows is in the way in its turn.
    const half = auth.with({ accountErasedTables: ["public.orders"] });
    expect(planOf((await half.send("GET", "/user/deletion-preview", { token: ann.token })).body.rows)).toEqual({
      ...whole,
      "public.orders delete": 1,
      "public.invoices block": 1,
    });
    const all = auth.with({ accountErasedTables: ["public.orders", "public.invoices"] });
    const preview = (await all.send("GET", "/user/deletion-preview", { token: ann.token })).body;
    expect([preview.is_blocked, planOf(preview.rows)]).toEqual([
      false,
      { ...whole, "public.orders delete": 1, "public.invoices delete": 1 },
    ]);
  });

  test("needs a user, and an admin for somebody else", async () => {
    expect((await auth.send("GET", "/user/deletion-preview")).status).toBe(401);
    expect((await auth.send("GET", `/admin/users/${ann.id}/deletion-preview`, { token: ann.token })).status).toBe(403);
    expect((await auth.send("GET", `/admin/users/${ann.id}/export`, { token: ann.token })).status).toBe(403);
    expect((await auth.admin("GET", "/admin/users/../export")).status).toBe(404);
    expect((await auth.admin("GET", `/admin/users/${crypto.randomUUID()}/deletion-preview`)).status).toBe(404);
    expect((await auth.admin("GET", `/admin/users/${crypto.randomUUID()}/export`)).status).toBe(404);
  });
});

describe("deletion", () => {
  test("takes what is the user's, detaches what is not, and leaves everybody else's", async () => {
    const bob = await busyPerson();
    const { status, body } = await auth.send("DELETE", "/user", { token: ann.token });
    expect([status, body.status, planOf(body.rows)]).toEqual([200, "deleted", whole]);
    expect(await auth.sql("select from auth.users where id = $1", [ann.id])).toEqual([]);
    expect(await auth.sql("select from posts where author = $1", [ann.id])).toEqual([]);
    expect(await auth.sql("select from posts where author = $1", [bob.id])).toHaveLength(2);
    expect(await auth.sql("select from comments where moderated_by is null and body = 'not theirs'")).toHaveLength(1);
    // A22: the token outlives nothing.
    expect((await auth.send("GET", "/user", { token: ann.token })).status).toBe(403);
    const again = await auth.send("POST", "/token?grant_type=password", { body: { email: ann.email, password } });
    expect(again.body.error_code).toBe("invalid_credentials");
  });

  test("is refused as a whole while rows stand in the way", async () => {
    await auth.sql("insert into orders (buyer, item) values ($1, 'tea')", [ann.id]);
    const { status, body } = await auth.send("DELETE", "/user", { token: ann.token });
    expect([status, body.error_code]).toEqual([409, "conflict"]);
    expect(body.rows).toEqual([{ schema: "public", table: "orders", action: "block", rows: 1 }]);
    expect((await auth.send("GET", "/user", { token: ann.token })).status).toBe(200);
    expect(await auth.sql("select from posts where author = $1", [ann.id])).toHaveLength(2);
    expect((await auth.admin("DELETE", `/admin/users/${ann.id}`)).status).toBe(409);
  });

  test("takes tables the setting names, those that reference others first", async () => {
    await auth.sql(
      "with o as (insert into orders (buyer, item) values ($1, 'tea') returning id) insert into invoices (\"the order\", total) select id, 3 from o",
      [ann.id],
    );
    const server = auth.with({ accountErasedTables: ["public.invoices", "public.orders"] });
    expect((await server.send("DELETE", "/user", { token: ann.token })).status).toBe(200);
    expect(await auth.sql("select from orders where buyer = $1", [ann.id])).toEqual([]);
  });

  test("asks a session that is not fresh for the password or a nonce", async () => {
    await auth.sql("update auth.sessions set created_at = now() - interval '1 hour' where user_id = $1", [ann.id]);
    const attempt = (body?: unknown) => auth.send("DELETE", "/user", { token: ann.token, body });
    expect((await attempt()).body.error_code).toBe("reauthentication_needed");
    expect((await attempt({ password: "wrong" })).body.error_code).toBe("current_password_invalid");
    expect((await attempt({ nonce: "000000" })).body.error_code).toBe("reauthentication_not_valid");
    expect((await auth.send("GET", "/user/export", { token: ann.token })).body.error_code).toBe(
      "reauthentication_needed",
    );
    await auth.send("GET", "/reauthenticate", { token: ann.token });
    const nonce = auth.sent.mails.at(-1)?.otp;
    expect((await attempt({ nonce })).body.status).toBe("deleted");
    const bob = await person();
    await auth.sql("update auth.sessions set created_at = now() - interval '1 hour' where user_id = $1", [bob.id]);
    expect((await auth.send("DELETE", "/user", { token: bob.token, body: { password } })).body.status).toBe("deleted");
  });

  test("A12 is no place to guess a password at", async () => {
    const server = auth.with({ rateLimits: true, lockoutAfter: 3 });
    await auth.sql("update auth.sessions set created_at = now() - interval '1 hour' where user_id = $1", [ann.id]);
    const statuses = [];
    for (let one = 0; one < 5; one++) {
      statuses.push(
        (await server.send("DELETE", "/user", { token: ann.token, body: { password: `no${one}` } })).status,
      );
    }
    expect(statuses).toEqual([400, 400, 400, 429, 429]);
  });

  test("A23 asks for the second factor where there is one", async () => {
    await auth.sql(
      `insert into auth.mfa_factors (id, user_id, factor_type, status, created_at, updated_at)
       values (gen_random_uuid(), $1, 'totp', 'verified', now(), now())`,
      [ann.id],
    );
    for (const [method, path] of [
      ["DELETE", "/user"],
      ["GET", "/user/export"],
    ] as const) {
      const reply = await auth.send(method, path, { token: ann.token, body: { password } });
      expect([reply.status, reply.body.error_code]).toEqual([401, "insufficient_aal"]);
    }
  });

  test("waits for the grace period, and is taken back by signing in", async () => {
    const server = auth.with({ accountGraceDays: 30 });
    const { status, body } = await server.send("DELETE", "/user", { token: ann.token });
    expect([status, body.status]).toEqual([202, "scheduled"]);
    expect(Date.parse(body.due_at) - Date.now()).toBeGreaterThan(29 * 86_400_000);
    expect((await server.send("GET", "/user", { token: ann.token })).status).toBe(403);
    const pending = () => auth.sql("select from mainstay.account_erasures where user_id = $1", [ann.id]);
    expect(await pending()).toHaveLength(1);
    await server.send("POST", "/token?grant_type=password", { body: { email: ann.email, password } });
    expect(await pending()).toEqual([]);
  });

  test("50 at once delete once", async () => {
    const replies = await Promise.all(
      Array.from({ length: 50 }, () => auth.send("DELETE", "/user", { token: ann.token })),
    );
    expect(replies.filter(({ status }) => status === 200)).toHaveLength(1);
    const proofs = await auth.sql(
      "select from auth.audit_log_entries where payload ->> 'action' = 'user_deleted' and created_at > now() - interval '1 minute' and payload -> 'traits' ->> 'subject' = $1",
      [await proofOf(ann.id)],
    );
    expect(proofs).toHaveLength(1);
  });
});

/** The pseudonym as the server makes it, by the key that the test's server has, too. */
async function proofOf(userId: string): Promise<string> {
  const { pseudonymOf } = await import("./erase.ts");
  return pseudonymOf({ signer: auth.identity.signer }, userId);
}

describe("what is due", () => {
  test("is erased by whichever node comes first, and tried again where something is in the way", async () => {
    const bob = await busyPerson();
    await auth.sql("insert into orders (buyer, item) values ($1, 'tea')", [bob.id]);
    await auth.sql("insert into mainstay.account_erasures (user_id, due_at) values ($1, now()), ($2, now())", [
      ann.id,
      bob.id,
    ]);
    const audit = { record: async () => {} };
    const context = {
      db: auth.db,
      signer: auth.identity.signer,
      settings: { accountErasedTables: [] as readonly string[] },
      onErased: [],
      observe: (one: never) => void auth.seen.push(one),
      audit,
    } as unknown as AuthContext;
    await Promise.all([createErasures(context).eraseDue(), createErasures(context).eraseDue()]);
    expect(await auth.sql("select from auth.users where id = $1", [ann.id])).toEqual([]);
    const [left] = await auth.sql(
      "select attempts, last_error, due_at > now() as later from mainstay.account_erasures where user_id = $1",
      [bob.id],
    );
    expect(left).toEqual({ attempts: 1, last_error: "auth/conflict", later: true });
    await auth.sql("delete from mainstay.account_erasures");
  });
});

describe("by SQL", () => {
  const asUser = async (claims: Record<string, unknown>, statement: string) => {
    await auth.sql("begin");
    try {
      await auth.sql("select set_config('request.jwt.claims', $1, true)", [JSON.stringify(claims)]);
      await auth.sql("set local role authenticated");
      const rows = await auth.sql(statement);
      await auth.sql("commit");
      return rows[0]?.result as Record<string, unknown>;
    } catch (error) {
      await auth.sql("rollback");
      throw error;
    }
  };
  const claimsOf = (token: string) => JSON.parse(Buffer.from(token.split(".")[1]!, "base64url").toString());

  test("a user previews and asks for the end of their own account, with a fresh session only", async () => {
    const claims = claimsOf(ann.token);
    const preview = await asUser(claims, "select auth.delete_account() as result");
    expect(planOf(preview.rows as never)).toEqual(whole);
    expect(await auth.sql("select from mainstay.account_erasures")).toEqual([]);
    const stale = { ...claims, session_id: crypto.randomUUID() };
    await expect(asUser(stale, "select auth.delete_account(false)")).rejects.toMatchObject({ code: "PT403" });
    await expect(asUser({ role: "authenticated" }, "select auth.delete_account(false)")).rejects.toMatchObject({
      code: "PT401",
    });
    await asUser(claims, "select auth.delete_account(false) as result");
    expect(await auth.sql("select user_id from mainstay.account_erasures")).toEqual([{ user_id: ann.id }]);
    expect((await auth.send("GET", "/user", { token: ann.token })).status).toBe(403);
    await auth.sql("delete from mainstay.account_erasures");
  });

  test("nobody reaches what acts on any account", async () => {
    for (const role of ["anon", "authenticated", "service_role"]) {
      for (const call of [
        `mainstay.erase_account('${ann.id}', '{}', 'x')`,
        `mainstay.account_plan('${ann.id}', '{}')`,
        `mainstay.mark_account('${ann.id}', '{}')`,
        "mainstay.delete_account(false)",
      ]) {
        await auth.sql("begin");
        await auth.sql(`set local role ${role}`);
        await expect(auth.sql(`select ${call}`)).rejects.toMatchObject({ code: "42501" });
        await auth.sql("rollback");
      }
    }
    await expect(asUser({}, "select auth.delete_account(false)")).rejects.toMatchObject({ code: "PT401" });
  });
});

describe("an export", () => {
  test("has everything of the user's, and no secret", async () => {
    await auth.sql("insert into orders (buyer, item) values ($1, 'tea \"and\" milk')", [ann.id]);
    const reply = await auth.send("GET", "/user/export", { token: ann.token });
    expect([reply.status, reply.headers["cache-control"]]).toEqual([200, "private, no-store"]);
    const text = await textOf(reply.body);
    const document = JSON.parse(text);
    expect(document).toMatchObject({ format: "mainstay.account-export/1", user: { id: ann.id, email: ann.email } });
    expect(document.user.identities).toHaveLength(1);
    expect(document.sessions).toHaveLength(1);
    expect(document.audit_log.map(({ action }: { action: string }) => action)).toContain("user_signedup");
    const tables = Object.fromEntries(
      document.tables.map((one: { schema: string; table: string; action: string; rows: unknown[] }) => [
        `${one.schema}.${one.table} ${one.action}`,
        one.rows.length,
      ]),
    );
    expect(tables).toEqual({ ...whole, "public.orders block": 1 });
    expect(text).toContain("answer to the answer");
    expect(text).toContain('tea \\"and\\" milk');
    const [stored] = await auth.sql(
      "select encrypted_password as hash, s.refresh_token_hmac_key as key from auth.users u join auth.sessions s on s.user_id = u.id where u.id = $1",
      [ann.id],
    );
    for (const secret of Object.values(stored!).filter((one) => one !== null)) expect(text).not.toContain(secret);
    const entries = await auth.sql(
      "select payload from auth.audit_log_entries where payload ->> 'action' = 'user_exported' and payload ->> 'actor_id' = $1",
      [ann.id],
    );
    expect(entries).toHaveLength(1);
  });

  test("of a hundred thousand rows comes in pieces, and does not wait for room that was left", async () => {
    await auth.sql("insert into posts (author, title) select $1, repeat('x', 100) from generate_series(1, 20000)", [
      ann.id,
    ]);
    let chunks = 0;
    let longest = 0;
    const { body } = await auth.admin("GET", `/admin/users/${ann.id}/export`);
    for await (const chunk of body as AsyncIterable<string>) {
      chunks++;
      longest = Math.max(longest, chunk.length);
    }
    expect(chunks).toBeGreaterThan(40);
    expect(longest).toBeLessThan(200_000);
    // More than there is room for, one after the other: a reader that goes away in the middle makes room, too.
    for (let one = 0; one < 5; one++) {
      const reply = await auth.admin("GET", `/admin/users/${ann.id}/export`);
      for await (const _ of reply.body as AsyncIterable<string>) break;
    }
    const idle = await auth.sql(
      "select from pg_stat_activity where datname = current_database() and state = 'idle in transaction'",
    );
    expect(idle).toEqual([]);
  });
});

describe("X20", () => {
  test("X20 an erased user is nowhere in the database any more", async () => {
    // Somebody who has been everywhere: address, number, identity, factor, mail in the inbox, devices, audit log, admin's doings.
    const server = auth.with({ phoneAutoconfirm: true, phoneEnabled: true });
    const marker = `seeded${++at}`;
    const email = `${marker}@example.com`;
    const phone = `49170${String(Date.now()).slice(-8)}`;
    const made = await server.send("POST", "/signup", { body: { email, password, data: { nick: marker } } });
    const id = made.body.user.id as string;
    await server.send("PUT", "/user", { token: made.body.access_token, body: { phone } });
    await server.send("POST", "/token?grant_type=password", { body: { email, password: "wrong one" } });
    await server.send("POST", "/token?grant_type=password", { body: { email, password } });
    await server.send("POST", "/otp", { body: { email } });
    await server.send("POST", "/recover", { body: { email } });
    await server.admin("PUT", `/admin/users/${id}`, { user_metadata: { seen: marker } });
    await auth.sql("insert into profiles values ($1, $2)", [id, marker]);
    await auth.sql(
      `insert into mainstay.inbox (id, kind, recipient, size_bytes, content)
      values (gen_random_uuid(), 'mail', $1, 1, jsonb_build_object('to', $1::text))`,
      [email],
    );
    await auth.sql(
      `insert into auth.audit_log_entries (id, payload, created_at, ip_address) values (gen_random_uuid(), json_build_object(
        'action', 'user_modified', 'actor_id', '00000000-0000-0000-0000-000000000000', 'actor_username', 'service_role',
        'actor_via_sso', false, 'log_type', 'user', 'traits', json_build_object('user_id', $1::text, 'user_email', $2::text)), now(), '')`,
      [id, email],
    );
    await auth.sql(
      "insert into auth.flow_state (id, user_id, provider_type, authentication_method) values (gen_random_uuid(), $1, 'email', 'otp')",
      [id],
    );
    const needles = [id, email, phone, marker];
    expect((await findEverywhere(needles)).length).toBeGreaterThan(8);

    expect((await server.admin("DELETE", `/admin/users/${id}`)).status).toBe(200);
    // A list of what no longer counts must name it until the last token has run out, and is swept then (platform/revocation).
    const left = (await findEverywhere(needles)).filter((place) => !place.startsWith("mainstay.revocations."));
    expect(left).toEqual([]);

    const pseudonym = await proofOf(id);
    const entries = await auth.sql(
      "select payload, ip_address from auth.audit_log_entries where payload::text like '%' || $1 || '%'",
      [pseudonym],
    );
    expect(entries.length).toBeGreaterThan(4);
    // Where an admin did something from is the admin's.
    const own = entries.filter(({ payload }) => (payload as { actor_id: string }).actor_id === pseudonym);
    expect(own.length).toBeGreaterThan(2);
    expect(own.every(({ ip_address }) => ip_address === "")).toBe(true);
    const proof = entries.find(({ payload }) => (payload as { action: string }).action === "user_deleted");
    expect(proof?.payload).toMatchObject({ traits: { subject: pseudonym, rows_deleted: expect.any(Number) } });
  });

  test("X21 the audit log gives up nobody who is still there, and nothing but names", async () => {
    const redact = `update auth.audit_log_entries e set ip_address = '',
      payload = mainstay.redacted_entry(payload, $1, 'erased:' || repeat('a', 43))::json where payload ->> 'actor_id' = $1`;
    await expect(auth.sql(redact, [ann.id])).rejects.toMatchObject({ code: "42501" });
    await auth.sql("delete from auth.users where id = $1", [ann.id]);
    const forged = `update auth.audit_log_entries e set ip_address = '', created_at = now(),
      payload = (mainstay.redacted_entry(payload, $1, 'erased:' || repeat('a', 43)) || '{"action": "login"}')::json
      where payload ->> 'actor_id' = $1`;
    await expect(auth.sql(forged, [ann.id])).rejects.toMatchObject({ code: "42501" });
    await expect(
      auth.sql("delete from auth.audit_log_entries where payload ->> 'actor_id' = $1", [ann.id]),
    ).rejects.toMatchObject({
      code: "42501",
    });
    await auth.sql(redact, [ann.id]);
    expect(
      await auth.sql("select from auth.audit_log_entries where payload::text like '%' || $1 || '%'", [ann.id]),
    ).toEqual([]);
  });
});

/** Every column of every table in which one of the texts is found, as `schema.table.column`. */
async function findEverywhere(needles: readonly string[]): Promise<string[]> {
  const columns = await auth.sql(`
    select n.nspname, c.relname, a.attname from pg_class c
    join pg_namespace n on n.oid = c.relnamespace join pg_attribute a on a.attrelid = c.oid
    where c.relkind in ('r', 'm') and a.attnum > 0 and not a.attisdropped
      and n.nspname not in ('pg_catalog', 'information_schema') and n.nspname not like 'pg_t%'`);
  const places: string[] = [];
  for (const { nspname, relname, attname } of columns) {
    const quote = (name: unknown) => `"${String(name).replaceAll('"', '""')}"`;
    const found = await auth.sql(
      `select from ${quote(nspname)}.${quote(relname)} where exists (
        select from unnest($1::text[]) needle where position(needle in ${quote(attname)}::text) > 0) limit 1`,
      [needles],
    );
    if (found.length > 0) places.push(`${nspname}.${relname}.${attname}`);
  }
  return places;
}

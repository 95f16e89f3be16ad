import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, expect, test } from "vitest";
import { ownershipStore } from "./ownership-store.ts";
import { openTestAuth, type TestAuth } from "./testing.ts";

let auth: TestAuth;
beforeAll(async () => {
  auth = await openTestAuth();
});
afterAll(() => auth.close());

/** Every table that has something of a user's, and the column that says whose. */
const tables: Readonly<Record<string, string>> = {
  "auth.identities": "user_id",
  "auth.sessions": "user_id",
  "auth.mfa_factors": "user_id",
  "auth.webauthn_credentials": "user_id",
  "auth.webauthn_challenges": "user_id",
  "auth.one_time_tokens": "user_id",
  "auth.flow_state": "user_id",
  "mainstay.one_time_tokens": "user_id",
  "mainstay.known_devices": "user_id",
  "mainstay.s3_access_keys": "user_id",
};
/** What stays of a user's on purpose, and why. */
const staying: Readonly<Record<string, string>> = {
  "mainstay.provider_tokens": "is kept to be revoked",
  "mainstay.account_erasures": "is taken back by the sign-in that follows",
};

/** An account with something in every table, all of it a stranger's but what is returned. */
async function account() {
  const [id, tokenId, flowId] = [randomUUID(), randomUUID(), randomUUID()];
  const email = `${id}@example.com`;
  const phone = `49151${Date.now() % 1_000_000_000}`;
  await auth.sql(
    `insert into auth.users (id, email, phone, encrypted_password, email_change, phone_change, raw_app_meta_data, raw_user_meta_data)
     values ($1, $2, $3, 'hash', 'stranger@example.com', '4915100', '{"provider": "github", "plan": "pro"}', '{"name": "Ann"}')`,
    [id, email, phone],
  );
  await auth.sql(
    `insert into auth.identities (provider, provider_id, user_id, identity_data) select provider, provider || $1, $1::uuid, '{}'
     from unnest(array['email', 'phone', 'github', 'google']) provider`,
    [id],
  );
  await auth.sql(
    `insert into mainstay.provider_tokens (id, user_id, provider, provider_id, refresh_token)
     select gen_random_uuid(), $1::uuid, provider, provider || $1, 'sealed' from unnest(array['github', 'google']) provider`,
    [id],
  );
  await auth.sql("insert into auth.sessions (id, user_id, created_at) values (gen_random_uuid(), $1, now())", [id]);
  await auth.sql(
    `insert into auth.mfa_factors (id, user_id, factor_type, status, created_at, updated_at)
     values (gen_random_uuid(), $1, 'totp', 'verified', now(), now())`,
    [id],
  );
  await auth.sql(
    `insert into auth.webauthn_credentials (id, user_id, credential_id, public_key) values (gen_random_uuid(), $1, $2, '\\x00')`,
    [id, Buffer.from(id)],
  );
  await auth.sql(
    `insert into auth.webauthn_challenges (id, user_id, challenge_type, session_data, expires_at)
     values (gen_random_uuid(), $1, 'registration', '{}', now() + interval '1 minute')`,
    [id],
  );
  await auth.sql(
    `insert into auth.one_time_tokens (id, user_id, token_type, token_hash, relates_to, created_at, updated_at)
     values (gen_random_uuid(), $1, 'recovery_token', 'h', 'x', now(), now())`,
    [id],
  );
  for (const [flow, column] of [
    [flowId, "user_id"],
    [randomUUID(), "user_id"],
    [randomUUID(), "linking_target_id"],
  ] as const) {
    await auth.sql(
      `insert into auth.flow_state (id, ${column}, provider_type, authentication_method) values ($1, $2, 'email', 'magiclink')`,
      [flow, id],
    );
  }
  for (const [token, purpose] of [
    [tokenId, "magiclink"],
    [randomUUID(), "recovery"],
  ] as const) {
    await auth.sql(
      `insert into mainstay.one_time_tokens (id, user_id, purpose, address, code_hash, link_hash, redirect_to, keeps_password, expires_at)
       values ($1, $2, $3, $4, $5, $5, '', false, now() + interval '1 hour')`,
      [token, id, purpose, email, token],
    );
  }
  await auth.sql("insert into mainstay.known_devices (user_id, device_hash) values ($1, '\\x01')", [id]);
  await auth.sql(
    "insert into mainstay.s3_access_keys (id, sealed_secret, user_id) values ($1::text, '\\x01', $1::uuid)",
    [id],
  );
  return { id, email, phone, tokenId, flowId };
}

/** How many rows each table has of the user's; those with none are left out. */
async function rowsOf(id: string): Promise<Record<string, number>> {
  const counts: Record<string, number> = {};
  for (const [table, column] of Object.entries(tables)) {
    const [row] = await auth.sql(`select count(*)::int as n from ${table} where ${column} = $1`, [id]);
    if (row?.n) counts[table] = row.n as number;
  }
  return counts;
}

const identitiesOf = async (id: string) =>
  (await auth.sql("select provider from auth.identities where user_id = $1 order by provider", [id])).map(
    ({ provider }) => provider,
  );
const userOf = async (id: string) =>
  (
    await auth.sql(
      `select email, phone, encrypted_password, email_change, phone_change, raw_app_meta_data as app, raw_user_meta_data as data
       from auth.users where id = $1`,
      [id],
    )
  )[0];
const toBeRevoked = async (id: string) =>
  (
    await auth.sql("select provider from mainstay.provider_tokens where user_id = $1 and revoke_at is not null", [id])
  ).map(({ provider }) => provider);

test("every table with something of a user's is thought of", async () => {
  const found = await auth.sql(`
    select distinct c.conrelid::regclass::text as name from pg_constraint c
    where c.contype = 'f' and c.confrelid = 'auth.users'::regclass
    union select format('%I.%I', table_schema, table_name) from information_schema.columns
    where table_schema in ('auth', 'mainstay') and column_name = 'user_id' and data_type = 'uuid'`);
  expect(found.map(({ name }) => name).sort()).toEqual([...Object.keys(tables), ...Object.keys(staying)].sort());
  expect(Object.keys(await rowsOf((await account()).id)).sort()).toEqual(Object.keys(tables).sort());
});

test("A05 who comes with a link finds the address, the link, and nothing else that opens the account", async () => {
  const { id, email, tokenId, flowId } = await account();
  const bystander = await account();
  await ownershipStore.disown(auth.db, id, { address: "email", token: { id: tokenId, flowStateId: flowId } });
  expect(await rowsOf(id)).toEqual({ "auth.identities": 1, "auth.flow_state": 1, "mainstay.one_time_tokens": 1 });
  expect(await identitiesOf(id)).toEqual(["email"]);
  expect(await auth.sql("select id from mainstay.one_time_tokens where user_id = $1", [id])).toEqual([{ id: tokenId }]);
  expect(await auth.sql("select id from auth.flow_state where $1 in (user_id, linking_target_id)", [id])).toEqual([
    { id: flowId },
  ]);
  expect(await userOf(id)).toEqual({
    email,
    phone: null,
    encrypted_password: "",
    email_change: "",
    phone_change: "",
    app: { plan: "pro" },
    data: { name: "Ann" },
  });
  expect(await toBeRevoked(id)).toEqual(["github", "google"]);
  expect(Object.keys(await rowsOf(bystander.id))).toHaveLength(Object.keys(tables).length);
  expect(await toBeRevoked(bystander.id)).toEqual([]);
});

test("A05 who comes with a code to the number finds the number, and not the address", async () => {
  const { id, phone, tokenId } = await account();
  await ownershipStore.disown(auth.db, id, { address: "phone", token: { id: tokenId, flowStateId: null } });
  expect(await identitiesOf(id)).toEqual(["phone"]);
  expect(await userOf(id)).toMatchObject({ email: null, phone, encrypted_password: "" });
  expect(await auth.sql("select from auth.flow_state where $1 in (user_id, linking_target_id)", [id])).toEqual([]);
});

test("A05 who comes with a provider finds that identity alone", async () => {
  const { id, email } = await account();
  await ownershipStore.disown(auth.db, id, {
    address: "email",
    identity: { provider: "google", providerId: `google${id}` },
  });
  expect(await rowsOf(id)).toEqual({ "auth.identities": 1 });
  expect(await identitiesOf(id)).toEqual(["google"]);
  expect(await userOf(id)).toMatchObject({ email, phone: null, encrypted_password: "" });
  expect(await toBeRevoked(id)).toEqual(["github"]);
});

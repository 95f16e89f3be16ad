import { readFile } from "node:fs/promises";
import { testDatabase } from "@mainstay/testing";
import pg from "pg";
import { expect, test } from "vitest";

const migration = new URL("../../../../migrations/0008_mfa.sql", import.meta.url);

test("the migration goes through where the auth tables are another's, and leaves them as they are", async () => {
  const database = await testDatabase();
  const role = `${database.name}_guest`;
  const client = new pg.Client({ connectionString: database.url });
  await client.connect();
  const warnings: string[] = [];
  client.on("notice", ({ message }) => void warnings.push(message ?? ""));
  try {
    await client.query(`
      create role ${role};
      create schema auth;
      create schema mainstay authorization ${role};
      grant usage on schema auth to ${role};
      create type auth.factor_type as enum ('totp', 'webauthn', 'phone');
      create table auth.mfa_factors (id uuid primary key, factor_type auth.factor_type not null);
      create table auth.mfa_challenges (id uuid primary key, factor_id uuid not null);
      create table auth.sessions (id uuid primary key, factor_id uuid);
      set role ${role}`);
    await client.query(`begin; ${await readFile(migration, "utf8")}; commit`);
    const { rows: tables } = await client.query(
      "select tablename from pg_tables where schemaname = 'mainstay' order by 1",
    );
    expect(tables.map(({ tablename }) => tablename)).toEqual([
      "mfa_challenge_attempts",
      "mfa_recovery_codes",
      "mfa_totp_steps",
    ]);
    const { rows: kinds } = await client.query("select unnest(enum_range(null::auth.factor_type))::text as kind");
    expect(kinds.map(({ kind }) => kind)).toEqual(["totp", "webauthn", "phone"]);
    expect(warnings).toHaveLength(5);
    expect(warnings[0]).toContain("recovery_code");
  } finally {
    await client.query(`reset role; drop schema auth, mainstay cascade; drop role ${role}`);
    await client.end();
    await database.drop();
  }
});

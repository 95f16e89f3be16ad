import { randomUUID } from "node:crypto";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { AuthContext } from "../context.ts";
import { openTestAuth, type TestAuth } from "../testing.ts";
import { sealStore } from "./seal-store.ts";
import { sealDue, verifySeals } from "./seals.ts";
import { auditStore } from "./store.ts";

let auth: TestAuth;
beforeEach(async () => {
  auth = await openTestAuth();
});
afterEach(() => auth.close());

const needs = (): Pick<AuthContext, "db" | "signer"> => ({ db: auth.db, signer: auth.identity.signer });
const seal = () => sealDue(needs());
const verify = (head = "") => verifySeals(needs(), head);
const faults = async () => (await verify()).faults;

const write = (count: number, at = "clock_timestamp()") =>
  auth.sql(
    `insert into auth.audit_log_entries (instance_id, id, payload, created_at, ip_address)
     select null, gen_random_uuid(), '{"action": "login",  "actor_id": "x"}', ${at}, '203.0.113.7' from generate_series(1, $1)`,
    [count],
  );

/** As whoever owns the database can: without the triggers that guard it. */
async function tamper(statement: string, values: unknown[] = []): Promise<void> {
  await auth.sql("set session_replication_role = replica");
  await auth.sql(statement, values);
  await auth.sql("set session_replication_role = origin");
}
const someEntry = async (): Promise<string> =>
  (await auth.sql("select id from auth.audit_log_entries order by created_at offset 2 limit 1"))[0]?.id as string;

test("X21 entries are sealed in batches, once, by however many nodes at once", async () => {
  await write(2_300);
  const counts = await Promise.all([seal(), seal(), seal()]);
  await seal();
  expect(counts.reduce((sum, one) => sum + one, 0)).toBeLessThanOrEqual(2_300);
  await write(3);
  expect((await verify()).pending).toBe(3);
  expect(await seal()).toBe(3);
  expect(await seal()).toBe(0);
  expect(await verify()).toMatchObject({ entries: 2_303, pending: 0, faults: [] });
});

test("X21 an entry whose transaction ended after its time was sealed past is sealed too", async () => {
  await write(3);
  await seal();
  await write(1, "now() - interval '10 minutes'");
  expect(await seal()).toBe(1);
  expect(await faults()).toEqual([]);
});

test.each([
  ["the payload", `payload = '{"action": "logout",  "actor_id": "x"}'`],
  ["spaces of the payload", `payload = '{"action": "login", "actor_id": "x"}'`],
  ["the time", "created_at = created_at + interval '1 microsecond'"],
  ["the address", "ip_address = ''"],
  ["the instance", "instance_id = '00000000-0000-0000-0000-000000000000'"],
])("X21 a superuser who changes %s is found out", async (_, change) => {
  await write(5);
  await seal();
  const id = await someEntry();
  await tamper(`update auth.audit_log_entries set ${change} where id = $1`, [id]);
  expect(await faults()).toEqual([{ kind: "changed", entry: id }]);
});

test("X21 so is one who removes an entry, or all of it and its seal's word of it, or puts one in", async () => {
  await write(5);
  await seal();
  await write(5);
  await seal();
  const id = await someEntry();
  await tamper("delete from auth.audit_log_entries where id = $1", [id]);
  expect(await faults()).toEqual([{ kind: "removed", entry: id }]);
  await tamper("update mainstay.audit_sealed_entries set written_at = now() - interval '9 years' where entry_id = $1", [
    id,
  ]);
  expect(await faults()).toContainEqual({ kind: "broken", seal: 1 });
  await tamper("delete from mainstay.audit_sealed_entries where entry_id = $1", [id]);
  expect(await faults()).toEqual([{ kind: "broken", seal: 1 }]);
  await tamper("delete from mainstay.audit_seals where number = 1");
  expect(await faults()).toContainEqual({ kind: "broken", seal: 2 });
  await write(1, "now() - interval '2 days'");
  expect((await faults()).filter(({ kind }) => kind === "added")).toHaveLength(1);
});

test("X21 who takes the end of the chain away with its entries is found out by a head kept elsewhere", async () => {
  await write(2);
  await seal();
  const { head: early } = await verify();
  await write(2);
  await seal();
  const { head } = await verify();
  expect((await verify(early)).faults).toEqual([]);
  await tamper(
    "delete from auth.audit_log_entries where id in (select entry_id from mainstay.audit_sealed_entries where seal_number = 2)",
  );
  await tamper("delete from mainstay.audit_sealed_entries where seal_number = 2");
  await tamper("delete from mainstay.audit_seals where number = 2");
  expect(await faults()).toEqual([]);
  expect((await verify(head)).faults).toEqual([{ kind: "cut", seal: 2 }]);
  expect((await verify(early)).faults).toEqual([]);
});

test("X21 seals made with other keys are none", async () => {
  await write(2);
  await sealDue({ db: auth.db, signer: { ...auth.identity.signer, deriveKey: () => Buffer.alloc(32, 3) } });
  expect((await faults()).map(({ kind }) => kind).sort()).toEqual(["broken", "changed", "changed"]);
});

test("X21 nobody changes a seal, or deletes one that is not over, without taking the triggers away", async () => {
  await write(2);
  await seal();
  for (const statement of [
    "update mainstay.audit_seals set note = 'x'",
    "delete from mainstay.audit_seals",
    "delete from mainstay.audit_sealed_entries",
    "update mainstay.audit_sealed_entries set position = 9",
    "truncate mainstay.audit_seals cascade",
    "truncate mainstay.audit_sealed_entries",
  ]) {
    await expect(auth.sql(statement), statement).rejects.toMatchObject({ code: "42501" });
  }
  expect(await faults()).toEqual([]);
});

test("X20 X21 an erased account's entries are sealed anew with a note; an erasure hides no other change", async () => {
  const signUp = async () => {
    const email = `${randomUUID()}@example.com`;
    const { body } = await auth.send("POST", "/signup", { body: { email, password: "correct horse" } });
    return { id: body.user.id as string, email, token: body.access_token as string };
  };
  const [ann, bob] = [await signUp(), await signUp()];
  await seal();
  await auth.send("DELETE", "/user", { token: ann.token });
  await seal();
  expect(await verify()).toMatchObject({ pending: 0, faults: [] });
  const [erasure] = await auth.sql("select note, number from mainstay.audit_seals where kind = 'erasure'");
  expect(erasure?.note).toMatch(/^erased:[\w-]{43}$/);
  expect(JSON.stringify(await auth.sql("select payload from auth.audit_log_entries"))).not.toContain(ann.email);

  const [entry] = await auth.sql("select id from auth.audit_log_entries where payload ->> 'actor_id' = $1", [bob.id]);
  await tamper("update auth.audit_log_entries set ip_address = '192.0.2.1' where id = $1", [entry?.id]);
  await auth.send("DELETE", "/user", { token: bob.token });
  await seal();
  expect(await faults()).toEqual([{ kind: "changed", entry: entry?.id }]);
});

test("what is older than the retention goes, and the chain begins later then", async () => {
  for (const age of [30, 20, 10, 0]) {
    await write(2, `now() - interval '${age} days'`);
    await seal();
  }
  await auditStore.setRetention(auth.db, 15);
  expect(await auditStore.sweep(auth.db, 100)).toBe(4);
  expect(await faults()).toEqual([]);
  expect(await sealStore.sweep(auth.db)).toBe(1);
  expect(await verify()).toMatchObject({ seals: 3, pending: 0, faults: [] });
  expect(await auth.sql("select from mainstay.audit_sealed_entries where seal_number = 1")).toEqual([]);
  await tamper("delete from mainstay.audit_seals where number = 2");
  await tamper("delete from mainstay.audit_sealed_entries where seal_number = 2");
  expect(await faults()).toEqual([{ kind: "broken", seal: 3 }]);
});

test("an admin asks over HTTP, and nobody else", async () => {
  await write(2);
  await seal();
  const { status, body } = await auth.admin("GET", "/admin/audit/verify");
  expect([status, body]).toMatchObject([200, { is_intact: true, seals: 1, entries: 2, pending: 0, faults: [] }]);
  expect((await auth.admin("GET", `/admin/audit/verify?head=${body.head}`)).body.is_intact).toBe(true);
  expect((await auth.admin("GET", "/admin/audit/verify?head=1:00")).body.error_code).toBe("validation_failed");
  expect((await auth.send("GET", "/admin/audit/verify")).status).toBe(401);
});

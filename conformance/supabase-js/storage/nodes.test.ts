import { randomUUID } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type BootedApp, boot } from "@mainstay/testing";
import { createClient } from "@supabase/supabase-js";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { fixture, ok, refusals, type Storage, textOf, told } from "./storage-app.ts";

/** What the nodes share besides the database: a secret, and the folder with the bytes. */
let folder: string;
let first: BootedApp;
let second: BootedApp;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "mainstay-objects-"));
  const env = { MAINSTAY_MASTER_KEY: "what two nodes of one database share" };
  const settings = {
    storage: { storageFolder: folder, storageSweepMs: 100, storageReadGraceMs: 0 },
    auth: { mailerAutoconfirm: true, rateLimits: false, hashMemoryKib: 7_168 },
  };
  first = await boot({ env, settings, sql: "" });
  await first.sql(fixture);
  second = await boot({ env: { ...env, DATABASE_URL: first.databaseUrl }, settings });
});
afterAll(async () => {
  await second?.stop();
  await first?.stop();
  await rm(folder, { recursive: true, force: true });
});

const clientOf = ({ url }: BootedApp, key: string, token?: string) =>
  createClient(url, key, {
    auth: { persistSession: false, autoRefreshToken: false, detectSessionInUrl: false },
    ...(token === undefined ? {} : { global: { headers: { Authorization: `Bearer ${token}` } } }),
  });
/** The same person, or the service, on both nodes. */
const onBoth = (key: string, token?: string): readonly [Storage, Storage] => [
  clientOf(first, key, token).storage,
  clientOf(second, key, token).storage,
];

describe("two nodes on one database and one folder", () => {
  it("what one takes in the other reads, lists, moves, replaces and deletes", async () => {
    const [a, b] = onBoth(first.secretKey).map((storage) => storage.from("closed"));
    if (a === undefined || b === undefined) throw new Error("no nodes");
    const long = "long ".repeat(50_000);
    ok(await a.upload("dir/long.txt", long, { metadata: { n: 1 } }));
    expect(await textOf(ok(await b.download("dir/long.txt")))).toBe(long);
    expect(ok(await b.info("dir/long.txt"))).toMatchObject({ size: long.length, metadata: { n: 1 } });
    expect(ok(await b.list("dir")).map(({ name }) => name)).toEqual(["long.txt"]);
    ok(await b.move("dir/long.txt", "moved.txt"));
    expect(told(await a.download("dir/long.txt"))).toEqual(refusals.noObject);
    expect(await textOf(ok(await a.download("moved.txt")))).toBe(long);
    ok(await b.update("moved.txt", "short"));
    expect(await textOf(ok(await a.download("moved.txt")))).toBe("short");
    ok(await a.copy("moved.txt", "copied.txt"));
    expect(ok(await b.remove(["moved.txt"]))).toHaveLength(1);
    expect(told(await a.download("moved.txt"))).toEqual(refusals.noObject);
    expect(await textOf(ok(await a.download("copied.txt")))).toBe("short");
  });

  it("links of the one are good on the other", async () => {
    const [a, b] = onBoth(first.secretKey);
    ok(await a.from("closed").upload("linked.txt", "linked", { upsert: true }));
    const { signedUrl } = ok(await a.from("closed").createSignedUrl("linked.txt", 60));
    expect(await (await fetch(signedUrl.replace(first.url, second.url))).text()).toBe("linked");
    const { token, path } = ok(await b.from("closed").createSignedUploadUrl("by-link.txt"));
    ok(await clientOf(first, first.publishableKey).storage.from("closed").uploadToSignedUrl(path, token, "x"));
    const again = await clientOf(second, first.publishableKey)
      .storage.from("closed")
      .uploadToSignedUrl(path, token, "y");
    expect(told(again)).toEqual(refusals.taken);
  });

  it("buckets: what is changed on one holds on the other", async () => {
    const [a, b] = onBoth(first.secretKey);
    const bucket = `b-${randomUUID()}`;
    ok(await a.createBucket(bucket, { public: true }));
    ok(await b.from(bucket).upload("a.txt", "aa"));
    const { publicUrl } = b.from(bucket).getPublicUrl("a.txt").data;
    expect((await fetch(publicUrl)).status).toBe(200);
    ok(await a.updateBucket(bucket, { public: false, fileSizeLimit: 1 }));
    // It is told by the database, which takes no time that anybody sees; but some.
    await expect.poll(async () => (await fetch(publicUrl)).status, { interval: 10 }).toBe(400);
    expect(told(await b.from(bucket).upload("b.txt", "bb"))).toEqual(refusals.tooLarge);
    ok(await a.emptyBucket(bucket));
    ok(await a.deleteBucket(bucket));
    await expect
      .poll(async () => told(await b.from(bucket).upload("c.txt", "c")), { interval: 10 })
      .toEqual(refusals.noBucket);
  });

  it("one name, written on both at once: one is first, and upserts end whole", async () => {
    const [a, b] = onBoth(first.secretKey);
    for (let round = 0; round < 5; round++) {
      const name = `race-${round}`;
      const both = await Promise.all([a.from("closed").upload(name, "a"), b.from("closed").upload(name, "b")]);
      const failed = both.filter(({ error }) => error !== null);
      expect(failed.map(told)).toEqual([refusals.taken]);
      const winner = both[0]?.error === null ? "a" : "b";
      expect(await textOf(ok(await a.from("closed").download(name)))).toBe(winner);
      const texts = ["a".repeat(100_000), "b".repeat(70_000)] as const;
      for (const answer of await Promise.all([
        a.from("closed").update(name, texts[0]),
        b.from("closed").update(name, texts[1]),
      ])) {
        ok(answer);
      }
      expect(texts).toContain(await textOf(ok(await b.from("closed").download(name))));
    }
  });
});

describe("an account that is deleted", () => {
  it("takes its files along, on every node, bytes and all", async () => {
    const { auth } = clientOf(first, first.publishableKey);
    const email = `${randomUUID()}@conformance.example`;
    const { data } = await auth.signUp({ email, password: "correct horse battery staple" });
    const id = data.user?.id ?? "";
    const [a, b] = onBoth(first.publishableKey, data.session?.access_token);
    ok(await a.from("documents").upload(`${id}/diary.txt`, "dear diary"));
    ok(await a.from("avatars").upload(`${id}.png`, "face"));
    ok(await onBoth(first.secretKey)[0].from("avatars").upload("of-nobody.png", "other"));
    const { publicUrl } = b.from("avatars").getPublicUrl(`${id}.png`).data;
    const { signedUrl } = ok(await b.from("documents").createSignedUrl(`${id}/diary.txt`, 3_600));
    expect([(await fetch(publicUrl)).status, (await fetch(signedUrl)).status]).toEqual([200, 200]);
    const versions = await first.sql(`select version from storage.objects where owner_id = '${id}'`);
    expect(versions).toHaveLength(2);

    const { error } = await clientOf(first, first.secretKey).auth.admin.deleteUser(id);
    expect(error).toBeNull();
    expect([(await fetch(publicUrl)).status, (await fetch(signedUrl)).status]).toEqual([400, 400]);
    expect(await first.sql(`select from storage.objects where owner_id = '${id}'`)).toEqual([]);
    expect(await first.sql("select from storage.objects where name = 'of-nobody.png'")).toHaveLength(1);
    const left = `select from mainstay.object_versions where id in (${versions.map(({ version }) => `'${version}'`).join()})`;
    await expect.poll(() => first.sql(left), { interval: 50 }).toEqual([]);
  });
});

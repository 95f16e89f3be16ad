import { randomUUID } from "node:crypto";
import { sql } from "pg-sql2";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openTestRows, order, principal, type TestRows } from "./testing.ts";

let rows: TestRows;
const ann = principal("authenticated", randomUUID());
const ben = principal("authenticated", randomUUID());
const service = principal("service_role");

beforeAll(async () => {
  rows = await openTestRows(`
    insert into storage.buckets (id, name) values ('photos', 'photos'), ('other', 'other');
    create policy own_read on storage.objects for select to authenticated
      using (bucket_id = 'photos' and owner_id = (select auth.uid())::text);
    create policy own_insert on storage.objects for insert to authenticated
      with check (bucket_id = 'photos' and (storage.foldername(name))[1] = auth.uid()::text);
    create policy own_update on storage.objects for update to authenticated
      using (owner_id = (select auth.uid())::text);`);
});
afterAll(() => rows.close());

const stateOf = async (version: string) =>
  (await rows.sql("select state from mainstay.object_versions where id = $1", [version]))[0]?.state;
const rowOf = async (name: string) =>
  (await rows.sql("select *, xmin::text from storage.objects where name = $1", [name]))[0] as
    | Record<string, unknown>
    | undefined;
const codeOf = (work: Promise<unknown>) =>
  work.then(
    () => "ok",
    (error: { code?: string }) => error.code ?? error,
  );

describe("a write", () => {
  test("makes the row, its metadata and its owner, and keeps the version", async () => {
    const name = `${ann.subject}/a.txt`;
    const written = await rows.received(12);
    const object = await rows.objects.write(
      order(ann, "photos", name, { userMetadata: { tag: "x" }, contentType: "image/png", sizeBytes: 12 }),
      written,
    );
    expect(object).toMatchObject({
      bucketId: "photos",
      name,
      version: written.version,
      ownerId: ann.subject,
      sizeBytes: 12,
      contentType: "image/png",
      cacheControl: "max-age=3600",
      etag: written.etag,
      userMetadata: { tag: "x" },
      createdAt: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
    });
    const row = (await rowOf(name))!;
    expect(row).toMatchObject({ owner: ann.subject, owner_id: ann.subject, path_tokens: [ann.subject, "a.txt"] });
    expect(row.metadata).toEqual({
      eTag: written.etag,
      size: 12,
      mimetype: "image/png",
      cacheControl: "max-age=3600",
      lastModified: new Date(object.lastModifiedMs).toISOString(),
      contentLength: 12,
      httpStatusCode: 200,
    });
    expect(await stateOf(written.version)).toBe("kept");
    expect(await rows.objects.find(ann, "photos", name, "storage.object.get")).toEqual(object);
    expect(await rows.objects.findAsServer("photos", name)).toEqual(object);
    expect(await rows.objects.find(ben, "photos", name, "storage.object.get")).toBeNull();
  });

  test("is refused under the policies, and nothing has happened", async () => {
    const name = `${ben.subject}/a.txt`;
    const written = await rows.received();
    const wanted = order(ann, "photos", name);
    for (const work of [() => rows.objects.mayWrite(wanted), () => rows.objects.write(wanted, written)]) {
      await expect(work()).rejects.toMatchObject({
        code: "AccessDenied",
        status: 403,
        message: "new row violates row-level security policy",
      });
    }
    expect(await rowOf(name)).toBeUndefined();
    expect(await stateOf(written.version)).toBe("receiving");
  });

  test("finds the name taken, the bucket missing, and the version given up", async () => {
    const name = "svc/taken.txt";
    await rows.objects.write(order(service, "photos", name), await rows.received());
    expect(await codeOf(rows.objects.mayWrite(order(service, "photos", name)))).toBe("KeyAlreadyExists");
    expect(await codeOf(rows.objects.write(order(service, "photos", name), await rows.received()))).toBe(
      "KeyAlreadyExists",
    );
    expect(await codeOf(rows.objects.mayWrite(order(service, "nowhere", "a")))).toBe("NoSuchBucket");
    expect(await codeOf(rows.objects.write(order(service, "nowhere", "a"), await rows.received()))).toBe(
      "NoSuchBucket",
    );
    const gone = await rows.received();
    await rows.sql("update mainstay.object_versions set state = 'dead' where id = $1", [gone.version]);
    expect(await codeOf(rows.objects.write(order(service, "photos", "late.txt"), gone))).toBe("NoSuchUpload");
    expect(await codeOf(rows.objects.write(order(service, "photos", "late.txt"), { ...gone, version: "x" }))).toBe(
      "NoSuchUpload",
    );
    expect(await rowOf("late.txt")).toBeUndefined();
  });

  test("over an object keeps its id and birth, changes its time, and lets the former bytes go", async () => {
    const name = `${ann.subject}/twice.txt`;
    const first = await rows.received();
    const before = await rows.objects.write(order(ann, "photos", name), first);
    const old = (await rowOf(name))!;
    const second = await rows.received(9);
    const after = await rows.objects.write(
      order(ann, "photos", name, { isUpsert: true, contentType: "text/html", sizeBytes: 9 }),
      second,
    );
    expect([after.id, after.createdAt, after.sizeBytes, after.contentType]).toEqual([
      before.id,
      before.createdAt,
      9,
      "text/html",
    ]);
    const row = (await rowOf(name))!;
    expect(row.updated_at).not.toEqual(old.updated_at);
    expect([row.created_at, row.last_accessed_at]).toEqual([old.created_at, old.last_accessed_at]);
    expect([await stateOf(first.version), await stateOf(second.version)]).toEqual(["dead", "kept"]);
    // By a key, which is nobody: it stays whose it was.
    await rows.objects.write(order(service, "photos", name, { isUpsert: true }), await rows.received());
    expect(await rowOf(name)).toMatchObject({ owner: ann.subject, owner_id: ann.subject });
  });

  test("over an object needs INSERT, SELECT and UPDATE", async () => {
    const name = `${ben.subject}/ann-owns-it.txt`;
    await rows.objects.write(order(service, "photos", name, { ownerId: ann.subject }), await rows.received());
    expect(await codeOf(rows.objects.mayWrite(order(ben, "photos", name, { isUpsert: true })))).toBe("AccessDenied");
    const before = await rowOf(name);
    expect(
      await codeOf(rows.objects.write(order(ben, "photos", name, { isUpsert: true }), await rows.received())),
    ).toBe("AccessDenied");
    expect(await rowOf(name)).toEqual(before);
  });

  test("by a subject that is no UUID has an owner_id and no owner", async () => {
    const wanted = order(service, "photos", "svc/odd.txt", { ownerId: "firebase|1" });
    await rows.objects.write(wanted, await rows.received());
    expect(await rowOf("svc/odd.txt")).toMatchObject({ owner: null, owner_id: "firebase|1" });
  });

  test("asking whether one may write changes nothing, and leaves nothing on the connection", async () => {
    const name = `${ann.subject}/never.txt`;
    for (const isUpsert of [false, true]) await rows.objects.mayWrite(order(ann, "photos", name, { isUpsert }));
    expect(await rowOf(name)).toBeUndefined();
    const [left] = await rows.db.query<{ role: string; claims: string }>(
      sql`select current_setting('role') as role, current_setting('request.jwt.claims', true) as claims`,
    );
    expect(left).toEqual({ role: "none", claims: "" });
  });
});

describe("races on one name", () => {
  const many = 50;

  test("without upsert exactly one wins, and the others' versions stay to be given up", async () => {
    const name = "svc/race.txt";
    const versions = await Promise.all(Array.from({ length: many }, () => rows.received()));
    const outcomes = await Promise.all(
      versions.map((written) => codeOf(rows.objects.write(order(service, "photos", name), written))),
    );
    expect(outcomes.filter((outcome) => outcome === "ok")).toHaveLength(1);
    expect(outcomes.filter((outcome) => outcome === "KeyAlreadyExists")).toHaveLength(many - 1);
    const winner = versions[outcomes.indexOf("ok")]!;
    expect(await rowOf(name)).toMatchObject({ version: winner.version });
    expect(await stateOf(winner.version)).toBe("kept");
  });

  test("with upsert all win in turn: the row is the last one's, and every other version is dead", async () => {
    const name = "svc/upsert-race.txt";
    const owner = randomUUID();
    const versions = await Promise.all(Array.from({ length: many }, (_, at) => rows.received(at + 1)));
    const outcomes = await Promise.all(
      versions.map((written) =>
        codeOf(
          rows.objects.write(
            order(service, "photos", name, { isUpsert: true, ownerId: owner, sizeBytes: written.sizeBytes }),
            written,
          ),
        ),
      ),
    );
    expect(new Set(outcomes)).toEqual(new Set(["ok"]));
    const row = (await rowOf(name)) as { version: string; metadata: { size: number; eTag: string } };
    const last = versions.find(({ version }) => version === row.version)!;
    expect([row.metadata.size, row.metadata.eTag]).toEqual([last.sizeBytes, last.etag]);
    for (const { version } of versions) expect(await stateOf(version)).toBe(version === row.version ? "kept" : "dead");
    expect(
      await rows.sql(
        "select used_bytes::int as bytes, object_count::int as count from mainstay.object_usage where owner_id = $1",
        [owner],
      ),
    ).toEqual([{ bytes: last.sizeBytes, count: 1 }]);
  });
});

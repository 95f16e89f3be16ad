import { type TestDatabase, templateDatabase, testDatabase } from "@mainstay/testing";
import pg from "pg";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";

let database: TestDatabase;
let client: pg.Client;
beforeAll(async () => {
  database = await testDatabase(await templateDatabase());
  client = new pg.Client({ connectionString: database.url });
  await client.connect();
  await client.query("insert into storage.buckets (id, name) values ('files', 'files')");
});
afterAll(async () => {
  await client.end();
  await database.drop();
});
beforeEach(async () => {
  await client.query(
    "delete from storage.objects; delete from mainstay.object_usage; delete from mainstay.object_versions",
  );
});

const rows = async (text: string): Promise<readonly Record<string, unknown>[]> => (await client.query(text)).rows;
const usage = () =>
  rows(
    `select owner_id as owner, used_bytes::int as bytes, object_count::int as objects from mainstay.object_usage order by 1`,
  );
const object = (name: string, owner: string | null, size: string, version = "null") =>
  `insert into storage.objects (bucket_id, name, owner_id, metadata, version)
   values ('files', '${name}', ${owner === null ? "null" : `'${owner}'`}, '{"size": ${size}}', ${version})`;

test("counts what owners have: come, grown, given away, replaced, gone", async () => {
  await client.query(
    `${object("a", "ann", "10")}; ${object("b", "ann", "5")}; ${object("c", "bob", "7")}; ${object("d", null, "9")}`,
  );
  expect(await usage()).toEqual([
    { owner: "ann", bytes: 15, objects: 2 },
    { owner: "bob", bytes: 7, objects: 1 },
  ]);
  await client.query(`update storage.objects set metadata = '{"size": 30}' where name = 'a'`);
  await client.query(`update storage.objects set owner_id = 'bob' where name = 'b'`);
  await client.query(`update storage.objects set owner_id = null where name = 'c'`);
  expect(await usage()).toEqual([
    { owner: "ann", bytes: 30, objects: 1 },
    { owner: "bob", bytes: 5, objects: 1 },
  ]);
  await client.query(
    `${object("a", "bob", "1")} on conflict (bucket_id, name) do update set owner_id = 'bob', metadata = excluded.metadata`,
  );
  await client.query(`begin; ${object("e", "ann", "100")}; rollback`);
  expect(await usage()).toEqual([
    { owner: "ann", bytes: 0, objects: 0 },
    { owner: "bob", bytes: 6, objects: 2 },
  ]);
  // Whatever an app's SQL writes there, its statement goes on, and nobody gains by it.
  await client.query(`${object("f", "ann", '"many"')}; ${object("g", "ann", "-5")}`);
  await client.query("insert into storage.objects (bucket_id, name, owner_id) values ('files', 'h', 'ann')");
  expect(await usage()).toContainEqual({ owner: "ann", bytes: 0, objects: 3 });
  await client.query("delete from storage.objects");
  expect(await usage()).toEqual([
    { owner: "ann", bytes: 0, objects: 0 },
    { owner: "bob", bytes: 0, objects: 0 },
  ]);
});

test("statements over many owners at once do not wait for each other for ever", async () => {
  const owners = Array.from({ length: 20 }, (_, at) => `owner${String(at).padStart(2, "0")}`);
  for (const prefix of ["x", "y"])
    for (const owner of owners) await client.query(object(`${prefix}/${owner}`, owner, "1"));
  const others = await Promise.all(
    ["x", "y"].map(async (prefix, at) => {
      const other = new pg.Client({ connectionString: database.url });
      await other.connect();
      const order = at === 0 ? "asc" : "desc";
      return {
        other,
        text: `update storage.objects o set metadata = '{"size": 3}'
        from (select id from storage.objects where name like '${prefix}/%' order by name ${order}) n where o.id = n.id`,
      };
    }),
  );
  for (let times = 0; times < 20; times++) {
    await Promise.all(others.map(({ other, text }) => other.query(text.replace("3}", `${times}}`))));
  }
  for (const { other } of others) await other.end();
  expect(await usage()).toEqual(owners.map((owner) => ({ owner, bytes: 38, objects: 2 })));
});

test("bytes that lose their object are dead, however it went", async () => {
  const versions = ["v1", "v2", "v3", "v4"];
  await client.query(
    `insert into mainstay.object_versions (id, bucket_id, state) select unnest('{${versions.join(",")}}'::text[]), 'files', 'kept'`,
  );
  const named = async (name: string, version: string) => {
    await client.query(
      `begin; select set_config('mainstay.names_version', '${version}', true); ${object(name, null, "1", `'${version}'`)}; commit`,
    );
  };
  await named("a", "v1");
  await named("b", "v2");
  await named("c", "v3");
  const dead = async () =>
    (await rows("select id from mainstay.object_versions where state = 'dead' order by 1")).map(({ id }) => id);
  await client.query("update storage.objects set name = 'moved' where name = 'a'");
  expect(await dead()).toEqual([]);
  // The server's word for other bytes is not the app's.
  await expect(client.query("update storage.objects set version = 'v4' where name = 'b'")).rejects.toThrow(
    /Only the server/,
  );
  await client.query("update storage.objects set version = null where name = 'b'");
  expect(await dead()).toEqual(["v2"]);
  await client.query("delete from storage.objects where name = 'moved'");
  expect(await dead()).toEqual(["v1", "v2"]);
  await client.query("truncate storage.objects");
  expect(await dead()).toEqual(["v1", "v2", "v3", "v4"]);
});

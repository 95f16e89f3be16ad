import { testDatabase } from "@mainstay/testing";
import type pg from "pg";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Call } from "../../../kernel/route.ts";
import { openCatalog } from "../../../platform/postgres/catalog/index.ts";
import type { Catalog, CatalogHolder } from "../../../platform/postgres/catalog/types.ts";
import { type Database, openDatabase } from "../../../platform/postgres/database.ts";
import { openSession } from "../../../platform/postgres/session/index.ts";
import { defaults, targetOf } from "../../../platform/postgres/session/testing.ts";
import type { Session } from "../../../platform/postgres/session/types.ts";
import { createDescribe, type DescribeOptions } from "./describe.ts";
import { type DocumentOptions, openApi } from "./document.ts";
import { readVisible, type Visible, visibleStatement } from "./privileges.ts";

let database: Database;
let client: pg.Client;
let drop: () => Promise<void>;
let holder: CatalogHolder;
let catalog: Catalog;
let session: Session;

const schema = `
  do $$ declare role text; begin
    foreach role in array array['anon', 'authenticated'] loop
      begin execute format('create role %I nologin', role);
      exception when duplicate_object or unique_violation then null; end;
    end loop;
  end $$;
  create schema shop;
  comment on schema shop is E'The shop\\n\\nWhat is sold, and to whom.';
  create type shop.size as enum ('small', 'large');
  create table shop.makers (id bigint generated always as identity primary key, name varchar(40) not null);
  create table shop.goods (
    id uuid primary key default gen_random_uuid(),
    maker_id bigint not null references shop.makers,
    name text not null default 'thing',
    size shop.size default 'small',
    price numeric(10,2) not null default 0,
    is_sold boolean default false,
    tags text[] default '{}',
    about jsonb,
    made timestamptz(3) default now()
  );
  comment on table shop.goods is E'Things for sale\\nOne row each.';
  comment on column shop.goods.maker_id is 'Who made it';
  create table shop.ledger (id int primary key, secret text);
  create table shop."odd/name ~" ("a b" int primary key);
  create view shop.cheap as select id, name, upper(name) as loud from shop.goods where price < 10;
  create function shop.search(query text, sizes shop.size[] default null, max_price numeric default 10) returns setof shop.goods
    language sql stable as $$ select * from shop.goods $$;
  create function shop.sum_of(variadic numbers int[]) returns int language sql immutable as $$ select 1 $$;
  create function shop.buy(good uuid) returns void language sql as $$ select $$;
  comment on function shop.buy is 'Buys one';
  create function shop.audit() returns int language sql as $$ select 1 $$;
  revoke execute on function shop.audit() from public;
  grant usage on schema shop to anon;
  grant select on shop.goods, shop.makers, shop.cheap to anon;
  grant select ("a b") on shop."odd/name ~" to anon;
`;

beforeAll(async () => {
  const test = await testDatabase();
  drop = test.drop;
  database = openDatabase({ connectionString: test.url });
  client = await database.connect();
  await client.query(schema);
  holder = await openCatalog({ database, schemas: () => ["shop"], observe: () => {}, settings: { catalogPollMs: 0 } });
  catalog = holder.current();
  session = await openSession({ target: targetOf(test.url), settings: defaults, observe: () => {} });
});

afterAll(async () => {
  await client.end();
  await session.close();
  await holder.close();
  await database.close();
  await drop();
});

async function visibleTo(role: string, of = "shop"): Promise<Visible> {
  const { text, values } = visibleStatement(role, of);
  const { rows } = await client.query<(string | null)[]>({ text, values: [...values], rowMode: "array" });
  return readVisible(rows.map((row) => row.map((cell) => (cell === null ? null : Buffer.from(cell)))));
}

const options: DocumentOptions = {
  schema: "shop",
  visible: null,
  serverUrl: "https://api.example.com/rest/v1",
  isSecured: false,
  version: "1.2.3",
};
const paths = (document: unknown) => Object.keys((document as { paths: object }).paths).sort();

describe("openApi", () => {
  it("describes a schema, as the snapshot says", async () => {
    const document = openApi(catalog, { ...options, isSecured: true, visible: await visibleTo("postgres") });
    await expect(`${JSON.stringify(document, null, 2)}\n`).toMatchFileSnapshot("openapi.json.snap");
  });

  it("shows everything when privileges are ignored", () => {
    expect(paths(openApi(catalog, options))).toEqual([
      "/",
      "/cheap",
      "/goods",
      "/ledger",
      "/makers",
      "/odd/name ~",
      "/rpc/audit",
      "/rpc/buy",
      "/rpc/search",
      "/rpc/sum_of",
    ]);
  });

  it("shows a role only what it may use", async () => {
    const document = openApi(catalog, { ...options, visible: await visibleTo("anon") });
    expect(paths(document)).toEqual([
      "/",
      "/cheap",
      "/goods",
      "/makers",
      "/odd/name ~",
      "/rpc/buy",
      "/rpc/search",
      "/rpc/sum_of",
    ]);
    expect(JSON.stringify(document)).not.toMatch(/ledger|secret|audit/);
  });

  it("shows nothing to who may not enter the schema, and of a schema that is not there", async () => {
    for (const visible of [await visibleTo("authenticated"), await visibleTo("anon", "nowhere")]) {
      const document = openApi(catalog, { ...options, visible });
      expect(paths(document)).toEqual(["/"]);
      expect(JSON.stringify(document)).not.toMatch(/goods|The shop/);
    }
  });

  it("names references that resolve, whatever the relation is called", () => {
    const document = openApi(catalog, options);
    const refs = JSON.stringify(document).matchAll(/"\$ref":"#\/([^"]+)"/g);
    let count = 0;
    for (const [, pointer] of refs) {
      const found = decodeURIComponent(pointer!.split("/").slice(1).join("/"))
        .replaceAll("~1", "/")
        .replaceAll("~0", "~");
      const section = pointer!.split("/")[0]! as "definitions" | "parameters";
      expect(Object.keys(document[section] as object)).toContain(found);
      count++;
    }
    expect(count).toBeGreaterThan(20);
  });
});

describe("createDescribe", () => {
  const call = (role: string, more: Partial<Call> = {}): Call => ({
    id: "1",
    method: "GET",
    path: "/rest/v1/",
    query: "",
    params: {},
    headers: { host: "localhost:54321" },
    who: {
      role,
      claims: {},
      claimsJson: "{}",
      subject: null,
      isAuthenticated: false,
      expiresAtMs: Number.POSITIVE_INFINITY,
    },
    address: "127.0.0.1",
    origin: "http://127.0.0.1:54321",
    signal: new AbortController().signal,
    body: async () => Buffer.alloc(0),
    async *stream() {},
    ...more,
  });
  const how: DescribeOptions = {
    schema: "shop",
    followsPrivileges: true,
    serverUrl: null,
    mount: "/rest/v1",
    isSecured: false,
  };
  const describeTo = async (role: string, options: Partial<DescribeOptions> = {}, more: Partial<Call> = {}) => {
    const reply = await createDescribe({ session, version: "1" })(call(role, more), catalog, { ...how, ...options });
    expect(reply.status).toBe(200);
    expect(reply.headers).toEqual(["Content-Type", "application/openapi+json; charset=utf-8"]);
    return reply.body === null ? null : JSON.parse(String(reply.body));
  };

  it("tells each role its own, and one role's document to nobody else", async () => {
    const describeCall = createDescribe({ session, version: "1" });
    const told = async (role: string) => paths(JSON.parse(String((await describeCall(call(role), catalog, how)).body)));
    for (let round = 0; round < 2; round++) {
      expect(await told("authenticated")).toEqual(["/"]);
      expect(await told("anon")).toContain("/goods");
      expect(await told("anon")).not.toContain("/ledger");
      expect(await told("postgres")).toContain("/ledger");
    }
  });

  it("ignores privileges when told to", async () => {
    expect(paths(await describeTo("authenticated", { followsPrivileges: false }))).toContain("/ledger");
  });

  it("names the public URL, else the host that was asked, and survives a senseless one", async () => {
    expect(await describeTo("anon")).toMatchObject({
      host: "localhost:54321",
      basePath: "/rest/v1",
      schemes: ["http"],
    });
    expect(await describeTo("anon", { serverUrl: "https://api.example.com/x" })).toMatchObject({
      host: "api.example.com:443",
      basePath: "/x",
      schemes: ["https"],
    });
    expect(await describeTo("anon", {}, { headers: { host: "[[[" } })).toMatchObject({ host: "localhost:80" });
  });

  it("sends no body for HEAD", async () => {
    expect(await describeTo("anon", {}, { method: "HEAD" })).toBeNull();
  });
});

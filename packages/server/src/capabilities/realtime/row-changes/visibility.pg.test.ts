import { templateDatabase, testDatabase } from "@mainstay/testing";
import { afterAll, beforeAll, expect, test } from "vitest";
import { readSettings } from "../../../kernel/settings.ts";
import { openPolicies, policiesSettings } from "../../../platform/policies/index.ts";
import { openDatabase } from "../../../platform/postgres/database.ts";
import { parseConnectionUrl } from "../../../platform/postgres/external/index.ts";
import { openSession } from "../../../platform/postgres/session/index.ts";
import { postgresSettings } from "../../../platform/postgres/settings.ts";
import { openTestRealtime, type Received, type TestClient, type TestRealtime } from "../testing.ts";
import { createRowChanges } from "./index.ts";
import { changeOf, openLog } from "./testing.ts";

/** 10,000 when asked for. */
const events = Number(process.env.MAINSTAY_REALTIME_EVENTS ?? 400);
const subscribersPerClass = 10;

const schema = `
  create table public.members (team int4, who uuid, primary key (team, who));
  grant select on public.members to authenticated;
  create table public.posts (
    id int8 primary key, author uuid, team int4, level int4, is_public bool, body text, note text, secret text
  );
  alter table public.posts enable row level security;
  create policy everybody on public.posts for select to anon using (is_public);
  create policy members on public.posts for select to authenticated
    using (is_public or author = (select auth.uid()) or team in (select m.team from members m where m.who = auth.uid()));
  create policy level on public.posts as restrictive for select to authenticated
    using (level <= coalesce((auth.jwt() ->> 'level')::int, 0) or author = auth.uid());
  create role editor nologin; grant editor to authenticator; grant usage on schema public, auth to editor;
  create policy editors on public.posts for select to editor using (body like 'draft%' or length(note) > 3);
  revoke all on public.posts from anon, authenticated, service_role;
  grant select (id, is_public, body) on public.posts to anon;
  grant select (id, author, team, level, is_public, body, note) on public.posts to authenticated;
  grant select on public.posts to editor, service_role;
  alter publication supabase_realtime add table public.posts;
`;

const user = (n: number): string => `00000000-0000-4000-8000-${String(n).padStart(12, "0")}`;

interface Viewer {
  readonly role: string;
  readonly claims: Readonly<Record<string, unknown>>;
}
/** Ten that see different rows, or different columns of them. */
const viewers: readonly Viewer[] = [
  { role: "anon", claims: {} },
  { role: "service_role", claims: {} },
  { role: "editor", claims: {} },
  { role: "authenticated", claims: { sub: user(1) } },
  { role: "authenticated", claims: { sub: user(1), level: 5 } },
  { role: "authenticated", claims: { sub: user(2), level: 2 } },
  { role: "authenticated", claims: { sub: user(3), level: 9 } },
  { role: "authenticated", claims: { sub: user(4), level: 1 } },
  { role: "authenticated", claims: { sub: user(5), level: 3 } },
  { role: "authenticated", claims: { sub: user(6) } },
];

let realtime: TestRealtime;
let close: () => Promise<void>;

beforeAll(async () => {
  const database = await testDatabase(await templateDatabase());
  const log = openLog(database.url);
  const db = openDatabase({ connectionString: database.url });
  const settings = readSettings(postgresSettings, { env: {} }).values;
  const session = await openSession({ target: parseConnectionUrl(database.url), settings, observe: () => {} });
  const policies = await openPolicies({
    database: db,
    session,
    log: log.log,
    settings: readSettings(policiesSettings, { env: {} }).values,
    observe: () => {},
  });
  let stop = () => {};
  realtime = await openTestRealtime({
    database,
    sql: schema,
    log: log.log,
    policies,
    features(context) {
      const rowChanges = createRowChanges(context);
      rowChanges.start();
      stop = () => rowChanges.stop();
      return [rowChanges];
    },
  });
  close = async () => {
    stop();
    await policies.close();
    await log.close();
    await session.close(AbortSignal.timeout(2_000));
    await realtime.close();
    await db.close();
    await database.drop();
  };
});
afterAll(() => close());

const isSubscribed = ({ event, payload }: Received): boolean =>
  event === "system" && (payload as { message?: string }).message === "Subscribed to PostgreSQL";

/** The same every time, so that a failure can be looked at. */
function random(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state * 1_103_515_245 + 12_345) % 2_147_483_648;
    return Math.floor((state / 2_147_483_648) * below);
  };
}

test(`R02 ${subscribersPerClass * viewers.length} subscribers of ${viewers.length} kinds get exactly what PostgreSQL shows each of ${events} changes`, async () => {
  await realtime.sql("insert into members values (1, $1), (2, $1), (2, $2), (3, $3)", [user(1), user(2), user(4)]);
  const subscribers: { viewer: number; client: TestClient }[] = [];
  for (const [viewer, { role, claims }] of viewers.entries()) {
    for (let at = 0; at < subscribersPerClass; at++) {
      const client = realtime.connect();
      const bindings = [
        { event: "*", schema: "public", table: "posts" },
        // Others of the same kind select less: what one gets must not be what another gets.
        ...(at % 3 === 1 ? [{ event: "INSERT", schema: "public", table: "posts", filter: "id=gt.0" }] : []),
      ];
      const token = realtime.token({ sub: undefined, ...claims, role });
      expect((await client.join(`room-${at}`, { postgres_changes: bindings }, token)).status).toBe("ok");
      await client.waitFor(isSubscribed);
      subscribers.push({ viewer, client });
    }
  }
  const pick = random(7);
  /** What each kind is to get, change by change: PostgreSQL's own answer, asked as the viewer in the transaction of the change. */
  const expected: Record<string, unknown>[][] = viewers.map(() => []);
  const columnsOf = (role: string): string =>
    role === "anon"
      ? "id, is_public, body"
      : role === "authenticated"
        ? "id, author, team, level, is_public, body, note"
        : "*";
  const ids: number[] = [];
  for (let at = 1; at <= events; at++) {
    const isUpdate = ids.length > 0 && pick(3) === 0;
    const id = isUpdate ? ids[pick(ids.length)]! : at;
    const values = [
      id,
      pick(4) === 0 ? null : user(1 + pick(6)),
      1 + pick(4),
      pick(8),
      pick(3) === 0,
      pick(5) === 0 ? `draft ${at}` : `text ${at} "é"`,
      pick(3) === 0 ? null : "n".repeat(pick(7)),
      `hush-${at}`,
    ];
    await realtime.sql(
      isUpdate
        ? "update posts set author = $2, team = $3, level = $4, is_public = $5, body = $6, note = $7, secret = $8 where id = $1"
        : "insert into posts values ($1, $2, $3, $4, $5, $6, $7, $8)",
      values,
    );
    if (!isUpdate) ids.push(id);
    for (const [viewer, { role, claims }] of viewers.entries()) {
      const rows = await asViewer(
        role,
        claims,
        `select to_jsonb(p) as row from (select ${columnsOf(role)} from posts where id = ${id}) p`,
      );
      if (rows[0] !== undefined) expected[viewer]!.push({ type: isUpdate ? "UPDATE" : "INSERT", record: rows[0].row });
    }
  }
  for (const { viewer, client } of subscribers) {
    await expect.poll(() => client.of("postgres_changes").length).toBe(expected[viewer]!.length);
    const got = client.of("postgres_changes").map((message) => {
      const { data } = changeOf(message);
      expect(data.columns.map(({ name }) => name)).toEqual(Object.keys(data.record ?? {}));
      expect(data.old_record).toEqual(data.type === "UPDATE" ? { id: data.record?.id } : undefined);
      return { type: data.type, record: data.record };
    });
    expect(got).toEqual(expected[viewer]);
    const maySeeSecrets = ["service_role", "editor"].includes(viewers[viewer]!.role);
    if (!maySeeSecrets) expect(JSON.stringify(client.received)).not.toContain("hush");
  }
  expect(new Set(expected.map((rows) => JSON.stringify(rows))).size).toBe(viewers.length);
}, 600_000);

async function asViewer(
  role: string,
  claims: Viewer["claims"],
  select: string,
): Promise<{ row: Record<string, unknown> }[]> {
  const json = JSON.stringify({ ...claims, role }).replaceAll("'", "''");
  try {
    return await realtime.sql(
      `begin; select set_config('role', '${role}', true), set_config('request.jwt.claims', '${json}', true); ${select}`,
    );
  } finally {
    await realtime.sql("rollback");
  }
}

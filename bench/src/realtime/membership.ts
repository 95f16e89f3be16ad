import { costOf, failed, limit, ms, reported, us, whole } from "../figures.ts";
import { percentile, shoot } from "../load.ts";
import { type Figure, pgbench } from "../scenarios.ts";
import { tokenOf } from "../tokens.ts";
import type { RealtimeBench } from "./bench.ts";

const users = 1_000;
/** Everybody is in room 0, and in one of these. */
const rooms = 100;
/** One question each for this many users, in one round trip and one transaction. */
const checksPerTrip = 20;
const rowsPerTransaction = 10;
/** Requests that make the server's connections tell what they did. */
const nudges = 64;

/** A thousand users under a policy with a sub-select, against what one check by SQL for each would take. */
export async function membership(bench: RealtimeBench): Promise<Figure[]> {
  const { crowd, sql } = bench;
  await sql.query(
    `insert into public.members (room, user_id)
     select r.room, ('00000000-0000-4000-8000-' || lpad(n::text, 12, '0'))::uuid
       from generate_series(1, ${users}) n, lateral (values (0), (1 + n % ${rooms})) r (room)`,
  );
  await sql.query("analyze public.members");
  await crowd.connect(users);
  const joinMs = await crowd.join(
    Array.from({ length: users }, (_, i) => ({
      topic: `user ${i + 1}`,
      rows: { table: "posts", filter: null },
      token: tokenOf(i + 1),
    })),
  );
  const everyone = await toEveryone(bench);
  const rows = await toSome(bench);
  await crowd.leave();
  return [
    reported(
      `${whole(users)} users with a token each, first subscription to a table under a policy with a sub-select`,
      `${whole(users / (joinMs / 1000))}/s`,
    ),
    everyone,
    ...rows,
  ];
}

/** One post that all may see. */
async function toEveryone({ crowd, server, anonKey, seconds }: RealtimeBench): Promise<Figure> {
  const shot = {
    method: "POST",
    path: "/rest/v1/posts",
    headers: {
      apikey: anonKey,
      Authorization: `Bearer ${tokenOf(1)}`,
      "Content-Type": "application/json",
      Prefer: "return=minimal",
    },
    body: '{"n":$n,"room":0}',
  };
  const by = { how: "insert", url: server.url, shot, receivers: users } as const;
  const perSecond = 10;
  await crowd.rounds({ seconds: 1, by, pace: { perSecond } });
  const { lastMs, failures } = await crowd.rounds({ seconds, by, pace: { perSecond } });
  const p95 = percentile(lastMs, 0.95);
  return {
    name: `an insert over REST at ${whole(users)} users who may see it, ${perSecond}/s: until the last has it`,
    value: `p50 ${ms(percentile(lastMs, 0.5))}, p95 ${ms(p95)}${failed(failures)}`,
    against: "p95 < 80 ms",
    isMet: p95 < 80 && failures === 0,
  };
}

/** Posts that ten of the thousand may see. */
async function toSome(bench: RealtimeBench): Promise<Figure[]> {
  const { crowd, server, sql, databaseUrl, seconds } = bench;
  const changes = 2_000;
  const statementsBefore = await statements(bench);
  const { result: perSecond, nodeMs } = await costOf(server, async () => {
    const arrived = crowd.rows((changes * users) / rooms);
    const startMs = performance.timeOrigin + performance.now();
    for (let from = 0; from < changes; from += rowsPerTransaction) {
      await sql.query({
        name: "posts",
        text: `insert into public.posts (n, room) select n, 1 + n % ${rooms} from generate_series($1::int, $1::int + ${rowsPerTransaction - 1}) n`,
        values: [from],
      });
    }
    return changes / (((await arrived) - startMs) / 1000);
  });
  const asked = (await statements(bench)) - statementsBefore - changes / rowsPerTransaction - nudges;
  const checks = await checksPerSecond(databaseUrl, Math.min(seconds, 3));
  const name = `changes/s past ${whole(users)} users under a policy with a sub-select, seen by ten of them`;
  if (checks === null) return [reported(name, `${whole(perSecond)}/s; pgbench is not installed`)];
  const bySql = checks / users;
  return [
    limit(
      `one check by SQL for each of ${whole(users)} users, ${checksPerTrip} in a round trip`,
      `${whole(checks)} checks/s, so ${bySql.toFixed(0)} changes/s`,
    ),
    {
      name,
      value: `${whole(perSecond)}/s (${(perSecond / bySql).toFixed(0)} × by SQL), ${us((nodeMs * 1000) / changes)} of Node and ${(Math.max(0, asked) / changes).toFixed(2)} statements each`,
      against: "≥ 10 × by SQL, < 0.1 statements",
      isMet: perSecond >= 10 * bySql && asked < 0.1 * changes,
    },
  ];
}

/** Transactions of the database so far, with those that it takes to know. */
async function statements({ server, anonKey, sql }: RealtimeBench): Promise<number> {
  // A connection tells what it did with the first transaction that it ends a second later, or after ten.
  await new Promise((resolve) => setTimeout(resolve, 1_100));
  const shot = { method: "GET", path: "/rest/v1/ticks?select=id&limit=1", headers: { apikey: anonKey } };
  await Promise.all(Array.from({ length: nudges }, () => shoot(server.url, shot)));
  await sql.query("select pg_stat_force_next_flush()");
  const { rows } = await sql.query<{ count: string }>(
    "select xact_commit + xact_rollback as count from pg_stat_database where datname = current_database()",
  );
  return Number(rows[0]!.count);
}

/** As a server would ask: role and claims, then whether this user sees this row. */
async function checksPerSecond(databaseUrl: string, seconds: number): Promise<number | null> {
  const check = (at: number): string => `\\set u${at} random(1, ${users})
select set_config('role', 'authenticated', true), set_config('request.jwt.claims', format('{"sub": "00000000-0000-4000-8000-%s", "role": "authenticated"}', lpad(:u${at}::text, 12, '0')), true);
select count(*) from public.posts where id = 1;`;
  const checks = Array.from({ length: checksPerTrip }, (_, at) => check(at)).join("\n");
  const trips = await pgbench({ databaseUrl, seconds, connections: 2 }, checks);
  return trips === null ? null : trips * checksPerTrip;
}

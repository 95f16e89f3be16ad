import { type SQL, sql } from "pg-sql2";
import type { Queryable } from "../../../platform/postgres/database.ts";

/** How many failures there may be, and how long the wait after them is. */
export interface Lockouts {
  readonly networkAfter: number;
  readonly accountAfter: number;
  readonly firstSeconds: number;
  readonly maxSeconds: number;
  readonly forgetSeconds: number;
}

/** Hashed, in hexadecimal: the account on one network, and the account anywhere. */
export interface AttemptKeys {
  readonly network: string;
  readonly account: string;
}

export interface Entered {
  readonly isAdmitted: boolean;
  /** When not admitted: how long to wait. When admitted: how long the next one will have to, should this one fail; 0 for not at all. */
  readonly waitSeconds: number;
  /** The account was signed in from this network lately, so guesses from elsewhere do not count here. */
  readonly isTrusted: boolean;
}

/** All SQL about failed sign-ins. */
export const attemptStore = {
  /**
   * Counts an attempt as failed, before anybody knows; `settle` takes that back. One statement, so that of fifty guesses at once no
   * more are let through than of fifty in turn. Nothing is counted for an attempt that is refused.
   */
  async enter(db: Queryable, keys: AttemptKeys, lockouts: Lockouts, shiftMs: number): Promise<Entered> {
    const count = (after: number): { readonly failures: SQL; readonly until: (failures: SQL) => SQL } => ({
      failures: sql`(case when a.last_at < excluded.last_at - make_interval(secs => ${float(lockouts.forgetSeconds)})
        then 1 else a.failures + 1 end)`,
      until: (failures) => sql`(case when ${failures} >= ${integer(after)} then
        (select now from clock) + make_interval(secs => least(${float(lockouts.maxSeconds)},
          ${float(lockouts.firstSeconds)} * power(2, least(${failures} - ${integer(after)}, 30)))) end)`,
    });
    const [network, account] = [count(lockouts.networkAfter), count(lockouts.accountAfter)];
    const isFree = sql`coalesce(a.locked_until <= excluded.last_at, true)`;
    const [entered] = await db.query<Entered>(sql`
      with clock as materialized (
        select ${nowOf(shiftMs)} as now
      ), seen as materialized (
        select coalesce(bool_or(a.trusted_until > now) filter (where a.key = ${bytes(keys.network)}), false) as trusted,
          max(a.locked_until) filter (where a.key = ${bytes(keys.network)}) as network_until,
          max(a.locked_until) filter (where a.key = ${bytes(keys.account)}) as account_until
        from clock left join mainstay.sign_in_attempts a on a.key in (${bytes(keys.network)}, ${bytes(keys.account)})
      ), mine as (
        insert into mainstay.sign_in_attempts as a (key, failures, last_at, locked_until)
        select ${bytes(keys.network)}, 1, now, ${network.until(sql`1`)} from clock, seen
        where trusted or coalesce(account_until <= now, true)
        on conflict (key) do update set failures = ${network.failures}, last_at = excluded.last_at,
          locked_until = ${network.until(network.failures)}
        where ${isFree} returning a.locked_until
      ), whole as (
        insert into mainstay.sign_in_attempts as a (key, failures, last_at, locked_until)
        select ${bytes(keys.account)}, 1, now, ${account.until(sql`1`)} from clock, seen, mine
        where not trusted
        on conflict (key) do update set failures = ${account.failures}, last_at = excluded.last_at,
          locked_until = ${account.until(account.failures)}
        where ${isFree} returning a.locked_until
      )
      select trusted as "isTrusted",
        exists (select from mine) and (trusted or exists (select from whole)) as "isAdmitted",
        greatest(0, extract(epoch from greatest(
          case when exists (select from mine) then (select locked_until from mine) else network_until end,
          case when trusted then null when exists (select from whole) then (select locked_until from whole)
            else account_until end
        ) - now))::float8 as "waitSeconds"
      from clock, seen`);
    return entered!;
  },

  /**
   * Takes an attempt back that was counted by `enter`: it was no failure. With `trustedDays` it succeeded: the network starts anew and
   * is known from then on.
   */
  async settle(
    db: Queryable,
    keys: AttemptKeys,
    how: { readonly isTrusted: boolean; readonly trustedDays: number | null },
    lockouts: Lockouts,
    shiftMs: number,
  ): Promise<void> {
    const isSuccess = how.trustedDays !== null;
    // In the order `enter` takes the rows in: two statements that wait for each other never both do.
    await db.query(sql`
      with clock as materialized (
        select ${nowOf(shiftMs)} as now
      ), mine as (
        update mainstay.sign_in_attempts a set
          failures = ${isSuccess ? sql`0` : sql`greatest(0, a.failures - 1)`},
          locked_until = ${isSuccess ? sql`null` : unlessBelow(lockouts.networkAfter)},
          trusted_until = ${
            isSuccess
              ? sql`(select now from clock) + make_interval(days => ${integer(how.trustedDays)})`
              : sql`a.trusted_until`
          }
        where a.key = ${bytes(keys.network)} returning 1
      )
      update mainstay.sign_in_attempts a
      set failures = greatest(0, a.failures - 1), locked_until = ${unlessBelow(lockouts.accountAfter)}
      where a.key = ${bytes(keys.account)} and (select count(*) from mine) >= 0 and ${sql.value(!how.isTrusted)}::boolean`);
  },

  /** Forgets what counts no more. @returns how many */
  async sweep(db: Queryable, forgetSeconds: number, shiftMs: number): Promise<number> {
    const rows = await db.query(sql`
      delete from mainstay.sign_in_attempts
      where last_at < ${nowOf(shiftMs)} - make_interval(secs => ${float(forgetSeconds)})
        and coalesce(locked_until < ${nowOf(shiftMs)}, true) and coalesce(trusted_until < ${nowOf(shiftMs)}, true)
      returning 1`);
    return rows.length;
  },
};

const unlessBelow = (after: number): SQL => sql`case when a.failures - 1 >= ${integer(after)} then a.locked_until end`;

const bytes = (hex: string): SQL => sql`decode(${sql.value(hex)}, 'hex')`;
const float = (value: number): SQL => sql`${sql.value(value)}::float8`;
const integer = (value: number): SQL => sql`${sql.value(value)}::int`;

const nowOf = (shiftMs: number): SQL => sql`(clock_timestamp() + make_interval(secs => ${float(shiftMs / 1000)}))`;

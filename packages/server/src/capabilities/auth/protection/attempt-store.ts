import { type SQL, sql } from "pg-sql2";
import type { Queryable } from "../../../platform/postgres/database.ts";
import { type Columns, type ParameterOf, prepare } from "../../../platform/postgres/prepared.ts";

/** How many failures there may be, and how long the wait after them is. */
export type Lockouts = {
  readonly networkAfter: number;
  readonly accountAfter: number;
  readonly firstSeconds: number;
  readonly maxSeconds: number;
  readonly forgetSeconds: number;
};

/** An attempt, about to be made. */
export type Entering = Lockouts & {
  /** HMACs in hexadecimal: of the account on one network, and of the account anywhere. */
  readonly networkKey: string;
  readonly accountKey: string;
  /** How far a test has moved the clock. */
  readonly shiftSeconds: number;
};

export interface Entered {
  readonly isAdmitted: boolean;
  /** When not admitted: how long to wait. When admitted: how long the next one will have to, should this one fail; 0 for not at all. */
  readonly waitSeconds: number;
  /** The account was signed in from this network lately, so guesses from elsewhere do not count here. */
  readonly isTrusted: boolean;
}

/** An attempt that was no failure. */
export type Settling = Pick<
  Entering,
  "networkKey" | "accountKey" | "networkAfter" | "accountAfter" | "shiftSeconds"
> & {
  readonly isTrusted: boolean;
  /** How long the network is known from now on, because the attempt succeeded; `null` when it was never made. */
  readonly trustedDays: number | null;
};

const bytes = (hex: SQL): SQL => sql`decode(${hex}::text, 'hex')`;
const float = (value: SQL): SQL => sql`${value}::float8`;
const integer = (value: SQL): SQL => sql`${value}::int`;

const nowAt = (shiftSeconds: SQL): SQL => sql`(clock_timestamp() + make_interval(secs => ${float(shiftSeconds)}))`;

/**
 * The commit does not wait for the disk. What a guess came to is told after a commit that does, and takes this one along: of a session,
 * of the failure in the audit log, or of the code's try. So nobody learns more, should PostgreSQL go down, than was counted.
 */
const withoutWaiting = sql`set_config('synchronous_commit', 'off', true)`;

/**
 * Counts an attempt as failed, before anybody knows; `settling` takes that back. One statement, so that of fifty guesses at once no
 * more are let through than of fifty in turn. Nothing is counted for an attempt that is refused.
 * For a `with`, of which `enteredFields` are then to be had from `entered`.
 */
export const entering = (parameter: ParameterOf<Entering>): SQL => {
  const [networkKey, accountKey] = [bytes(parameter("networkKey")), bytes(parameter("accountKey"))];
  const seconds = (name: "firstSeconds" | "maxSeconds" | "forgetSeconds"): SQL => float(parameter(name));
  const until = (failures: SQL, after: SQL, now: SQL): SQL => sql`(case when ${failures} >= ${after} then
    ${now} + make_interval(secs => least(${seconds("maxSeconds")},
      ${seconds("firstSeconds")} * power(2, least(${failures} - ${after}, 30)))) end)`;
  const counting = (key: SQL, after: SQL, from: SQL): SQL => {
    const failures = sql`(case when a.last_at < excluded.last_at - make_interval(secs => ${seconds("forgetSeconds")})
      then 1 else a.failures + 1 end)`;
    return sql`
      insert into mainstay.sign_in_attempts as a (key, failures, last_at, locked_until)
      select ${key}, 1, seen.now, ${until(sql`1`, after, sql`seen.now`)} from ${from}
      on conflict (key) do update set failures = ${failures}, last_at = excluded.last_at,
        locked_until = ${until(failures, after, sql`excluded.last_at`)}
      where coalesce(a.locked_until <= excluded.last_at, true) returning true as counted, a.locked_until`;
  };
  return sql`
    seen as materialized (
      select clock.now, coalesce(bool_or(a.trusted_until > clock.now) filter (where a.key = ${networkKey}), false) as trusted,
        max(a.locked_until) filter (where a.key = ${networkKey}) as network_until,
        max(a.locked_until) filter (where a.key = ${accountKey}) as account_until
      from (select ${nowAt(parameter("shiftSeconds"))} as now, ${withoutWaiting}) clock
        left join mainstay.sign_in_attempts a on a.key in (${networkKey}, ${accountKey})
      group by clock.now
    ), mine as (${counting(
      networkKey,
      integer(parameter("networkAfter")),
      sql`seen where trusted or coalesce(account_until <= now, true)`,
    )}
    ), whole as (${counting(accountKey, integer(parameter("accountAfter")), sql`seen, mine where not trusted`)}
    ), entered as (
      select trusted, coalesce(mine.counted and (trusted or whole.counted), false) as admitted,
        greatest(0, extract(epoch from greatest(
          case when mine.counted then mine.locked_until else network_until end,
          case when trusted then null when whole.counted then whole.locked_until else account_until end
        ) - now))::float8 as wait_seconds
      from seen left join mine on true left join whole on true
    )`;
};

/** Of `entered`. */
export const enteredFields = sql`
  entered.trusted as "isTrusted", entered.admitted as "isAdmitted", entered.wait_seconds as "waitSeconds"`;

/** What `enteredFields` give, in their order. */
export const enteredColumns: Columns = [
  ["isTrusted", "flag"],
  ["isAdmitted", "flag"],
  ["waitSeconds", "number"],
];

/**
 * Takes an attempt back that was counted by `entering`: it was no failure. With `trustedDays` it succeeded: the network starts anew
 * and is known from then on. For a `with`; in the order `entering` takes the rows in, so that two that wait for each other never both do.
 * @param isDue on what, besides
 */
export const settling = (parameter: ParameterOf<Settling>, isDue: SQL): SQL => {
  const isSuccess = sql`${integer(parameter("trustedDays"))} is not null`;
  const unlessBelow = (after: SQL): SQL => sql`case when a.failures - 1 >= ${integer(after)} then a.locked_until end`;
  return sql`
    settled as (
      update mainstay.sign_in_attempts a set
        failures = case when ${isSuccess} then 0 else greatest(0, a.failures - 1) end,
        locked_until = case when ${isSuccess} then null else ${unlessBelow(parameter("networkAfter"))} end,
        trusted_until = case when ${isSuccess}
          then ${nowAt(parameter("shiftSeconds"))} + make_interval(days => ${integer(parameter("trustedDays"))})
          else a.trusted_until end
      where a.key = ${bytes(parameter("networkKey"))} and ${isDue} returning 1
    ), settled_whole as (
      update mainstay.sign_in_attempts a
      set failures = greatest(0, a.failures - 1), locked_until = ${unlessBelow(parameter("accountAfter"))}
      where a.key = ${bytes(parameter("accountKey"))} and (select count(*) from settled) >= 0
        and not ${parameter("isTrusted")}::boolean and ${isDue}
    )`;
};

const enter = prepare<Entering>(
  enteredColumns,
  (parameter) => sql`with ${entering(parameter)} select ${enteredFields} from entered`,
);

const settle = prepare<Settling>([], (parameter) => sql`with ${settling(parameter, sql`true`)} select where false`);

/** All SQL about failed sign-ins that is not part of a longer statement. */
export const attemptStore = {
  async enter(db: Queryable, attempt: Entering): Promise<Entered> {
    const [entered] = await db.execute<Entered, Entering>(enter, attempt);
    return entered!;
  },

  async settle(db: Queryable, attempt: Settling): Promise<void> {
    await db.execute(settle, attempt);
  },

  /** Forgets what counts no more. @returns how many */
  async sweep(db: Queryable, forgetSeconds: number, shiftSeconds: number): Promise<number> {
    const now = nowAt(sql.value(shiftSeconds));
    const rows = await db.query(sql`
      delete from mainstay.sign_in_attempts
      where last_at < ${now} - make_interval(secs => ${float(sql.value(forgetSeconds))})
        and coalesce(locked_until < ${now}, true) and coalesce(trusted_until < ${now}, true)
      returning 1`);
    return rows.length;
  },
};

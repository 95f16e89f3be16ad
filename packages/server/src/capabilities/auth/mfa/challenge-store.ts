import { sql } from "pg-sql2";
import type { Queryable } from "../../../platform/postgres/database.ts";

export interface Challenge {
  readonly id: string;
  /** Where it was asked for. */
  readonly address: string;
  /** Too old, or answered. */
  readonly isOver: boolean;
  /** Of the code that was sent; `null` when none was. */
  readonly codeHash: string | null;
  /** What a WebAuthn ceremony remembers; `null` for other factors. */
  readonly ceremony: unknown;
}

/** What the column holds for a caller without an IP address (a socket in the file system). */
const noAddress = "::";

/** All SQL about challenges. */
export const challengeStore = {
  /**
   * Begins one, and sweeps the factor's older ones that can no longer be answered.
   * @returns when it ends, in Unix seconds; `null` when the factor is gone
   * @throws SQLSTATE 23505 when another factor was challenged in the same microsecond: GoTrue's table wants these unique
   */
  async create(
    tx: Queryable,
    challenge: {
      readonly id: string;
      readonly factorId: string;
      readonly ip: string | null;
      readonly codeHash?: string;
      readonly ceremony?: unknown;
      readonly lifeSeconds: number;
    },
  ): Promise<number | null> {
    const { id, factorId, codeHash = null, ceremony, lifeSeconds } = challenge;
    const state = ceremony === undefined ? null : JSON.stringify(ceremony);
    const [row] = await tx.query<{ endsAt: number }>(sql`
      with factor as (
        update auth.mfa_factors set last_challenged_at = clock_timestamp() where id = ${sql.value(factorId)} returning id
      ), swept as (
        delete from auth.mfa_challenges
        where factor_id = (select id from factor)
          and created_at < now() - make_interval(secs => ${sql.value(lifeSeconds)})
      )
      insert into auth.mfa_challenges (id, factor_id, created_at, ip_address, otp_code, web_authn_session_data)
      select ${sql.value(id)}, id, now(), ${sql.value(challenge.ip ?? noAddress)}::inet, ${sql.value(codeHash)},
        ${sql.value(state)}::jsonb
      from factor
      returning extract(epoch from created_at + make_interval(secs => ${sql.value(lifeSeconds)}))::float8 as "endsAt"`);
    return row === undefined ? null : Math.floor(row.endsAt);
  },

  async find(db: Queryable, factorId: string, id: string, lifeSeconds: number): Promise<Challenge | null> {
    const [row] = await db.query<Challenge>(sql`
      select id, host(ip_address) as address, otp_code as "codeHash", web_authn_session_data as ceremony,
        verified_at is not null or created_at < now() - make_interval(secs => ${sql.value(lifeSeconds)}) as "isOver"
      from auth.mfa_challenges where id = ${sql.value(id)} and factor_id = ${sql.value(factorId)}`);
    return row ?? null;
  },

  /** Counts one answer, right or wrong. One statement; the lock is for a factor that is being taken away just now. @returns false when there were `max` already (threat A12) */
  async countAttempt(db: Queryable, id: string, max: number): Promise<boolean> {
    const rows = await db.query(sql`
      insert into mainstay.mfa_challenge_attempts (challenge_id, attempts)
      select id, 1 from auth.mfa_challenges where id = ${sql.value(id)} for key share
      on conflict (challenge_id) do update set attempts = mfa_challenge_attempts.attempts + 1
        where mfa_challenge_attempts.attempts < ${sql.value(max)}
      returning challenge_id`);
    return rows.length === 1;
  },

  /** Uses it up. One statement. @returns false when it was answered, or has ended (threat A10) */
  async spend(tx: Queryable, id: string, lifeSeconds: number): Promise<boolean> {
    const rows = await tx.query(sql`
      update auth.mfa_challenges set verified_at = now()
      where id = ${sql.value(id)} and verified_at is null
        and created_at >= now() - make_interval(secs => ${sql.value(lifeSeconds)}) returning id`);
    return rows.length === 1;
  },
};

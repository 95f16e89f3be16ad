import { sql } from "pg-sql2";
import type { Queryable } from "../../../platform/postgres/database.ts";

export interface UsedCode {
  readonly sessionId: string;
  readonly codeChallenge: string;
  readonly codeChallengeMethod: string;
}

/** All SQL about the codes that PKCE redirects carry. */
export const codeStore = {
  /**
   * The code a link's redirect carries: `code`, or the one given out less than `reuseSeconds` ago. A mail scanner that opens
   * the link at the same moment gets the person's code, useless to it, and does not put another in its place (threat A21).
   * @returns `null` when the flow is over
   */
  async renew(
    db: Queryable,
    flowStateId: string,
    given: { readonly code: string; readonly userId: string; readonly reuseSeconds: number },
  ): Promise<string | null> {
    const isFresh = sql`(auth_code is not null
      and auth_code_issued_at > clock_timestamp() - make_interval(secs => ${sql.value(given.reuseSeconds)}))`;
    const [row] = await db.query<{ code: string }>(sql`
      update auth.flow_state set user_id = ${sql.value(given.userId)}, updated_at = now(),
        auth_code = case when ${isFresh} then auth_code else ${sql.value(given.code)} end,
        auth_code_issued_at = case when ${isFresh} then auth_code_issued_at else clock_timestamp() end
      where id = ${sql.value(flowStateId)} returning auth_code as code`);
    return row?.code ?? null;
  },

  async remember(tx: Queryable, codeHash: string, used: UsedCode): Promise<void> {
    await tx.query(sql`
      insert into mainstay.used_auth_codes (code_hash, session_id, code_challenge, code_challenge_method)
      values (${sql.value(codeHash)}, ${sql.value(used.sessionId)}, ${sql.value(used.codeChallenge)},
        ${sql.value(used.codeChallengeMethod)}) on conflict do nothing`);
  },

  async findUsed(db: Queryable, codeHash: string): Promise<UsedCode | null> {
    const [row] = await db.query<UsedCode>(sql`
      select session_id as "sessionId", code_challenge as "codeChallenge",
        code_challenge_method as "codeChallengeMethod"
      from mainstay.used_auth_codes where code_hash = ${sql.value(codeHash)}`);
    return row ?? null;
  },
};

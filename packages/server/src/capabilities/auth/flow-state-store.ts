import { sql } from "pg-sql2";
import type { Queryable } from "../../platform/postgres/database.ts";

/** One sign-in under way, from its start to the exchange of its code: PKCE (RFC 7636), and OAuth's `state`. */
export interface FlowState {
  readonly id: string;
  readonly userId: string | null;
  /** `""` when the client did not use PKCE. */
  readonly codeChallenge: string;
  readonly codeChallengeMethod: "s256" | "plain" | "";
  /** The provider, or `email`, `magiclink`, `recovery` …: what it began with. */
  readonly providerType: string;
  /** `amr` of the session it leads to. */
  readonly authenticationMethod: string;
  readonly providerAccessToken: string | null;
  readonly providerRefreshToken: string | null;
  /** Where the browser goes in the end: allowed already. */
  readonly redirectTo: string;
  readonly inviteToken: string | null;
  /** The user an identity is to be added to. */
  readonly linkingTargetId: string | null;
  readonly ageSeconds: number;
  /** Since the code was given out; `null` before that. */
  readonly codeAgeSeconds: number | null;
}

export interface NewFlowState {
  readonly id: string;
  readonly userId?: string | null;
  readonly codeChallenge: string;
  readonly codeChallengeMethod: "s256" | "plain" | "";
  readonly providerType: string;
  readonly authenticationMethod: string;
  readonly redirectTo: string;
  readonly inviteToken?: string | null;
  readonly linkingTargetId?: string | null;
}

const columns = sql`
  id, user_id as "userId", coalesce(code_challenge, '') as "codeChallenge",
  coalesce(code_challenge_method::text, '') as "codeChallengeMethod", provider_type as "providerType",
  authentication_method as "authenticationMethod", provider_access_token as "providerAccessToken",
  provider_refresh_token as "providerRefreshToken", coalesce(referrer, '') as "redirectTo",
  invite_token as "inviteToken", linking_target_id as "linkingTargetId",
  extract(epoch from clock_timestamp() - created_at)::float8 as "ageSeconds",
  extract(epoch from clock_timestamp() - auth_code_issued_at)::float8 as "codeAgeSeconds"`;

/** All SQL about flows under way. Codes are kept as given: they are worth nothing without the client's verifier. */
export const flowStateStore = {
  async create(db: Queryable, flow: NewFlowState): Promise<void> {
    await db.query(sql`
      insert into auth.flow_state (id, user_id, code_challenge, code_challenge_method, provider_type,
        authentication_method, referrer, invite_token, linking_target_id, created_at, updated_at)
      values (${sql.value(flow.id)}, ${sql.value(flow.userId ?? null)}, ${sql.value(flow.codeChallenge || null)},
        ${sql.value(flow.codeChallengeMethod || null)}::auth.code_challenge_method, ${sql.value(flow.providerType)},
        ${sql.value(flow.authenticationMethod)}, ${sql.value(flow.redirectTo)}, ${sql.value(flow.inviteToken ?? null)},
        ${sql.value(flow.linkingTargetId ?? null)}, now(), now())`);
  },

  async find(db: Queryable, id: string): Promise<FlowState | null> {
    const [row] = await db.query<FlowState>(sql`select ${columns} from auth.flow_state where id = ${sql.value(id)}`);
    return row ?? null;
  },

  /** Gives the flow its user and the code to be exchanged. @returns false when it has one already, or is gone */
  async issueCode(
    db: Queryable,
    id: string,
    code: string,
    of: {
      readonly userId: string;
      readonly providerAccessToken?: string | null;
      readonly providerRefreshToken?: string | null;
    },
  ): Promise<boolean> {
    const rows = await db.query(sql`
      update auth.flow_state set user_id = ${sql.value(of.userId)}, auth_code = ${sql.value(code)},
        provider_access_token = ${sql.value(of.providerAccessToken ?? null)},
        provider_refresh_token = ${sql.value(of.providerRefreshToken ?? null)},
        auth_code_issued_at = clock_timestamp(), updated_at = now()
      where id = ${sql.value(id)} and auth_code is null returning id`);
    return rows.length === 1;
  },

  /**
   * Uses up a sign-in that a provider's answer belongs to, by its `state`: whoever comes second finds nothing (threat A09). Flows of
   * other kinds have no state, and one with a code has had its answer (threat A11).
   */
  async takeByState(db: Queryable, state: string): Promise<FlowState | null> {
    const [row] = await db.query<FlowState>(sql`
      delete from auth.flow_state
      where id = ${sql.value(state)} and authentication_method = 'oauth' and auth_code is null returning ${columns}`);
    return row ?? null;
  },

  /** Leaves the code as it is. */
  async findByCode(db: Queryable, code: string): Promise<FlowState | null> {
    const [row] = await db.query<FlowState>(
      sql`select ${columns} from auth.flow_state where auth_code = ${sql.value(code)}`,
    );
    return row ?? null;
  },

  /** Uses a code up: whoever comes second finds nothing (threat A09). */
  async takeByCode(db: Queryable, code: string): Promise<FlowState | null> {
    const [row] = await db.query<FlowState>(sql`
      delete from auth.flow_state where auth_code = ${sql.value(code)} returning ${columns}`);
    return row ?? null;
  },

  async remove(db: Queryable, id: string): Promise<void> {
    await db.query(sql`delete from auth.flow_state where id = ${sql.value(id)}`);
  },

  /** @returns how many were swept */
  async sweep(db: Queryable, olderThanSeconds: number): Promise<number> {
    const rows = await db.query(sql`
      delete from auth.flow_state
      where created_at < now() - make_interval(secs => ${sql.value(olderThanSeconds)}) returning id`);
    return rows.length;
  },
};

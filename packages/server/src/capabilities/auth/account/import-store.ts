import { type SQL, sql } from "pg-sql2";
import type { Queryable } from "../../../platform/postgres/database.ts";

/** As the columns of auth.users are named. Times as PostgreSQL reads them. */
export interface UserRow {
  readonly id: string;
  readonly role: string;
  readonly email: string | null;
  readonly phone: string | null;
  /** `""` for none. */
  readonly encrypted_password: string;
  readonly email_confirmed_at: string | null;
  readonly phone_confirmed_at: string | null;
  readonly created_at: string | null;
  readonly last_sign_in_at: string | null;
  readonly banned_until: string | null;
  readonly is_anonymous: boolean;
  readonly is_sso_user: boolean;
  readonly raw_user_meta_data: Readonly<Record<string, unknown>>;
  readonly raw_app_meta_data: Readonly<Record<string, unknown>>;
}

export interface IdentityRow {
  readonly user_id: string;
  readonly provider: string;
  readonly provider_id: string;
  readonly identity_data: Readonly<Record<string, unknown>>;
  readonly created_at: string | null;
  readonly last_sign_in_at: string | null;
}

const instance = sql`'00000000-0000-0000-0000-000000000000'::uuid`;
const json = (value: unknown): SQL => sql`${sql.value(JSON.stringify(value))}::jsonb`;

/** All SQL of imports: a batch is one statement. */
export const importStore = {
  /** @returns the ids of those that were not there: the others' id, address or number is taken */
  async addUsers(tx: Queryable, users: readonly UserRow[]): Promise<readonly string[]> {
    const rows = await tx.query<{ id: string }>(sql`
      insert into auth.users (
        instance_id, id, aud, role, email, phone, encrypted_password, email_confirmed_at, phone_confirmed_at,
        confirmation_token, recovery_token, email_change_token_new, email_change, raw_app_meta_data, raw_user_meta_data,
        is_anonymous, is_sso_user, banned_until, last_sign_in_at, created_at, updated_at
      )
      select ${instance}, id, 'authenticated', role, email, phone, encrypted_password, email_confirmed_at,
        phone_confirmed_at, '', '', '', '', raw_app_meta_data, raw_user_meta_data, is_anonymous, is_sso_user, banned_until,
        last_sign_in_at, coalesce(created_at, now()), now()
      from jsonb_to_recordset(${json(users)}) as r (
        id uuid, role text, email text, phone text, encrypted_password text, email_confirmed_at timestamptz,
        phone_confirmed_at timestamptz, created_at timestamptz, last_sign_in_at timestamptz, banned_until timestamptz,
        is_anonymous boolean, is_sso_user boolean, raw_user_meta_data jsonb, raw_app_meta_data jsonb
      )
      on conflict do nothing returning id`);
    return rows.map(({ id }) => id);
  },

  /** An identity whose user is not there, or which is somebody's already, is passed over. @returns how many were new */
  async addIdentities(tx: Queryable, identities: readonly IdentityRow[]): Promise<number> {
    if (identities.length === 0) return 0;
    const rows = await tx.query(sql`
      insert into auth.identities
        (provider_id, user_id, identity_data, provider, last_sign_in_at, created_at, updated_at)
      select r.provider_id, r.user_id, r.identity_data, r.provider, r.last_sign_in_at, coalesce(r.created_at, now()), now()
      from jsonb_to_recordset(${json(identities)}) as r (
        user_id uuid, provider text, provider_id text, identity_data jsonb, created_at timestamptz,
        last_sign_in_at timestamptz
      )
      where exists (select from auth.users u where u.id = r.user_id)
      on conflict do nothing returning id`);
    return rows.length;
  },
};

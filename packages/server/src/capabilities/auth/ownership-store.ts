import { type SQL, sql } from "pg-sql2";
import type { Queryable } from "../../platform/postgres/database.ts";

/** What an account keeps for whoever has shown that it is theirs. */
export interface Kept {
  /** The address they have shown to be theirs. The other one is taken away: nobody has shown that it is anybody's. */
  readonly address: "email" | "phone";
  /** The provider's account they came with; left out when they came with a code or link for the address. */
  readonly identity?: { readonly provider: string; readonly providerId: string };
  /** The code or link they came with, and the flow it began: it is used up where it is used. */
  readonly token?: { readonly id: string; readonly flowStateId: string | null };
}

/** All SQL about whose an account is. */
export const ownershipStore = {
  /**
   * Takes from an account that nobody had proven to be theirs whatever opens it now, or would later: password, identities, sessions,
   * second factors, passkeys, codes and links, changes of address under way, sign-ins and links with providers begun elsewhere, the
   * other address, and the devices it knew. Who comes now has shown that it is theirs, who came before has not (threat A05). What
   * providers gave is kept to be revoked. What else is written about the person stays: it opens nothing, and it may be their own.
   */
  async disown(tx: Queryable, userId: string, kept: Kept): Promise<void> {
    const user = sql.value(userId);
    const isKept =
      kept.identity === undefined ? sql`provider = ${sql.literal(kept.address)}` : isIdentity(kept.identity);
    const otherAddress =
      kept.address === "email"
        ? sql`phone = null, phone_confirmed_at = null`
        : sql`email = null, email_confirmed_at = null`;
    await tx.query(sql`
      with identities as (
        delete from auth.identities where user_id = ${user} and not ${isKept}
      ), provider_tokens as (
        update mainstay.provider_tokens set revoke_at = now()
        where user_id = ${user} and revoke_at is null and not ${isKept}
      ), sessions as (
        delete from auth.sessions where user_id = ${user}
      ), factors as (
        delete from auth.mfa_factors where user_id = ${user}
      ), passkeys as (
        delete from auth.webauthn_credentials where user_id = ${user}
      ), ceremonies as (
        delete from auth.webauthn_challenges where user_id = ${user}
      ), tokens as (
        delete from mainstay.one_time_tokens
        where user_id = ${user} and id is distinct from ${sql.value(kept.token?.id ?? null)}::uuid
      ), older_tokens as (
        delete from auth.one_time_tokens where user_id = ${user}
      ), flows as (
        delete from auth.flow_state where (user_id = ${user} or linking_target_id = ${user})
          and id is distinct from ${sql.value(kept.token?.flowStateId ?? null)}::uuid
      ), devices as (
        delete from mainstay.known_devices where user_id = ${user}
      ), access_keys as (
        delete from mainstay.s3_access_keys where user_id = ${user}
      )
      update auth.users set encrypted_password = '', ${otherAddress}, confirmation_token = '', recovery_token = '',
        email_change = '', email_change_token_new = '', email_change_token_current = '', email_change_confirm_status = 0,
        phone_change = '', phone_change_token = '', reauthentication_token = '', updated_at = now(),
        raw_app_meta_data = coalesce(raw_app_meta_data, '{}') - 'provider' - 'providers'
      where id = ${user}`);
  },
};

const isIdentity = ({ provider, providerId }: { readonly provider: string; readonly providerId: string }): SQL =>
  sql`(provider = ${sql.value(provider)} and provider_id = ${sql.value(providerId)})`;

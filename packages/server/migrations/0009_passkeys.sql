-- Passkeys, and the WebAuthn ceremonies under way, with the names and types of GoTrue. A database that comes from Supabase may
-- have these tables, owned by others: what is there is left as it is.

-- Closes a table just made, as 0003 does: row level security without a policy, and no grant to the API roles.
create or replace function pg_temp.close_table(table_name text) returns void
language plpgsql as $$
declare
  reader text;
begin
  execute format('alter table %s enable row level security', table_name);
  execute format('revoke all on table %s from public', table_name);
  foreach reader in array array['postgres', 'supabase_auth_admin', 'dashboard_user'] loop
    if exists (select from pg_roles where rolname = reader) then
      execute format('grant all on table %s to %I', table_name, reader);
    end if;
  end loop;
end $$;

do $$
begin
  if to_regclass('auth.webauthn_credentials') is null then
    create table auth.webauthn_credentials (
      id uuid not null default gen_random_uuid(),
      user_id uuid not null,
      credential_id bytea not null,
      public_key bytea not null,
      attestation_type text not null default '',
      aaguid uuid,
      sign_count bigint not null default 0,
      transports jsonb not null default '[]'::jsonb,
      backup_eligible boolean not null default false,
      backed_up boolean not null default false,
      friendly_name text not null default '',
      created_at timestamptz not null default now(),
      updated_at timestamptz not null default now(),
      last_used_at timestamptz,
      constraint webauthn_credentials_pkey primary key (id),
      constraint webauthn_credentials_user_id_fkey foreign key (user_id) references auth.users (id) on delete cascade
    );
    create unique index webauthn_credentials_credential_id_key on auth.webauthn_credentials (credential_id);
    create index webauthn_credentials_user_id_idx on auth.webauthn_credentials (user_id);
    comment on table auth.webauthn_credentials is 'Passkeys. Public keys: nothing here signs anybody in.';
    perform pg_temp.close_table('auth.webauthn_credentials');
  end if;

  if to_regclass('auth.webauthn_challenges') is null then
    create table auth.webauthn_challenges (
      id uuid not null default gen_random_uuid(),
      user_id uuid,
      challenge_type text not null,
      session_data jsonb not null,
      created_at timestamptz not null default now(),
      expires_at timestamptz not null,
      constraint webauthn_challenges_pkey primary key (id),
      constraint webauthn_challenges_user_id_fkey foreign key (user_id) references auth.users (id) on delete cascade,
      constraint webauthn_challenges_challenge_type_check
        check (challenge_type in ('signup', 'registration', 'authentication'))
    );
    create index webauthn_challenges_user_id_idx on auth.webauthn_challenges (user_id);
    create index webauthn_challenges_expires_at_idx on auth.webauthn_challenges (expires_at);
    comment on table auth.webauthn_challenges is
      'Ceremonies under way, each for one use. A challenge is worth nothing without an authenticator to sign it.';
    perform pg_temp.close_table('auth.webauthn_challenges');
  end if;
end $$;

-- Accounts, sessions and what sign-in remembers, with the names, types, defaults and indexes of GoTrue, because apps
-- put triggers on auth.users, point foreign keys at it and seed it with plain inserts. A database that comes from Supabase
-- has these tables, owned by others: what is there is left as it is.

-- Runs `definition` unless the type is there.
create function pg_temp.ensure_type(type_name text, definition text) returns void
language plpgsql as $$
begin
  if to_regtype(type_name) is null then
    execute definition;
  end if;
end $$;

-- Runs `definition` (the table and its indexes) unless the table is there, then closes the table: row level security
-- without a policy, and no grant to the API roles. Who reads a user is the auth capability's business.
create function pg_temp.ensure_table(table_name text, definition text) returns void
language plpgsql as $$
declare
  reader text;
begin
  if to_regclass(table_name) is not null then
    return;
  end if;
  execute definition;
  execute format('alter table %s enable row level security', table_name);
  execute format('revoke all on table %s from public', table_name);
  -- Whoever writes migrations may reference the tables and put triggers on them; the last two are there for databases
  -- that are shared with, or moved to, tools that expect them.
  foreach reader in array array['postgres', 'supabase_auth_admin', 'dashboard_user'] loop
    if exists (select from pg_roles where rolname = reader) then
      execute format('grant all on table %s to %I', table_name, reader);
    end if;
  end loop;
end $$;

select pg_temp.ensure_type('auth.aal_level', $sql$create type auth.aal_level as enum ('aal1', 'aal2', 'aal3')$sql$);
select pg_temp.ensure_type('auth.factor_type',
  $sql$create type auth.factor_type as enum ('totp', 'webauthn', 'phone')$sql$);
select pg_temp.ensure_type('auth.factor_status',
  $sql$create type auth.factor_status as enum ('unverified', 'verified')$sql$);
select pg_temp.ensure_type('auth.code_challenge_method',
  $sql$create type auth.code_challenge_method as enum ('s256', 'plain')$sql$);
select pg_temp.ensure_type('auth.one_time_token_type', $sql$
  create type auth.one_time_token_type as enum (
    'confirmation_token', 'reauthentication_token', 'recovery_token', 'email_change_token_new',
    'email_change_token_current', 'phone_change_token')
$sql$);

-- Tokens are '' when there is none, in seeds as in our own rows, so their unique indexes leave out what is empty or a
-- short code of digits.
select pg_temp.ensure_table('auth.users', $sql$
  create table auth.users (
    instance_id uuid,
    id uuid not null,
    aud varchar(255),
    role varchar(255),
    email varchar(255),
    encrypted_password varchar(255),
    email_confirmed_at timestamptz,
    invited_at timestamptz,
    confirmation_token varchar(255),
    confirmation_sent_at timestamptz,
    recovery_token varchar(255),
    recovery_sent_at timestamptz,
    email_change_token_new varchar(255),
    email_change varchar(255),
    email_change_sent_at timestamptz,
    last_sign_in_at timestamptz,
    raw_app_meta_data jsonb,
    raw_user_meta_data jsonb,
    is_super_admin boolean,
    created_at timestamptz,
    updated_at timestamptz,
    phone text default null,
    phone_confirmed_at timestamptz,
    phone_change text default '',
    phone_change_token varchar(255) default '',
    phone_change_sent_at timestamptz,
    confirmed_at timestamptz generated always as (least(email_confirmed_at, phone_confirmed_at)) stored,
    email_change_token_current varchar(255) default '',
    email_change_confirm_status smallint default 0,
    banned_until timestamptz,
    reauthentication_token varchar(255) default '',
    reauthentication_sent_at timestamptz,
    is_sso_user boolean not null default false,
    deleted_at timestamptz,
    is_anonymous boolean not null default false,
    constraint users_pkey primary key (id),
    constraint users_phone_key unique (phone),
    constraint users_email_change_confirm_status_check check (email_change_confirm_status between 0 and 2)
  );
  create index users_instance_id_idx on auth.users (instance_id);
  create index users_instance_id_email_idx on auth.users (instance_id, lower(email::text));
  create index users_is_anonymous_idx on auth.users (is_anonymous);
  create unique index users_email_partial_key on auth.users (email) where is_sso_user = false;
  create unique index confirmation_token_idx on auth.users (confirmation_token)
    where confirmation_token::text !~ '^[0-9 ]*$'::text;
  create unique index recovery_token_idx on auth.users (recovery_token) where recovery_token::text !~ '^[0-9 ]*$'::text;
  create unique index email_change_token_current_idx on auth.users (email_change_token_current)
    where email_change_token_current::text !~ '^[0-9 ]*$'::text;
  create unique index email_change_token_new_idx on auth.users (email_change_token_new)
    where email_change_token_new::text !~ '^[0-9 ]*$'::text;
  create unique index reauthentication_token_idx on auth.users (reauthentication_token)
    where reauthentication_token::text !~ '^[0-9 ]*$'::text;
  comment on table auth.users is 'Accounts. Passwords are hashes; tokens are hashes or empty.';
$sql$);

select pg_temp.ensure_table('auth.identities', $sql$
  create table auth.identities (
    provider_id text not null,
    user_id uuid not null,
    identity_data jsonb not null,
    provider text not null,
    last_sign_in_at timestamptz,
    created_at timestamptz,
    updated_at timestamptz,
    email text generated always as (lower(identity_data ->> 'email')) stored,
    id uuid not null default gen_random_uuid(),
    constraint identities_pkey primary key (id),
    constraint identities_provider_id_provider_unique unique (provider_id, provider),
    constraint identities_user_id_fkey foreign key (user_id) references auth.users (id) on delete cascade
  );
  create index identities_user_id_idx on auth.identities (user_id);
  create index identities_email_idx on auth.identities (email text_pattern_ops);
  comment on table auth.identities is 'By which providers a user is known.';
$sql$);

select pg_temp.ensure_table('auth.sessions', $sql$
  create table auth.sessions (
    id uuid not null,
    user_id uuid not null,
    created_at timestamptz,
    updated_at timestamptz,
    factor_id uuid,
    aal auth.aal_level,
    not_after timestamptz,
    refreshed_at timestamp,
    user_agent text,
    ip inet,
    tag text,
    oauth_client_id uuid,
    refresh_token_hmac_key text,
    refresh_token_counter bigint,
    scopes text,
    constraint sessions_pkey primary key (id),
    constraint sessions_user_id_fkey foreign key (user_id) references auth.users (id) on delete cascade
  );
  create index sessions_user_id_idx on auth.sessions (user_id);
  create index user_id_created_at_idx on auth.sessions (user_id, created_at);
  create index sessions_not_after_idx on auth.sessions (not_after desc);
  comment on table auth.sessions is 'One sign-in on one device. Deleting it ends it.';
$sql$);

select pg_temp.ensure_table('auth.refresh_tokens', $sql$
  create table auth.refresh_tokens (
    instance_id uuid,
    id bigint not null,
    token varchar(255),
    user_id varchar(255),
    revoked boolean,
    created_at timestamptz,
    updated_at timestamptz,
    parent varchar(255),
    session_id uuid,
    constraint refresh_tokens_pkey primary key (id),
    constraint refresh_tokens_token_unique unique (token),
    constraint refresh_tokens_session_id_fkey foreign key (session_id) references auth.sessions (id) on delete cascade
  );
  create sequence auth.refresh_tokens_id_seq owned by auth.refresh_tokens.id;
  alter table auth.refresh_tokens alter column id set default nextval('auth.refresh_tokens_id_seq');
  create index refresh_tokens_instance_id_idx on auth.refresh_tokens (instance_id);
  create index refresh_tokens_instance_id_user_id_idx on auth.refresh_tokens (instance_id, user_id);
  create index refresh_tokens_parent_idx on auth.refresh_tokens (parent);
  create index refresh_tokens_session_id_revoked_idx on auth.refresh_tokens (session_id, revoked);
  create index refresh_tokens_updated_at_idx on auth.refresh_tokens (updated_at desc);
  comment on column auth.refresh_tokens.token is
    'sha256: and the hash of the token, or the token itself in rows that came from elsewhere.';
$sql$);

select pg_temp.ensure_table('auth.mfa_factors', $sql$
  create table auth.mfa_factors (
    id uuid not null,
    user_id uuid not null,
    friendly_name text,
    factor_type auth.factor_type not null,
    status auth.factor_status not null,
    created_at timestamptz not null,
    updated_at timestamptz not null,
    secret text,
    phone text,
    last_challenged_at timestamptz,
    web_authn_credential jsonb,
    web_authn_aaguid uuid,
    last_webauthn_challenge_data jsonb,
    constraint mfa_factors_pkey primary key (id),
    constraint mfa_factors_last_challenged_at_key unique (last_challenged_at),
    constraint mfa_factors_user_id_fkey foreign key (user_id) references auth.users (id) on delete cascade
  );
  create index mfa_factors_user_id_idx on auth.mfa_factors (user_id);
  create index factor_id_created_at_idx on auth.mfa_factors (user_id, created_at);
  create unique index mfa_factors_user_friendly_name_unique on auth.mfa_factors (friendly_name, user_id)
    where trim(both from friendly_name) <> ''::text;
  create unique index unique_phone_factor_per_user on auth.mfa_factors (user_id, phone);
$sql$);

select pg_temp.ensure_table('auth.mfa_challenges', $sql$
  create table auth.mfa_challenges (
    id uuid not null,
    factor_id uuid not null,
    created_at timestamptz not null,
    verified_at timestamptz,
    ip_address inet not null,
    otp_code text,
    web_authn_session_data jsonb,
    constraint mfa_challenges_pkey primary key (id),
    constraint mfa_challenges_auth_factor_id_fkey foreign key (factor_id)
      references auth.mfa_factors (id) on delete cascade
  );
  create index mfa_challenge_created_at_idx on auth.mfa_challenges (created_at desc);
$sql$);

select pg_temp.ensure_table('auth.mfa_amr_claims', $sql$
  create table auth.mfa_amr_claims (
    session_id uuid not null,
    created_at timestamptz not null,
    updated_at timestamptz not null,
    authentication_method text not null,
    id uuid not null,
    constraint amr_id_pk primary key (id),
    constraint mfa_amr_claims_session_id_authentication_method_pkey unique (session_id, authentication_method),
    constraint mfa_amr_claims_session_id_fkey foreign key (session_id) references auth.sessions (id) on delete cascade
  );
  comment on table auth.mfa_amr_claims is 'How a session proved who it is: the amr claim of its tokens.';
$sql$);

select pg_temp.ensure_table('auth.one_time_tokens', $sql$
  create table auth.one_time_tokens (
    id uuid not null,
    user_id uuid not null,
    token_type auth.one_time_token_type not null,
    token_hash text not null,
    relates_to text not null,
    created_at timestamp not null default now(),
    updated_at timestamp not null default now(),
    constraint one_time_tokens_pkey primary key (id),
    constraint one_time_tokens_token_hash_check check (char_length(token_hash) > 0),
    constraint one_time_tokens_user_id_fkey foreign key (user_id) references auth.users (id) on delete cascade
  );
  create index one_time_tokens_token_hash_hash_idx on auth.one_time_tokens using hash (token_hash);
  create index one_time_tokens_relates_to_hash_idx on auth.one_time_tokens using hash (relates_to);
  create unique index one_time_tokens_user_id_token_type_key on auth.one_time_tokens (user_id, token_type);
$sql$);

select pg_temp.ensure_table('auth.flow_state', $sql$
  create table auth.flow_state (
    id uuid not null,
    user_id uuid,
    auth_code text,
    code_challenge_method auth.code_challenge_method,
    code_challenge text,
    provider_type text not null,
    provider_access_token text,
    provider_refresh_token text,
    created_at timestamptz,
    updated_at timestamptz,
    authentication_method text not null,
    auth_code_issued_at timestamptz,
    invite_token text,
    referrer text,
    oauth_client_state_id uuid,
    linking_target_id uuid,
    email_optional boolean not null default false,
    constraint flow_state_pkey primary key (id)
  );
  create index flow_state_created_at_idx on auth.flow_state (created_at desc);
  create index idx_auth_code on auth.flow_state (auth_code);
  create index idx_user_id_auth_method on auth.flow_state (user_id, authentication_method);
$sql$);

select pg_temp.ensure_table('auth.audit_log_entries', $sql$
  create table auth.audit_log_entries (
    instance_id uuid,
    id uuid not null,
    payload json,
    created_at timestamptz,
    ip_address varchar(64) not null default '',
    constraint audit_log_entries_pkey primary key (id)
  );
  create index audit_logs_instance_id_idx on auth.audit_log_entries (instance_id);
$sql$);

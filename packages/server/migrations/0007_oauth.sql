-- Refresh tokens of providers that want to hear when somebody deletes their account (App Store Review Guidelines 5.1.1(v)).
-- No foreign key: the token has to outlive its user until the provider was told.

create table mainstay.provider_tokens (
  id uuid primary key,
  user_id uuid not null,
  provider text not null,
  -- The provider's name for the account.
  provider_id text not null,
  -- Encrypted by the server, bound to the id.
  refresh_token text not null,
  created_at timestamptz not null default now(),
  -- Set when it is to be revoked; moved on with every attempt.
  revoke_at timestamptz,
  attempts integer not null default 0
);
create index provider_tokens_user_id_idx on mainstay.provider_tokens (user_id);
create index provider_tokens_revoke_at_idx on mainstay.provider_tokens (revoke_at) where revoke_at is not null;
create unique index provider_tokens_provider_key on mainstay.provider_tokens (provider, provider_id)
  where revoke_at is null;
alter table mainstay.provider_tokens enable row level security;
revoke all on table mainstay.provider_tokens from public;
comment on table mainstay.provider_tokens is 'Refresh tokens kept to be revoked at the provider, encrypted.';

-- Whoever deletes a user, by whatever way, the row or what is in it: what is kept for them is to be revoked.
create function mainstay.revoke_provider_tokens() returns trigger
language plpgsql security definer set search_path = '' as $$
begin
  if tg_op = 'DELETE' or (new.deleted_at is not null and old.deleted_at is null) then
    update mainstay.provider_tokens set revoke_at = now() where user_id = old.id and revoke_at is null;
  end if;
  return null;
end $$;
revoke execute on function mainstay.revoke_provider_tokens() from public;

do $$
begin
  create trigger mainstay_revoke_provider_tokens after delete or update of deleted_at on auth.users
    for each row execute function mainstay.revoke_provider_tokens();
exception
  when insufficient_privilege then
    raise warning 'auth.users has no trigger for tokens of providers: %', sqlerrm
      using hint = 'Accounts are then to be deleted through the API, so that providers are told.';
end $$;

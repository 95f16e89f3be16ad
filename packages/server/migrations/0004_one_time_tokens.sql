-- Codes and links that people are sent, and the authorization codes that were exchanged. GoTrue keeps the first in columns of
-- auth.users and in auth.one_time_tokens, as hashes of address and code that anybody can compute; ours are HMACs under a key of the
-- server, count wrong tries, and know what they are for.

create table mainstay.one_time_tokens (
  id uuid primary key,
  user_id uuid not null,
  purpose text not null check (purpose in ('signup', 'invite', 'magiclink', 'recovery', 'email_change_current',
    'email_change_new', 'sms', 'phone_change', 'reauthentication')),
  -- Where it was sent: a canonical address or number.
  address text not null,
  code_hash text not null,
  -- Empty where a code is all there is: in text messages, and for reauthentication.
  link_hash text not null default '',
  -- The client's PKCE challenge, in auth.flow_state. No foreign key: that table may be another's.
  flow_state_id uuid,
  redirect_to text not null default '',
  -- Whether whoever asked for it had also set the account's password.
  keeps_password boolean not null default false,
  attempts integer not null default 0,
  created_at timestamptz not null default clock_timestamp(),
  expires_at timestamptz not null,
  used_at timestamptz,
  -- One of a kind at a time: the next takes the place of the last.
  constraint one_time_tokens_user_id_purpose_key unique (user_id, purpose)
);
create index one_time_tokens_address_idx on mainstay.one_time_tokens (address);
create unique index one_time_tokens_link_hash_key on mainstay.one_time_tokens (link_hash) where link_hash <> '';
create index one_time_tokens_flow_state_id_idx on mainstay.one_time_tokens (flow_state_id)
  where flow_state_id is not null;
create index one_time_tokens_expires_at_idx on mainstay.one_time_tokens (expires_at);
alter table mainstay.one_time_tokens enable row level security;
comment on table mainstay.one_time_tokens is 'Codes and links sent to people, hashed, each for one purpose and one use.';

-- Codes are remembered for a while after their exchange, so that a second one ends what the first got (RFC 6749 §4.1.2).
create table mainstay.used_auth_codes (
  code_hash text primary key,
  session_id uuid not null,
  code_challenge text not null,
  code_challenge_method text not null,
  used_at timestamptz not null default clock_timestamp()
);
create index used_auth_codes_used_at_idx on mainstay.used_auth_codes (used_at);
alter table mainstay.used_auth_codes enable row level security;
comment on table mainstay.used_auth_codes is 'Authorization codes that were exchanged, and for which session.';

-- A login that does not own auth.users may not reference it; rows are then swept once they have expired.
do $$
begin
  alter table mainstay.one_time_tokens add constraint one_time_tokens_user_id_fkey
    foreign key (user_id) references auth.users (id) on delete cascade;
exception
  when insufficient_privilege then
    raise warning 'mainstay.one_time_tokens does not reference auth.users: %', sqlerrm
      using hint = 'Let a superuser run: alter table mainstay.one_time_tokens add foreign key (user_id) references auth.users (id) on delete cascade;';
end $$;

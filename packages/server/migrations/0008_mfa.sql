-- Second factors: what GoTrue's tables have no column for. A factor's rows go with it, and a factor with its user.

-- GoTrue's newest has this kind of factor as well. A type that came from elsewhere may not be ours to alter: then there are
-- no recovery codes, and everything else is as it was.
do $$
begin
  alter type auth.factor_type add value if not exists 'recovery_code';
exception
  when insufficient_privilege then
    raise warning 'type auth.factor_type cannot be given the value recovery_code: %', sqlerrm
      using hint = 'Let its owner run: alter type auth.factor_type add value ''recovery_code''';
end $$;

-- RFC 6238 §5.2: a code is accepted once. What is no newer than the newest step used is refused.
create table mainstay.mfa_totp_steps (
  factor_id uuid primary key,
  step bigint not null
);
comment on table mainstay.mfa_totp_steps is 'The newest 30-second step whose code a factor has used.';

create table mainstay.mfa_challenge_attempts (
  challenge_id uuid primary key,
  attempts integer not null
);
comment on table mainstay.mfa_challenge_attempts is 'How often an answer to a challenge was tried.';

create table mainstay.mfa_recovery_codes (
  factor_id uuid not null,
  code_hash text not null,
  created_at timestamptz not null default now(),
  used_at timestamptz,
  primary key (factor_id, code_hash)
);
comment on column mainstay.mfa_recovery_codes.code_hash is 'HMAC of the code with a key of the server''s.';

do $$
declare
  wanted record;
begin
  for wanted in values
    ('mfa_totp_steps', 'factor_id', 'mfa_factors'),
    ('mfa_challenge_attempts', 'challenge_id', 'mfa_challenges'),
    ('mfa_recovery_codes', 'factor_id', 'mfa_factors')
  loop
    execute format('alter table mainstay.%I enable row level security', wanted.column1);
    execute format('revoke all on table mainstay.%I from public', wanted.column1);
    begin
      execute format('alter table mainstay.%I add foreign key (%I) references auth.%I (id) on delete cascade',
        wanted.column1, wanted.column2, wanted.column3);
    exception
      -- What is left behind then is worth nothing: it is found by the id of a factor alone.
      when insufficient_privilege then
        raise warning 'mainstay.% does not reference auth.%: %', wanted.column1, wanted.column3, sqlerrm;
    end;
  end loop;
end $$;

-- A factor that was taken away is looked for among the sessions that were raised with it.
do $$
begin
  create index if not exists sessions_factor_id_idx on auth.sessions (factor_id) where factor_id is not null;
  create index if not exists mfa_challenges_factor_id_idx on auth.mfa_challenges (factor_id);
exception
  when insufficient_privilege then
    raise warning 'auth.sessions and auth.mfa_challenges stay without an index on factor_id: %', sqlerrm;
end $$;

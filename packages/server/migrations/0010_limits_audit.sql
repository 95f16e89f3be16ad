-- What protects accounts and is shared between nodes: counters of limits, failed sign-ins, known devices, the audit log's guard,
-- what has been revoked, and whose keys are in force. A database of Supabase has the tables of `auth`, owned by others: what is not
-- ours to change there is left, with a warning.

-- Runs one statement; when it is not ours to run, says so and goes on.
create or replace function pg_temp.attempt(statement text) returns boolean
language plpgsql as $$
begin
  execute statement;
  return true;
exception
  when insufficient_privilege then
    raise warning '%: %', statement, sqlerrm using hint = 'Let the owner or a superuser run it.';
    return false;
end $$;

create or replace function pg_temp.ensure_trigger(trigger_name text, table_name text, definition text) returns void
language plpgsql as $$
begin
  if not exists (select from pg_trigger where tgname = trigger_name and tgrelid = table_name::regclass) then
    perform pg_temp.attempt(format('create trigger %I %s', trigger_name, definition));
  end if;
end $$;

-- Token buckets. Unlogged: after a crash everybody begins anew, and counting costs no write-ahead log. Room is left on each page so
-- that a count is a heap-only update.
create unlogged table mainstay.rate_limits (
  key bytea primary key,
  level double precision not null,
  capacity double precision not null,
  per_second double precision not null,
  at timestamptz not null
) with (fillfactor = 70);
alter table mainstay.rate_limits enable row level security;
comment on table mainstay.rate_limits is
  'Token buckets by hashed key, as they were at `at`. One that is full again is as good as none, and swept.';

-- Failed passwords by account and network, and by account alone. Keys are HMACs: who was guessed at is not to be read here.
create table mainstay.sign_in_attempts (
  key bytea primary key,
  failures integer not null,
  last_at timestamptz not null,
  locked_until timestamptz,
  trusted_until timestamptz
) with (fillfactor = 70);
alter table mainstay.sign_in_attempts enable row level security;
comment on column mainstay.sign_in_attempts.trusted_until is
  'A sign-in succeeded from here: guesses from elsewhere do not lock this network out before then.';

create table mainstay.known_devices (
  user_id uuid not null,
  device_hash bytea not null,
  first_seen timestamptz not null default now(),
  last_seen timestamptz not null default now(),
  primary key (user_id, device_hash)
);
alter table mainstay.known_devices enable row level security;
create index known_devices_last_seen_idx on mainstay.known_devices (last_seen);
select pg_temp.attempt('alter table mainstay.known_devices add constraint known_devices_user_id_fkey
  foreign key (user_id) references auth.users (id) on delete cascade');
comment on table mainstay.known_devices is 'From where a user has signed in, hashed, so that somewhere new can be told.';

-- The audit log is added to and never changed. What may go is what is older than the retention in force, whoever deletes it; the
-- owner of the table and superusers can take these triggers away, and nothing inside a database can stop them.
create table mainstay.audit_policy (
  id boolean primary key default true check (id),
  retention interval
);
alter table mainstay.audit_policy enable row level security;
comment on column mainstay.audit_policy.retention is 'Null: entries are kept for ever.';
insert into mainstay.audit_policy (retention) values (null);

create function mainstay.guard_audit_log() returns trigger
language plpgsql security definer set search_path = '' as $$
begin
  if tg_op = 'DELETE' and old.created_at < (select now() - retention from mainstay.audit_policy) then
    return old;
  end if;
  raise exception 'The audit log is append-only.' using errcode = 'insufficient_privilege',
    hint = 'Entries go by themselves once they are older than the retention (MAINSTAY_AUDIT_RETENTION_DAYS).';
end $$;
revoke execute on function mainstay.guard_audit_log() from public;

select pg_temp.ensure_trigger('mainstay_guard_rows', 'auth.audit_log_entries',
  'before update or delete on auth.audit_log_entries for each row execute function mainstay.guard_audit_log()');
select pg_temp.ensure_trigger('mainstay_guard_truncate', 'auth.audit_log_entries',
  'before truncate on auth.audit_log_entries for each statement execute function mainstay.guard_audit_log()');

do $$
declare
  writer text;
begin
  if not exists (
    select from pg_class c where c.oid = 'auth.audit_log_entries'::regclass and pg_has_role(c.relowner, 'usage')
  ) then
    return;
  end if;
  create index if not exists audit_log_entries_created_at_idx on auth.audit_log_entries (created_at desc, id);
  foreach writer in array array['postgres', 'dashboard_user'] loop
    -- The login we came with goes on writing it.
    if writer <> current_user and exists (select from pg_roles where rolname = writer) then
      perform pg_temp.attempt(
        format('revoke insert, update, delete, truncate, trigger on auth.audit_log_entries from %I', writer));
    end if;
  end loop;
end $$;

-- What ended before its tokens did. Every way a session ends is a row deleted, whoever deletes it, so it is written down here and
-- no route has to. Nodes are woken by a notification and read on from the transaction they have seen; those that were away read all.
create table mainstay.revocations (
  id bigint generated always as identity primary key,
  -- Read from the oldest transaction still running, since numbers are taken before they can be seen.
  xid xid8 not null default pg_current_xact_id(),
  kind text not null check (kind in ('session', 'ban', 'deletion', 'keys')),
  subject text not null,
  -- For a ban: its end; null when it was lifted.
  until timestamptz,
  at timestamptz not null default now()
);
alter table mainstay.revocations enable row level security;
create index revocations_xid_idx on mainstay.revocations (xid);
create index revocations_at_idx on mainstay.revocations (at);

create function mainstay.announce_revocation() returns trigger
language plpgsql set search_path = '' as $$
begin
  notify mainstay_revocations;
  return null;
end $$;
create trigger announce after insert on mainstay.revocations
  for each statement execute function mainstay.announce_revocation();

create function mainstay.revoke_sessions() returns trigger
language plpgsql security definer set search_path = '' as $$
begin
  if exists (select from ended) then
    insert into mainstay.revocations (kind, subject) select 'session', ended.id::text from ended;
  end if;
  return null;
end $$;

create function mainstay.revoke_user() returns trigger
language plpgsql security definer set search_path = '' as $$
begin
  if tg_op = 'DELETE' then
    insert into mainstay.revocations (kind, subject) values ('deletion', old.id::text);
    return null;
  end if;
  if new.banned_until is distinct from old.banned_until
    and (new.banned_until > now() or old.banned_until > now()) then
    insert into mainstay.revocations (kind, subject, until) values ('ban', new.id::text, new.banned_until);
  end if;
  if new.deleted_at is not null and old.deleted_at is null then
    insert into mainstay.revocations (kind, subject) values ('deletion', new.id::text);
  end if;
  return null;
end $$;
revoke execute on function
  mainstay.announce_revocation(), mainstay.revoke_sessions(), mainstay.revoke_user() from public;

select pg_temp.ensure_trigger('mainstay_revoke_sessions', 'auth.sessions',
  'after delete on auth.sessions referencing old table as ended for each statement
   execute function mainstay.revoke_sessions()');
select pg_temp.ensure_trigger('mainstay_revoke_user', 'auth.users',
  'after delete or update of banned_until, deleted_at on auth.users for each row
   execute function mainstay.revoke_user()');

-- The project's keys, encrypted with the master key that its nodes are given; nobody's without it.
create table mainstay.keyring (
  id boolean primary key default true check (id),
  revision bigint not null,
  sealed bytea not null,
  updated_at timestamptz not null default now()
);
alter table mainstay.keyring enable row level security;

create function mainstay.announce_keyring() returns trigger
language plpgsql security definer set search_path = '' as $$
begin
  insert into mainstay.revocations (kind, subject) values ('keys', new.revision::text);
  return null;
end $$;
revoke execute on function mainstay.announce_keyring() from public;
create trigger announce after insert or update on mainstay.keyring
  for each row execute function mainstay.announce_keyring();

-- Who serves this database, and with which keys: two nodes with different ones refuse each other's tokens.
create table mainstay.nodes (
  id uuid primary key,
  keys_fingerprint text not null,
  started_at timestamptz not null default now(),
  seen_at timestamptz not null default now()
);
alter table mainstay.nodes enable row level security;

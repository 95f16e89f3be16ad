-- What functions do beside the database: answers of other services that nodes share, and what commits with a function's own transaction.

-- Unlogged: after a crash it is empty, and is filled again. Bodies are what strangers have sent, as they sent it.
create unlogged table mainstay.http_cache (
  -- SHA-256 of what distinguishes one answer from another.
  key bytea not null,
  -- Counts up with every answer, and with every leave to fetch one.
  revision bigint not null default 0,
  status integer,
  headers text[],
  body bytea,
  size_bytes integer not null default 0,
  fetched_at timestamptz,
  fresh_until timestamptz,
  -- Nobody wants it after that.
  kept_until timestamptz not null,
  -- Until then one node is fetching it anew.
  fetching_until timestamptz,
  fetching_by uuid,
  used_at timestamptz not null default now(),
  constraint http_cache_pkey primary key (key)
) with (fillfactor = 80);
create index http_cache_used_idx on mainstay.http_cache (used_at);
create index http_cache_kept_idx on mainstay.http_cache (kept_until);
alter table mainstay.http_cache enable row level security;
revoke all on table mainstay.http_cache from public;
comment on table mainstay.http_cache is 'Answers of other services, for functions on all servers.';

-- What the server does in a transaction of a function's own: jobs that are there when that commits, the end of a job with its effects. The connection
-- is the API's, so it needs a role of its own to become; a function that becomes it may do with jobs what `ctx.jobs` may.
do $$
begin
  if not exists (select from pg_roles where rolname = 'mainstay_jobs') then
    create role mainstay_jobs nologin noinherit;
  end if;
exception
  when duplicate_object or unique_violation then
    null;
  when insufficient_privilege then
    raise warning 'the role mainstay_jobs cannot be made: functions cannot enqueue or complete jobs in their transactions'
      using hint = 'Let a superuser run: create role mainstay_jobs nologin noinherit; grant mainstay_jobs to authenticator;';
end $$;

do $$
declare
  member text;
  of_jobs record;
begin
  if not exists (select from pg_roles where rolname = 'mainstay_jobs') then
    return;
  end if;
  foreach member in array array['authenticator', current_user::text] loop
    begin
      if exists (select from pg_roles where rolname = member)
        and not pg_has_role(member, 'mainstay_jobs', 'member') then
        execute format('grant mainstay_jobs to %I', member);
      end if;
    exception
      -- Of a cluster whose other databases are migrated at this moment.
      when unique_violation or serialization_failure or internal_error then
        null;
      when insufficient_privilege then
        raise warning 'the role mainstay_jobs cannot be given to %: functions cannot enqueue or complete jobs in their transactions', member;
    end;
  end loop;
  grant usage on schema mainstay to mainstay_jobs;
  for of_jobs in
    select c.relname from pg_class c
    where c.relnamespace = 'mainstay'::regnamespace and c.relkind = 'r' and (c.relname = 'jobs' or c.relname like 'job\_%')
  loop
    execute format('grant select, insert, update, delete on mainstay.%I to mainstay_jobs', of_jobs.relname);
    execute format('create policy server on mainstay.%I to mainstay_jobs using (true) with check (true)', of_jobs.relname);
  end loop;
  for of_jobs in
    select c.relname from pg_class c
    where c.relnamespace = 'mainstay'::regnamespace and c.relkind = 'S' and c.relname like 'job\_%'
  loop
    execute format('grant usage on sequence mainstay.%I to mainstay_jobs', of_jobs.relname);
  end loop;
  for of_jobs in
    select p.oid::regprocedure as signature from pg_proc p
    where p.pronamespace = 'mainstay'::regnamespace and p.prorettype <> 'trigger'::regtype
      and p.proname ~ '(^|_)jobs?($|_)|^enqueue|^send_event$'
  loop
    execute format('grant execute on function %s to mainstay_jobs', of_jobs.signature);
  end loop;
end $$;

-- What every schema of an app stands on: `auth` with who is asking, `extensions`, the privileges of `public`, and our own
-- schema `mainstay`. A database of Supabase has most of it, owned by others: what is there is left as it is.

-- Runs one statement; when it is not ours to run, says so and goes on. (A grant we may not give is no error in PostgreSQL
-- but a warning already.)
create function pg_temp.attempt(statement text) returns boolean
language plpgsql as $$
begin
  execute statement;
  return true;
exception
  when insufficient_privilege then
    raise warning '%: %', statement, sqlerrm using hint = 'Let the owner or a superuser run it.';
    return false;
end $$;

create function pg_temp.ensure_schema(schema_name text) returns void
language plpgsql as $$
begin
  if to_regnamespace(quote_ident(schema_name)) is null then
    perform pg_temp.attempt(format('create schema %I', schema_name));
  end if;
end $$;

-- The role migrations run as works in this database and in `public` as its owner would.
do $$
declare
  is_owner boolean := (select pg_has_role(d.datdba, 'usage') from pg_database d where d.datname = current_database());
begin
  if is_owner and exists (select from pg_roles where rolname = 'postgres') then
    perform pg_temp.attempt(format('grant all on database %I to postgres', current_database()));
    perform pg_temp.attempt('grant all on schema public to postgres');
  end if;
  -- So that `uuid_generate_v4()` is found by whoever connects, as in a hosted project; an owner's own choice stands.
  if is_owner and not exists (
    select from pg_db_role_setting s, unnest(s.setconfig) as setting
    where s.setdatabase = (select oid from pg_database where datname = current_database())
      and s.setrole = 0 and setting like 'search_path=%'
  ) then
    perform pg_temp.attempt(
      format('alter database %I set search_path = "$user", public, extensions', current_database()));
  end if;
end $$;

-- Extensions live apart, so that their functions are not an API.
select pg_temp.ensure_schema('extensions');

do $$
declare
  wanted text;
begin
  foreach wanted in array array['pgcrypto', 'uuid-ossp'] loop
    if exists (select from pg_extension where extname = wanted) then
      continue;
    elsif not exists (select from pg_available_extensions where name = wanted) then
      raise warning 'extension "%" is not available on this server: SQL that uses it will fail', wanted;
    else
      perform pg_temp.attempt(format('create extension if not exists %I with schema extensions', wanted));
    end if;
  end loop;
end $$;

-- Grants as a Supabase project has them: the API roles may reach everything in `public`, and row level security decides.
-- For what the migration role creates and for what the login we came with creates.
do $$
declare
  api_roles text := (
    select string_agg(quote_ident(rolname), ', ')
    from pg_roles where rolname in ('postgres', 'anon', 'authenticated', 'service_role')
  );
  creator text;
begin
  perform pg_temp.attempt(format('grant usage on schema public to %s', api_roles));
  if to_regnamespace('extensions') is not null then
    perform pg_temp.attempt(format('grant usage on schema extensions to %s', api_roles));
  end if;
  foreach creator in array array[current_user::text, 'postgres'] loop
    continue when not exists (select from pg_roles where rolname = creator);
    perform
      pg_temp.attempt(format('alter default privileges for role %I in schema public grant all on %s to %s',
        creator, kind, api_roles))
    from unnest(array['tables', 'sequences', 'functions']) as kind;
  end loop;
end $$;

-- `alter publication supabase_realtime add table …` stands in most projects' migrations.
do $$
begin
  if not exists (select from pg_publication where pubname = 'supabase_realtime') then
    perform pg_temp.attempt('create publication supabase_realtime');
    if exists (select from pg_roles where rolname = 'postgres') then
      perform pg_temp.attempt('alter publication supabase_realtime owner to postgres');
    end if;
  end if;
end $$;

-- Who is asking. `language sql stable`, without SET and without SECURITY DEFINER: the planner puts the body in place of the
-- call. The server sets `request.jwt.claims`; `request.jwt.claim.<name>` is the older form that some SQL still sets itself.
-- `json`, not `jsonb`, where one key is read: it stops at the text and builds nothing.
select pg_temp.ensure_schema('auth');

-- Asked of the catalogue: `to_regprocedure` fails on a schema we may not look into.
create function pg_temp.has_auth_function(function_name text) returns boolean
language sql as $$
  select exists (
    select from pg_proc p join pg_namespace n on n.oid = p.pronamespace
    where n.nspname = 'auth' and p.proname = function_name and p.pronargs = 0
  )
$$;

do $$
begin
  if not pg_temp.has_auth_function('uid') then
    perform pg_temp.attempt($sql$
      create function auth.uid() returns uuid language sql stable parallel safe as $body$
        -- The single claim first: it is there with every request of the API, and spares parsing the whole token.
        select coalesce(
          nullif(current_setting('request.jwt.claim.sub', true), ''),
          nullif(current_setting('request.jwt.claims', true), '')::json ->> 'sub'
        )::uuid
      $body$ $sql$);
  end if;
  if not pg_temp.has_auth_function('role') then
    perform pg_temp.attempt($sql$
      create function auth.role() returns text language sql stable parallel safe as $body$
        select coalesce(
          nullif(current_setting('request.jwt.claims', true), '')::json ->> 'role',
          nullif(current_setting('request.jwt.claim.role', true), '')
        )
      $body$ $sql$);
  end if;
  if not pg_temp.has_auth_function('email') then
    perform pg_temp.attempt($sql$
      create function auth.email() returns text language sql stable parallel safe as $body$
        select coalesce(
          nullif(current_setting('request.jwt.claims', true), '')::json ->> 'email',
          nullif(current_setting('request.jwt.claim.email', true), '')
        )
      $body$ $sql$);
  end if;
  if not pg_temp.has_auth_function('jwt') then
    perform pg_temp.attempt($sql$
      create function auth.jwt() returns jsonb language sql stable parallel safe as $body$
        select coalesce(
          nullif(current_setting('request.jwt.claims', true), ''),
          nullif(current_setting('request.jwt.claim', true), '')
        )::jsonb
      $body$ $sql$);
  end if;
  -- The schema may be looked into, its tables may not: who reads a user is the auth capability's business.
  if to_regnamespace('auth') is not null and has_schema_privilege(current_user, 'auth', 'usage with grant option') then
    perform pg_temp.attempt(format('grant usage on schema auth to %s', (
      select string_agg(quote_ident(rolname), ', ') from pg_roles
      where rolname in ('postgres', 'anon', 'authenticated', 'service_role', 'supabase_auth_admin', 'dashboard_user')
    )));
  end if;
end $$;

-- Our own schema (made by the runner, which keeps its history there). Any role may call what is granted one by one, roles
-- of the app's own included (a token may name them), and read nothing.
grant usage on schema mainstay to public;

-- Refuses the statement it stands in, and with it everything between two Syncs: how the data API takes back a write that
-- only its own result shows to be wrong (one row asked, two changed). The API knows SQLSTATE MST01 and reads its answer
-- from DETAIL: a JSON object {code, message, details, hint}. MESSAGE and HINT repeat theirs for whoever reads a log.
-- Returns text so that it may stand in a CASE; volatile, so that it is never run ahead of time.
create function mainstay.reject(code text, message text, details text, hint text) returns text
language plpgsql volatile parallel restricted set search_path = '' as $$
begin
  raise sqlstate 'MST01' using
    message = coalesce(message, code, 'rejected'),
    detail = pg_catalog.json_build_object('code', code, 'message', message, 'details', details, 'hint', hint)::text,
    hint = coalesce(hint, '');
end $$;
grant execute on function mainstay.reject(text, text, text, text) to public;

-- The server keeps the catalogue in memory and listens on `mainstay_catalog` (and on `pgrst`, which other tools use). Runs
-- in the transaction of the DDL, so the news arrives with the commit or not at all; equal news of one transaction is one.
create function mainstay.announce_ddl() returns event_trigger
language plpgsql set search_path = '' as $$
begin
  if exists (
    select from pg_catalog.pg_event_trigger_ddl_commands() c
    where c.command_tag not in ('REFRESH MATERIALIZED VIEW', 'REINDEX', 'ALTER INDEX', 'ALTER SEQUENCE')
      and coalesce(c.schema_name, '') not like 'pg\_temp%'
      and coalesce(c.object_identity, '') not like '%pg\_temp%'
  ) then
    notify mainstay_catalog, 'reload schema';
  end if;
end $$;

create function mainstay.announce_drop() returns event_trigger
language plpgsql set search_path = '' as $$
begin
  if exists (select from pg_catalog.pg_event_trigger_dropped_objects() d where not d.is_temporary) then
    notify mainstay_catalog, 'reload schema';
  end if;
end $$;
revoke execute on function mainstay.announce_ddl(), mainstay.announce_drop() from public;

-- Only a superuser may have event triggers. Without them the catalogue follows by NOTIFY and by looking now and then.
do $$
begin
  drop event trigger if exists mainstay_announce_ddl;
  drop event trigger if exists mainstay_announce_drop;
  create event trigger mainstay_announce_ddl on ddl_command_end execute function mainstay.announce_ddl();
  create event trigger mainstay_announce_drop on sql_drop execute function mainstay.announce_drop();
exception
  when insufficient_privilege then
    raise warning 'event triggers need a superuser: schema changes made elsewhere are seen later'
      using hint = 'End a schema change with: notify pgrst, ''reload schema'';';
end $$;

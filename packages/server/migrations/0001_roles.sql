-- The roles an app's SQL speaks of, with the names and powers they have in a Supabase project, so that its policies and
-- grants run unchanged. Roles belong to the whole cluster, not to this database: what is there already is left as it is,
-- and what we may not do (a login that is no superuser, a hosted database) is a warning, not a failure.

-- Creates a role unless it is there; says so when it may not. Two databases of one cluster may come here at once.
create function pg_temp.ensure_role(role_name text, options text, settings text[] default '{}') returns void
language plpgsql as $$
declare
  setting text;
begin
  if exists (select from pg_catalog.pg_roles where rolname = role_name) then
    return;
  end if;
  execute format('create role %I %s', role_name, options);
  foreach setting in array settings loop
    execute format('alter role %I set %s', role_name, setting);
  end loop;
exception
  when duplicate_object or unique_violation then
    null;
  when insufficient_privilege then
    raise warning 'role "%" is missing and could not be created as "%": %', role_name, options, sqlerrm
      using hint = format('Let a superuser run: create role %I %s;', role_name, options);
end $$;

-- Makes one role a member of another, only when it is not yet: repeating a grant would write to the shared catalogue and
-- collide with another database doing the same.
create function pg_temp.ensure_member(role_name text, member_name text) returns void
language plpgsql as $$
declare
  role_oid oid := (select oid from pg_catalog.pg_roles where rolname = role_name);
  member_oid oid := (select oid from pg_catalog.pg_roles where rolname = member_name);
begin
  if role_oid is null or member_oid is null or role_oid = member_oid or exists (
    select from pg_catalog.pg_auth_members m
    where m.roleid = role_oid and m.member = member_oid
      -- From PostgreSQL 16 on, whoever creates a role is made a member who may administer it but not become it.
      and coalesce((to_jsonb(m) ->> 'set_option')::boolean, true)
  ) then
    return;
  end if;
  execute format('grant %I to %I', role_name, member_name);
exception
  when insufficient_privilege or invalid_grant_operation then
    raise warning 'role "%" could not be granted to "%": %', role_name, member_name, sqlerrm
      using hint = format('Let a superuser run: grant %I to %I;', role_name, member_name);
end $$;

-- Who a request runs as. The time limits are those of a hosted project; they are set once, with the role, and are the
-- owner's from then on.
select pg_temp.ensure_role('anon', 'nologin', array['statement_timeout = ''3s''']);
select pg_temp.ensure_role('authenticated', 'nologin', array['statement_timeout = ''8s''']);
select pg_temp.ensure_role('service_role', 'nologin bypassrls');

-- Where BYPASSRLS is not ours to give, the role must still exist: without it nothing of an app's SQL would run.
select pg_temp.ensure_role('service_role', 'nologin');

-- The login of the API: owns nothing, inherits nothing, can only become one of the three.
select pg_temp.ensure_role('authenticator', 'login noinherit',
  array['statement_timeout = ''8s''', 'lock_timeout = ''8s''']);
select pg_temp.ensure_member('anon', 'authenticator');
select pg_temp.ensure_member('authenticated', 'authenticator');
select pg_temp.ensure_member('service_role', 'authenticator');

-- Who migrations run as, and owns what they create.
select pg_temp.ensure_role('postgres', 'nologin createdb createrole bypassrls');
select pg_temp.ensure_role('postgres', 'nologin');
select pg_temp.ensure_member(name, 'postgres')
from unnest(array['anon', 'authenticated', 'service_role', 'authenticator']) as name
where not coalesce((select rolsuper from pg_catalog.pg_roles where rolname = 'postgres'), false);

-- The login we came with must be able to become each of them; a superuser can anyway.
select pg_temp.ensure_member(name, current_user)
from unnest(array['anon', 'authenticated', 'service_role', 'postgres']) as name
where not (select rolsuper from pg_catalog.pg_roles where rolname = current_user);

-- Names that grants and policies of a Supabase project mention. They have no power here.
select pg_temp.ensure_role(name, 'nologin noinherit')
from unnest(array[
  'supabase_admin', 'supabase_auth_admin', 'supabase_storage_admin', 'supabase_realtime_admin',
  'supabase_functions_admin', 'supabase_replication_admin', 'supabase_read_only_user', 'dashboard_user'
]) as name;

-- How an account goes, and everything of its owner with it. Ownership is what foreign keys say: rows that reference the user, and
-- rows that reference those. One walk over the catalogue answers what would go, what is exported, and what goes.

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

-- What the server is set to, for those who delete their account by SQL.
create table mainstay.account_policy (
  id boolean primary key default true check (id),
  -- A session opened longer ago must prove itself again.
  fresh_for interval not null default interval '15 minutes',
  -- From the wish to its fulfilment; signing in meanwhile takes it back.
  grace interval not null default interval '0',
  -- Tables whose rows go although their foreign key says restrict or no action.
  erased_tables text[] not null default '{}'
);
alter table mainstay.account_policy enable row level security;
revoke all on table mainstay.account_policy from public;
insert into mainstay.account_policy default values;

create table mainstay.account_erasures (
  user_id uuid primary key,
  requested_at timestamptz not null default now(),
  due_at timestamptz not null,
  attempts integer not null default 0,
  -- Why it could not be done yet: names of tables and constraints, never a row's content.
  last_error text
);
alter table mainstay.account_erasures enable row level security;
revoke all on table mainstay.account_erasures from public;
create index account_erasures_due_at_idx on mainstay.account_erasures (due_at);
comment on table mainstay.account_erasures is 'Accounts whose owners want them deleted. A new session takes the wish back.';
select pg_temp.attempt('alter table mainstay.account_erasures add constraint account_erasures_user_id_fkey
  foreign key (user_id) references auth.users (id) on delete cascade');

create function mainstay.keep_account() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  delete from mainstay.account_erasures e where e.user_id = new.user_id;
  return null;
end $$;
revoke execute on function mainstay.keep_account() from public;
select pg_temp.attempt('create trigger mainstay_keep_account after insert on auth.sessions
  for each row execute function mainstay.keep_account()');

/*
 * Marks every row that belongs to an account, in a table of this transaction: `pg_temp.account_rows`. The walk is a fix-point by
 * levels, so cycles and tables that reference themselves come to an end. What happens to a row (`fate`):
 *   delete  it is the user's, or references a row that goes, on delete cascade; or `removable` names its table
 *   block   it references a row that goes, and its foreign key will not let that happen
 *   detach  it references a row that goes, and loses the reference (set null, set default)
 */
create function mainstay.mark_account(account uuid, removable text[]) returns void
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  edge record;
  depth integer := 0;
  marked bigint;
  added bigint;
begin
  if to_regclass('pg_temp.account_rows') is not null then
    drop table pg_temp.account_rows, pg_temp.account_edges;
  end if;
  create temporary table account_rows (
    relation oid not null, row_id tid not null, level integer not null, fate text not null, primary key (relation, row_id)
  ) on commit drop;
  create temporary table account_edges on commit drop as
  select c.conrelid as child, c.confrelid as parent, c.confdeltype as action,
    c.confdeltype in ('a', 'r') and c.conrelid::regclass::text = any (removable) as is_removable,
    (
      select string_agg(format('p.%I operator(%I.%s) c.%I', pa.attname, n.nspname, o.oprname, ca.attname), ' and ')
      from unnest(c.confkey, c.conkey, c.conpfeqop) as k (parent_column, child_column, operator)
      join pg_attribute pa on pa.attrelid = c.confrelid and pa.attnum = k.parent_column
      join pg_attribute ca on ca.attrelid = c.conrelid and ca.attnum = k.child_column
      join pg_operator o on o.oid = k.operator
      join pg_namespace n on n.oid = o.oprnamespace
    ) as condition
  -- A partition's copy of its root's constraint says nothing new.
  from pg_constraint c where c.contype = 'f' and c.conparentid = 0;

  insert into pg_temp.account_rows
  select u.tableoid, u.ctid, 0, 'delete' from auth.users u where u.id = account;
  loop
    added := 0;
    for edge in
      select e.* from pg_temp.account_edges e
      where (e.action = 'c' or e.is_removable) and exists (
        select from pg_temp.account_rows r
        where r.level = depth and r.fate = 'delete'
          and coalesce(pg_partition_root(r.relation), r.relation) = coalesce(pg_partition_root(e.parent), e.parent)
      )
    loop
      execute format(
        'insert into pg_temp.account_rows select distinct c.tableoid, c.ctid, $1 + 1, ''delete''
         from pg_temp.account_rows r
         join %s p on p.tableoid = r.relation and p.ctid = r.row_id
         join %s c on %s
         where r.level = $1 on conflict do nothing', edge.parent::regclass, edge.child::regclass, edge.condition) using depth;
      get diagnostics marked = row_count;
      added := added + marked;
    end loop;
    exit when added = 0;
    depth := depth + 1;
  end loop;

  -- What stands in the way is said even of a row that would also be detached.
  for edge in
    select e.*, case when e.action in ('a', 'r') then 'block' else 'detach' end as fate
    from pg_temp.account_edges e
    where e.action <> 'c' and not e.is_removable and exists (
      select from pg_temp.account_rows r
      where coalesce(pg_partition_root(r.relation), r.relation) = coalesce(pg_partition_root(e.parent), e.parent)
    )
    order by e.action in ('a', 'r') desc
  loop
    execute format(
      'insert into pg_temp.account_rows select distinct c.tableoid, c.ctid, 0, $1
       from pg_temp.account_rows r
       join %s p on p.tableoid = r.relation and p.ctid = r.row_id
       join %s c on %s
       where r.fate = ''delete'' on conflict do nothing', edge.parent::regclass, edge.child::regclass, edge.condition)
      using edge.fate;
  end loop;
end $$;

-- By table what would become of an account's rows: [{"schema", "table", "action", "rows"}].
create function mainstay.account_plan(account uuid, removable text[]) returns jsonb
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  perform mainstay.mark_account(account, removable);
  return coalesce((
    select jsonb_agg(jsonb_build_object('schema', n.nspname, 'table', c.relname, 'action', s.fate, 'rows', s.total)
      order by n.nspname, c.relname, s.fate)
    from (
      select coalesce(pg_partition_root(r.relation), r.relation) as relation, r.fate, count(*) as total
      from pg_temp.account_rows r group by 1, 2
    ) s
    join pg_class c on c.oid = s.relation
    join pg_namespace n on n.oid = c.relnamespace
  ), '[]');
end $$;

-- An entry of the audit log without the person it is about. `pseudonym` is what they are called from then on.
create function mainstay.redacted_entry(payload json, subject text, pseudonym text) returns jsonb
language sql immutable set search_path = pg_catalog, pg_temp as $$
  select jsonb_strip_nulls(jsonb_build_object(
    'action', payload -> 'action',
    'log_type', payload -> 'log_type',
    'actor_via_sso', payload -> 'actor_via_sso',
    'actor_id', case when payload ->> 'actor_id' = subject then to_jsonb(pseudonym) else payload::jsonb -> 'actor_id' end,
    'actor_username', case when payload ->> 'actor_id' = subject then to_jsonb(''::text)
      else payload::jsonb -> 'actor_username' end,
    'traits', case when payload -> 'traits' ->> 'user_id' = subject then jsonb_build_object('user_id', pseudonym) end
  ))
$$;

/*
 * The log stays append-only (0010) with one way out: an entry about somebody who is gone may lose them, and nothing else. That way
 * the account of what happened remains, and the person in it does not.
 */
create or replace function mainstay.guard_audit_log() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  subject text;
  pseudonym text;
begin
  if tg_op = 'DELETE' and old.created_at < (select now() - retention from mainstay.audit_policy) then
    return old;
  end if;
  if tg_op = 'UPDATE' then
    foreach subject in array array[old.payload ->> 'actor_id', old.payload -> 'traits' ->> 'user_id'] loop
      pseudonym := case when new.payload ->> 'actor_id' like 'erased:%' then new.payload ->> 'actor_id'
        else new.payload -> 'traits' ->> 'user_id' end;
      if subject is not null and pseudonym ~ '^erased:[A-Za-z0-9_-]{43}$'
        and subject <> '00000000-0000-0000-0000-000000000000'
        and not exists (select from auth.users u where u.id::text = subject)
        and new.payload::jsonb = mainstay.redacted_entry(old.payload, subject, pseudonym)
        and new.ip_address = (case when old.payload ->> 'actor_id' = subject then '' else old.ip_address end)
        and (new.id, new.created_at) is not distinct from (old.id, old.created_at)
        and new.instance_id is not distinct from old.instance_id
      then
        return new;
      end if;
    end loop;
  end if;
  raise exception 'The audit log is append-only.' using errcode = 'insufficient_privilege',
    hint = 'Entries go by themselves once they are older than the retention (MAINSTAY_AUDIT_RETENTION_DAYS).';
end $$;

do $$
begin
  create index if not exists audit_log_entries_actor_id_idx on auth.audit_log_entries ((payload ->> 'actor_id'));
  create index if not exists audit_log_entries_traits_user_id_idx
    on auth.audit_log_entries ((payload -> 'traits' ->> 'user_id')) where payload -> 'traits' ->> 'user_id' is not null;
exception
  when insufficient_privilege then
    raise warning 'auth.audit_log_entries stays without indexes on whom its entries are about: %', sqlerrm;
end $$;

/*
 * Deletes an account with everything that is its owner's, and takes them out of the audit log. Nothing happens where a row stands in
 * the way: the plan says which. `pseudonym` is "erased:" and a keyed hash of the id, so that the operator can still tell, asked
 * about an id, that it was erased. Null when there is no such account: somebody else was faster.
 */
create function mainstay.erase_account(account uuid, removable text[], pseudonym text) returns jsonb
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  plan jsonb;
  relation record;
  addresses text[];
begin
  perform from auth.users u where u.id = account for update;
  if not found then
    return null;
  end if;
  plan := mainstay.account_plan(account, removable);
  if plan @> '[{"action": "block"}]' then
    return plan;
  end if;
  addresses := array(
    select a from auth.users u,
      unnest(array[u.email, u.phone, u.email_change, u.phone_change]) as a where u.id = account and a <> ''
    union
    select i.email from auth.identities i where i.user_id = account and i.email <> '');
  -- What no cascade takes: rows of the tables that were named, those that reference others of them first.
  for relation in
    select r.relation as id, max(r.level) as level from pg_temp.account_rows r
    where r.fate = 'delete' and coalesce(pg_partition_root(r.relation), r.relation)::regclass::text = any (removable)
    group by r.relation order by max(r.level) desc
  loop
    execute format(
      'delete from %s c using pg_temp.account_rows r
       where r.relation = c.tableoid and r.row_id = c.ctid and r.relation = $1 and r.fate = ''delete''',
      relation.id::regclass) using relation.id;
  end loop;
  delete from auth.refresh_tokens t where t.user_id = account::text;
  delete from auth.flow_state f where f.user_id = account or f.linking_target_id = account;
  delete from mainstay.inbox i where i.recipient = any (addresses);
  delete from auth.users u where u.id = account;
  update auth.audit_log_entries e
  set payload = mainstay.redacted_entry(e.payload, account::text, pseudonym)::json,
    ip_address = case when e.payload ->> 'actor_id' = account::text then '' else e.ip_address end
  where e.payload ->> 'actor_id' = account::text or e.payload -> 'traits' ->> 'user_id' = account::text;
  return plan;
end $$;

/*
 * For apps that delete accounts by SQL, as whoever is signed in and about nobody else. Not reachable over HTTP as it stands; one line
 * makes it so: create function public.delete_account(dry_run boolean default true) returns jsonb language sql as
 * $fn$ select auth.delete_account(dry_run) $fn$;
 * The server does the rest within seconds, or when the grace period is over. SQLSTATEs PT401, PT403 and PT409 become the status.
 */
create function mainstay.delete_account(dry_run boolean) returns jsonb
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  claims jsonb := auth.jwt();
  account uuid := auth.uid();
  policy record;
  plan jsonb;
begin
  select * into policy from mainstay.account_policy;
  if account is null or not exists (select from auth.users u where u.id = account and u.deleted_at is null) then
    raise exception 'Only a signed-in user has an account to delete.' using errcode = 'PT401';
  end if;
  if not exists (
    select from auth.sessions s where s.id::text = claims ->> 'session_id' and s.user_id = account
      and s.created_at > now() - policy.fresh_for
  ) then
    raise exception 'Sign in again to delete the account.' using errcode = 'PT403', hint = 'The session is too old, or has ended.';
  end if;
  if claims ->> 'aal' is distinct from 'aal2' and exists (
    select from auth.mfa_factors f where f.user_id = account and f.status = 'verified'
  ) then
    raise exception 'The second factor is needed to delete the account.' using errcode = 'PT403';
  end if;
  plan := mainstay.account_plan(account, policy.erased_tables);
  if dry_run then
    return jsonb_build_object('dry_run', true, 'rows', plan);
  end if;
  if plan @> '[{"action": "block"}]' then
    raise exception 'Rows of other tables stand in the way.' using errcode = 'PT409', detail = plan::text;
  end if;
  delete from auth.sessions s where s.user_id = account;
  insert into mainstay.account_erasures (user_id, due_at) values (account, now() + policy.grace)
  on conflict (user_id) do nothing;
  return jsonb_build_object('dry_run', false, 'due_at', now() + policy.grace, 'rows', plan);
end $$;

revoke execute on function
  mainstay.mark_account(uuid, text[]), mainstay.account_plan(uuid, text[]), mainstay.redacted_entry(json, text, text),
  mainstay.erase_account(uuid, text[], text), mainstay.delete_account(boolean) from public;

do $$
begin
  create function auth.delete_account(dry_run boolean default true) returns jsonb
  language sql security definer set search_path = pg_catalog, pg_temp as 'select mainstay.delete_account(dry_run)';
  revoke execute on function auth.delete_account(boolean) from public;
  grant execute on function auth.delete_account(boolean) to authenticated;
exception
  when insufficient_privilege then
    raise warning 'There is no auth.delete_account(): %', sqlerrm using hint = 'Accounts are deleted with DELETE /auth/v1/user.';
end $$;

-- Hooks that are functions run as this role (Supabase docs, Auth Hooks). Whoever is no superuser must be a member to become it.
do $$
begin
  if exists (select from pg_roles where rolname = 'supabase_auth_admin')
    and not (select rolsuper from pg_roles where rolname = current_user) then
    perform pg_temp.attempt(format('grant supabase_auth_admin to %I', current_user));
  end if;
end $$;

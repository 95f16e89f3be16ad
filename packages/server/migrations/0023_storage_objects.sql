-- Rows of storage: how they are written with rights and bytes in one transaction, how a bucket is read folder by folder, who is told of
-- buckets that change, and what becomes of the files of an account that goes.

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

-- Whether `storage` has a function of that name. Asked of the catalogue: `to_regproc` fails on a schema we may not look into.
create or replace function pg_temp.has_function(function_name text) returns boolean
language sql as $$
  select exists (
    select from pg_catalog.pg_proc p join pg_catalog.pg_namespace n on n.oid = p.pronamespace
    where n.nspname = 'storage' and p.proname = function_name
  )
$$;

-- As clients read times: ISO 8601 in UTC with milliseconds.
create function mainstay.storage_time(moment timestamptz) returns text language sql stable parallel safe as $$
  select to_char(moment at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')
$$;

/*
 * Becomes a caller for the rest of the transaction, as the API's own login does where it may: the tokens' role must be one that
 * `authenticator` was made a member of. No SET clause on it or on what follows: functions of policies and triggers find their tables by the
 * search_path of the API.
 */
create function mainstay.act_as(as_role text, claims text, subject text, operation text, api_path text) returns void
language plpgsql as $$
begin
  if exists (select from pg_catalog.pg_roles r where r.rolname = 'authenticator')
    and not pg_catalog.pg_has_role('authenticator', as_role, 'member')
  then
    raise exception 'permission denied to set role "%"', as_role using errcode = '42501';
  end if;
  perform
    pg_catalog.set_config('request.jwt.claims', claims, true),
    pg_catalog.set_config('request.jwt.claim.sub', subject, true),
    pg_catalog.set_config('request.jwt.claim.role', as_role, true),
    pg_catalog.set_config('request.headers', '{}', true),
    pg_catalog.set_config('storage.operation', operation, true),
    pg_catalog.set_config('search_path', coalesce(api_path, pg_catalog.current_setting('search_path')), true),
    pg_catalog.set_config('role', as_role, true);
end $$;

/*
 * Makes the bytes of a version an object's, as the caller and under the policies, and keeps the version: all of it or nothing.
 * The row is written by one insert, so policies, the table's grants and the app's triggers say what they would say to the caller's own SQL.
 * Errors: as PostgreSQL has them; MST01 when the version is not there to be kept; 42501 when a trigger let the row vanish.
 */
create function mainstay.write_object(
  as_role text, claims text, subject text, operation text, api_path text,
  in_bucket text, in_name text, in_owner text, in_metadata jsonb, in_user_metadata jsonb, in_version text, is_upsert boolean
) returns table (id uuid, version text, owner_id text, metadata jsonb, user_metadata jsonb, created_at text, updated_at text)
language plpgsql as $$
#variable_conflict use_column
declare
  server_role text := current_setting('role');
  in_owner_uuid uuid := case when in_owner ~* '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$' then in_owner::uuid end;
begin
  -- First, so that a sweep that is about to take it waits or was faster. Its place: where the object is now to be.
  update mainstay.object_versions v
  set state = 'kept', expires_at = null, reserved_bytes = 0, bucket_id = in_bucket
  where v.id = in_version and v.state = 'receiving';
  if not found then
    raise exception 'The upload is not there any more.' using errcode = 'MST01';
  end if;

  perform set_config('mainstay.names_version', in_version, true);
  perform mainstay.act_as(as_role, claims, subject, operation, api_path);
  if is_upsert then
    -- Without an owner it stays whose it was.
    insert into storage.objects as o (bucket_id, name, owner, owner_id, metadata, user_metadata, version)
    values (in_bucket, in_name, in_owner_uuid, in_owner, in_metadata, in_user_metadata, in_version)
    on conflict (bucket_id, name) do update set
      owner = case when excluded.owner_id is null then o.owner else excluded.owner end,
      owner_id = coalesce(excluded.owner_id, o.owner_id),
      metadata = excluded.metadata, user_metadata = excluded.user_metadata, version = excluded.version;
  else
    insert into storage.objects (bucket_id, name, owner, owner_id, metadata, user_metadata, version)
    values (in_bucket, in_name, in_owner_uuid, in_owner, in_metadata, in_user_metadata, in_version);
  end if;
  perform set_config('role', server_role, true), set_config('mainstay.names_version', '', true);

  return query
    select o.id, o.version, o.owner_id, o.metadata, o.user_metadata,
      mainstay.storage_time(o.created_at), mainstay.storage_time(o.updated_at)
    from storage.objects o where o.version = in_version;
  if not found then
    raise exception 'A trigger on storage.objects did not let the row in.' using errcode = '42501';
  end if;
end $$;

/*
 * Gives an object another name, as the caller: SELECT and UPDATE. Its bytes stay where they are. Who moves it becomes its owner, as in
 * Supabase. Nothing comes back for one that is not there for the caller; 42501 when it is, and may not be moved.
 */
create function mainstay.move_object(
  as_role text, claims text, subject text, operation text, api_path text,
  from_bucket text, from_name text, to_bucket text, to_name text
) returns table (id uuid)
language plpgsql as $$
#variable_conflict use_column
declare
  server_role text := current_setting('role');
  mover uuid := case when subject ~* '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$' then subject::uuid end;
  moved uuid;
  its_version text;
begin
  perform mainstay.act_as(as_role, claims, subject, operation, api_path);
  perform from storage.objects o where o.bucket_id = from_bucket and o.name = from_name;
  if not found then
    perform set_config('role', server_role, true);
    return;
  end if;
  update storage.objects o set
    bucket_id = to_bucket, name = to_name,
    owner = case when subject = '' then o.owner else mover end, owner_id = coalesce(nullif(subject, ''), o.owner_id)
  where o.bucket_id = from_bucket and o.name = from_name
  returning o.id, o.version into moved, its_version;
  if moved is null then
    raise exception 'new row violates row-level security policy' using errcode = '42501';
  end if;
  perform set_config('role', server_role, true);
  update mainstay.object_versions v set bucket_id = to_bucket where v.id = its_version and v.bucket_id <> to_bucket;
  return query select moved;
end $$;

revoke execute on function
  mainstay.act_as(text, text, text, text, text),
  mainstay.write_object(text, text, text, text, text, text, text, text, jsonb, jsonb, text, boolean),
  mainstay.move_object(text, text, text, text, text, text, text, text, text)
from public;

/*
 * Objects of a bucket by name, in byte order, as the caller sees them; with `is_level` one folder's content, its sub-folders as rows without
 * id whose name ends with a slash.
 *   in_prefix  what names begin with; with `is_level` folders are told from what follows it
 *   in_search  what follows the prefix begins with that, in whichever case
 *   in_after   the last name of the page before
 *   in_limit   null for all
 * A level is walked from name to name, each step one look-up in the index, and over a folder's content in one: a page costs its own rows,
 * however many there are. A query that groups names reads them all. Rows are made as they are asked for, so the limit ends the walk.
 */
create function mainstay.walk_objects(
  in_bucket text, in_prefix text, in_search text, is_level boolean, is_descending boolean,
  in_after text, in_offset bigint, in_limit bigint
) returns table (
  name text, id uuid, updated_at timestamptz, created_at timestamptz, last_accessed_at timestamptz, metadata jsonb
)
language plpgsql stable
-- Rows come from the index in order, and few of many are read: statistics of a table that was just filled say otherwise.
set enable_sort = off set enable_incremental_sort = off set jit = off set plan_cache_mode = force_generic_plan
as $$
#variable_conflict use_column
declare
  -- Greater than whatever follows a prefix.
  last_char constant text := chr(1114111);
  base constant integer := length(in_prefix) + 1;
  search_length constant integer := length(in_search);
  searched constant text := lower(in_search);
  beginnings text[] := array[''];
  seek text collate "C";
  slash integer;
  has_folders boolean;
begin
  -- The index knows one case only: the first letters are looked up in each, and what follows is compared.
  for place in 1 .. least(search_length, 4) loop
    beginnings := array(
      select distinct b || c from unnest(beginnings) as b,
        unnest(array[lower(substr(in_search, place, 1)), upper(substr(in_search, place, 1))]) as c
    );
  end loop;
  beginnings := array(
    select b from unnest(beginnings) as b
    order by case when not is_descending then b end collate "C", case when is_descending then b end collate "C" desc
  );
  -- Where the page begins: after a folder's content, or after a name. '0' is the character after the slash, and a name with a 1 behind it
  -- comes right after the name.
  seek := case when is_descending then in_after else in_after || chr(1) end;
  slash := case when is_level then strpos(substr(in_after, base), '/') end;
  if slash > 0 then
    seek := case when is_descending then left(in_after, base - 1 + slash) else left(in_after, base - 2 + slash) || '0' end;
  end if;

  -- Most folders have files only, and rows that follow each other in the index cost a tenth of as many look-ups.
  if is_level and search_length = 0 and in_limit is not null then
    if is_descending then
      select bool_or(strpos(substr(next.name, base), '/') > 0) into has_folders from (
        select o.name from storage.objects o
        where o.bucket_id = in_bucket and o.name collate "C" < least((in_prefix || last_char) collate "C", seek collate "C")
          and o.name collate "C" >= in_prefix collate "C"
        order by o.name collate "C" desc limit in_offset + in_limit
      ) as next;
    else
      select bool_or(strpos(substr(next.name, base), '/') > 0) into has_folders from (
        select o.name from storage.objects o
        where o.bucket_id = in_bucket and o.name collate "C" >= greatest(in_prefix collate "C", seek collate "C")
          and o.name collate "C" < (in_prefix || last_char) collate "C"
        order by o.name collate "C" limit in_offset + in_limit
      ) as next;
    end if;
    is_level := coalesce(has_folders, false);
  end if;

  if is_level and not is_descending then
    return query
      select case when w.slash > 0 then left(w.name, base - 1 + w.slash) else w.name end, case when w.slash = 0 then w.id end,
        case when w.slash = 0 then w.updated_at end, case when w.slash = 0 then w.created_at end,
        case when w.slash = 0 then w.last_accessed_at end, case when w.slash = 0 then w.metadata end
      from unnest(beginnings) as b(beginning) cross join lateral (
        with recursive walk as (
          (
            select o.name collate "C" as name, o.id, o.updated_at, o.created_at, o.last_accessed_at, o.metadata,
              strpos(substr(o.name, base), '/') as slash
            from storage.objects o
            where o.bucket_id = in_bucket
              and o.name collate "C" >= greatest((in_prefix || b.beginning) collate "C", seek collate "C")
              and o.name collate "C" < (in_prefix || b.beginning || last_char) collate "C"
            order by o.name collate "C" limit 1
          )
          union all
          select next.* from walk cross join lateral (
            select o.name collate "C" as name, o.id, o.updated_at, o.created_at, o.last_accessed_at, o.metadata,
              strpos(substr(o.name, base), '/') as slash
            from storage.objects o
            where o.bucket_id = in_bucket
              and o.name collate "C" >=
                (case when walk.slash > 0 then left(walk.name, base - 2 + walk.slash) || '0' else walk.name || chr(1) end) collate "C"
              and o.name collate "C" < (in_prefix || b.beginning || last_char) collate "C"
            order by o.name collate "C" limit 1
          ) as next
        )
        select * from walk
      ) as w
      where search_length = 0 or lower(substr(w.name, base, search_length)) = searched
      offset in_offset limit in_limit;
  elsif is_level then
    return query
      select case when w.slash > 0 then left(w.name, base - 1 + w.slash) else w.name end, case when w.slash = 0 then w.id end,
        case when w.slash = 0 then w.updated_at end, case when w.slash = 0 then w.created_at end,
        case when w.slash = 0 then w.last_accessed_at end, case when w.slash = 0 then w.metadata end
      from unnest(beginnings) as b(beginning) cross join lateral (
        with recursive walk as (
          (
            select o.name collate "C" as name, o.id, o.updated_at, o.created_at, o.last_accessed_at, o.metadata,
              strpos(substr(o.name, base), '/') as slash
            from storage.objects o
            where o.bucket_id = in_bucket
              and o.name collate "C" < least((in_prefix || b.beginning || last_char) collate "C", seek collate "C")
              and o.name collate "C" >= (in_prefix || b.beginning) collate "C"
            order by o.name collate "C" desc limit 1
          )
          union all
          select next.* from walk cross join lateral (
            select o.name collate "C" as name, o.id, o.updated_at, o.created_at, o.last_accessed_at, o.metadata,
              strpos(substr(o.name, base), '/') as slash
            from storage.objects o
            where o.bucket_id = in_bucket
              and o.name collate "C" <
                (case when walk.slash > 0 then left(walk.name, base - 1 + walk.slash) else walk.name end) collate "C"
              and o.name collate "C" >= (in_prefix || b.beginning) collate "C"
            order by o.name collate "C" desc limit 1
          ) as next
        )
        select * from walk
      ) as w
      where search_length = 0 or lower(substr(w.name, base, search_length)) = searched
      offset in_offset limit in_limit;
  elsif not is_descending then
    return query
      select w.* from unnest(beginnings) as b(beginning) cross join lateral (
        select o.name, o.id, o.updated_at, o.created_at, o.last_accessed_at, o.metadata from storage.objects o
        where o.bucket_id = in_bucket
          and o.name collate "C" >= greatest((in_prefix || b.beginning) collate "C", seek collate "C")
          and o.name collate "C" < (in_prefix || b.beginning || last_char) collate "C"
        order by o.name collate "C"
      ) as w
      where search_length = 0 or lower(substr(w.name, base, search_length)) = searched
      offset in_offset limit in_limit;
  else
    return query
      select w.* from unnest(beginnings) as b(beginning) cross join lateral (
        select o.name, o.id, o.updated_at, o.created_at, o.last_accessed_at, o.metadata from storage.objects o
        where o.bucket_id = in_bucket
          and o.name collate "C" < least((in_prefix || b.beginning || last_char) collate "C", seek collate "C")
          and o.name collate "C" >= (in_prefix || b.beginning) collate "C"
        order by o.name collate "C" desc
      ) as w
      where search_length = 0 or lower(substr(w.name, base, search_length)) = searched
      offset in_offset limit in_limit;
  end if;
end $$;

-- What apps call by SQL of a Supabase project. Policies decide here as everywhere.
do $$
begin
  if not pg_temp.has_function('search') then
    perform pg_temp.attempt($sql$
      create function storage.search(
        prefix text, bucketname text, limits integer default 100, levels integer default 1, offsets integer default 0,
        search text default '', sortcolumn text default 'name', sortorder text default 'asc'
      ) returns table (
        name text, id uuid, updated_at timestamptz, created_at timestamptz, last_accessed_at timestamptz, metadata jsonb
      )
      language plpgsql stable as $body$
      #variable_conflict use_column
      declare
        start constant text := coalesce(prefix, '');
        -- A search with folders in it goes down into them.
        whole constant text := start || coalesce(search, '');
        folder constant text := case when search like '%/%' then regexp_replace(whole, '[^/]*$', '') else start end;
        rest constant text := substr(whole, length(folder) + 1);
        column_name constant text := lower(coalesce(sortcolumn, 'name'));
        is_descending constant boolean := lower(coalesce(sortorder, 'asc')) = 'desc';
        most constant integer := least(coalesce(limits, 100), 1500);
      begin
        if column_name not in ('created_at', 'updated_at', 'last_accessed_at') then
          return query
            select rtrim(substr(w.name, length(start) + 1), '/'), w.id, w.updated_at, w.created_at, w.last_accessed_at, w.metadata
            from mainstay.walk_objects(bucketname, folder, rest, true, is_descending, null, offsets, most) w;
          return;
        end if;
        return query execute format(
          'select rtrim(substr(w.name, $1), ''/''), w.id, w.updated_at, w.created_at, w.last_accessed_at, w.metadata
           from mainstay.walk_objects($2, $3, $4, true, $5, null, 0, null) w
           order by w.id is not null, w.%I %s, w.name collate "C" %2$s limit $6 offset $7',
          column_name, case when is_descending then 'desc' else 'asc' end)
          using length(start) + 1, bucketname, folder, rest, is_descending, most, coalesce(offsets, 0);
      end $body$ $sql$);
  end if;

  if not pg_temp.has_function('list_objects_with_delimiter') then
    perform pg_temp.attempt($sql$
      create function storage.list_objects_with_delimiter(
        _bucket_id text, prefix_param text, delimiter_param text, max_keys integer default 100, start_after text default '',
        next_token text default '', sort_order text default 'asc'
      ) returns table (
        name text, id uuid, metadata jsonb, updated_at timestamptz, created_at timestamptz, last_accessed_at timestamptz
      )
      language sql stable as $body$
        select w.name, w.id, w.metadata, w.updated_at, w.created_at, w.last_accessed_at
        from mainstay.walk_objects(_bucket_id, coalesce(prefix_param, ''), '', delimiter_param = '/', lower(sort_order) = 'desc',
          coalesce(nullif(next_token, ''), nullif(start_after, '')), 0, max_keys) w
      $body$ $sql$);
  end if;

  if not pg_temp.has_function('search_v2') then
    perform pg_temp.attempt($sql$
      create function storage.search_v2(
        prefix text, bucket_name text, limits integer default 100, levels integer default 1, start_after text default '',
        sort_order text default 'asc', sort_column text default 'name', sort_column_after text default ''
      ) returns table (
        key text, name text, id uuid, updated_at timestamptz, created_at timestamptz, last_accessed_at timestamptz, metadata jsonb
      )
      language plpgsql stable as $body$
      #variable_conflict use_column
      declare
        start constant text := coalesce(prefix, '');
        is_descending constant boolean := lower(coalesce(sort_order, 'asc')) = 'desc';
        most constant integer := least(coalesce(limits, 100), 1500);
      begin
        if lower(sort_column) is distinct from 'created_at' and lower(sort_column) is distinct from 'updated_at' then
          return query
            select split_part(w.name, '/', levels), w.name, w.id, w.updated_at, w.created_at, w.last_accessed_at, w.metadata
            from mainstay.walk_objects(bucket_name, start, '', true, is_descending, nullif(start_after, ''), 0, most) w;
          return;
        end if;
        return query execute format(
          'select split_part(w.name, ''/'', $1), w.name, w.id, w.updated_at, w.created_at, w.last_accessed_at, w.metadata
           from mainstay.walk_objects($2, $3, '''', true, $4, null, 0, null) w
           where $5 = '''' or case when $6 = '''' then w.id is not null or w.name collate "C" %1$s $5
             else w.id is not null and (w.%2$I, w.name collate "C") %1$s ($6::timestamptz, $5) end
           order by w.id is not null, w.%2$I %3$s, w.name collate "C" %3$s limit $7',
          case when is_descending then '<' else '>' end, lower(sort_column), case when is_descending then 'desc' else 'asc' end)
          using levels, bucket_name, start, is_descending, coalesce(start_after, ''), coalesce(sort_column_after, ''), most;
      end $body$ $sql$);
  end if;

  if not pg_temp.has_function('get_size_by_bucket') then
    perform pg_temp.attempt($sql$
      create function storage.get_size_by_bucket() returns table (size bigint, bucket_id text) language sql stable as $body$
        select sum((o.metadata ->> 'size')::bigint)::bigint, o.bucket_id from storage.objects o group by o.bucket_id
      $body$ $sql$);
  end if;

  -- Tells whether the caller could insert such an object: it always fails, with PT200 where it could.
  if not pg_temp.has_function('can_insert_object') then
    perform pg_temp.attempt($sql$
      create function storage.can_insert_object(bucketid text, name text, owner uuid, metadata jsonb) returns void
      language plpgsql as $body$
      begin
        insert into storage.objects (bucket_id, name, owner, metadata) values (bucketid, name, owner, metadata);
        raise sqlstate 'PT200' using message = 'ROLLBACK', detail = 'rollback successful insert';
      end $body$ $sql$);
  end if;

  if not pg_temp.has_function('update_updated_at_column') then
    if pg_temp.attempt($sql$
      create function storage.update_updated_at_column() returns trigger language plpgsql as $body$
      begin
        new.updated_at := now();
        return new;
      end $body$ $sql$)
    then
      perform pg_temp.attempt('create trigger update_objects_updated_at before update on storage.objects
        for each row execute function storage.update_updated_at_column()');
    end if;
  end if;
end $$;

-- Every node remembers buckets, and is told when one changes.
create function mainstay.tell_of_bucket() returns trigger
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  told text := case when tg_level = 'ROW' then case when tg_op = 'DELETE' then old.id else coalesce(old.id, new.id) end end;
begin
  -- A notification holds 8,000 bytes, and a name written by SQL may not fit: nothing means all of them.
  perform pg_notify('mainstay_buckets', case when octet_length(told) < 1000 then told else '' end);
  if tg_op = 'UPDATE' and tg_level = 'ROW' then
    if new.id is distinct from old.id then
      perform pg_notify('mainstay_buckets', case when octet_length(new.id) < 1000 then new.id else '' end);
    end if;
  end if;
  return null;
end $$;
revoke execute on function mainstay.tell_of_bucket() from public;

-- `truncate` calls no row's trigger: what nobody names any more is found by looking.
create function mainstay.release_all_versions() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  update mainstay.object_versions v set state = 'dead', expires_at = now() + interval '1 minute'
  where v.state = 'kept' and not exists (select from storage.objects o where o.version = v.id);
  update mainstay.object_usage u set used_bytes = 0, object_count = 0;
  return null;
end $$;
revoke execute on function mainstay.release_all_versions() from public;

do $$
begin
  perform pg_temp.attempt('create trigger mainstay_tell_of_bucket after insert or update or delete on storage.buckets
    for each row execute function mainstay.tell_of_bucket()');
  perform pg_temp.attempt('create trigger mainstay_tell_of_buckets after truncate on storage.buckets
    for each statement execute function mainstay.tell_of_bucket()');
  perform pg_temp.attempt('create trigger mainstay_release_versions after truncate on storage.objects
    for each statement execute function mainstay.release_all_versions()');
end $$;

-- What becomes of an account's files when it is deleted: with it, or they stay as nobody's.
alter table mainstay.account_policy add column erases_files boolean not null default true;

create function mainstay.release_account_files() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  -- A database of Supabase lets nobody delete files by SQL who does not say that it is meant.
  perform set_config('storage.allow_delete_query', 'true', true);
  if (select p.erases_files from mainstay.account_policy p) then
    delete from storage.objects o where o.owner_id = old.id::text;
  else
    update storage.objects o set owner = null, owner_id = null where o.owner_id = old.id::text;
  end if;
  -- What is still being uploaded can no longer end.
  update mainstay.object_versions v set state = 'dead', expires_at = now()
  where v.owner_id = old.id::text and v.state = 'receiving';
  delete from mainstay.object_usage u where u.owner_id = old.id::text;
  return null;
end $$;
revoke execute on function mainstay.release_account_files() from public;
select pg_temp.attempt('create trigger mainstay_release_files after delete on auth.users
  for each row execute function mainstay.release_account_files()');

-- As in 0011, and files besides, which no foreign key ties to their owner: preview, export and erasure all ask this walk.
create or replace function mainstay.mark_account(account uuid, removable text[]) returns void
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
  -- The erasure itself leaves them to the trigger on auth.users, as a cascade would take them.
  if (select p.erases_files from mainstay.account_policy p) then
    insert into pg_temp.account_rows
    select o.tableoid, o.ctid, 0, 'delete' from storage.objects o where o.owner_id = account::text;
  end if;
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
  -- Files that stay lose their owner.
  if not (select p.erases_files from mainstay.account_policy p) then
    insert into pg_temp.account_rows
    select o.tableoid, o.ctid, 0, 'detach' from storage.objects o where o.owner_id = account::text
    on conflict do nothing;
  end if;
end $$;

-- The schema `storage`, as apps' SQL speaks of it: buckets, objects and the policies on them. And, in our own schema, where the bytes of
-- an object are. A database of Supabase has the first part, owned by others: what is there is left as it is.

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

-- Whether `storage` has it. Asked of the catalogue: `to_regclass` fails on a schema we may not look into.
create or replace function pg_temp.has_relation(relation_name text) returns boolean
language sql as $$
  select exists (
    select from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
    where n.nspname = 'storage' and c.relname = relation_name
  )
$$;

create or replace function pg_temp.has_function(function_name text) returns boolean
language sql as $$
  select exists (
    select from pg_catalog.pg_proc p join pg_catalog.pg_namespace n on n.oid = p.pronamespace
    where n.nspname = 'storage' and p.proname = function_name
  )
$$;

do $$
begin
  if to_regnamespace('storage') is null then
    perform pg_temp.attempt('create schema storage');
  end if;
end $$;

-- Policies stand on these, so their columns are not ours to choose.
do $$
begin
  if not pg_temp.has_relation('buckets') and pg_temp.attempt($sql$
    create table storage.buckets (
      id text primary key,
      name text not null constraint bname unique,
      owner uuid,
      created_at timestamptz default now(),
      updated_at timestamptz default now(),
      public boolean default false,
      avif_autodetection boolean default false,
      file_size_limit bigint,
      allowed_mime_types text[],
      owner_id text,
      type text not null default 'STANDARD'
    )
  $sql$) then
    alter table storage.buckets enable row level security;
    comment on column storage.buckets.owner is 'Deprecated: owner_id says it.';
    comment on column storage.buckets.file_size_limit is 'In bytes; null leaves it to the server.';
  end if;

  if not pg_temp.has_relation('objects') and pg_temp.attempt($sql$
    create table storage.objects (
      id uuid primary key default gen_random_uuid(),
      bucket_id text constraint "objects_bucketId_fkey" references storage.buckets (id),
      -- In byte order whatever the database's is: only then is a directory a range of names.
      name text collate "C",
      owner uuid,
      created_at timestamptz default now(),
      updated_at timestamptz default now(),
      last_accessed_at timestamptz default now(),
      metadata jsonb,
      path_tokens text[] generated always as (string_to_array(name, '/')) stored,
      version text,
      owner_id text,
      user_metadata jsonb
    )
  $sql$) then
    create unique index bucketid_objname on storage.objects (bucket_id, name);
    create index objects_version_idx on storage.objects (version) where version is not null;
    create index objects_owner_id_idx on storage.objects (owner_id) where owner_id is not null;
    alter table storage.objects enable row level security;
    comment on column storage.objects.owner is 'Deprecated: owner_id says it.';
    comment on column storage.objects.version is 'Which bytes it has: an id of mainstay.object_versions. Only the server writes it.';
  end if;
end $$;

-- What Supabase grants: policies decide, and a bucket has none until the app writes one.
do $$
begin
  perform pg_temp.attempt('grant usage on schema storage to anon, authenticated, service_role, postgres');
  perform pg_temp.attempt('grant select, insert, update, delete on storage.buckets, storage.objects to anon, authenticated, service_role');
  perform pg_temp.attempt('grant all on storage.buckets, storage.objects to postgres with grant option');
end $$;

-- Migrations of an app write policies on `storage.objects`, which takes its owner: `postgres`, where that is ours to give.
do $$
begin
  if exists (select from pg_catalog.pg_tables where schemaname = 'storage' and tablename = 'objects' and tableowner = current_user)
    and exists (select from pg_catalog.pg_roles where rolname = 'postgres')
  then
    perform pg_temp.attempt('alter table storage.buckets owner to postgres');
    perform pg_temp.attempt('alter table storage.objects owner to postgres');
    perform pg_temp.attempt('grant create on schema storage to postgres');
  end if;
end $$;

do $$
begin
  if not pg_temp.has_function('foldername') then
    perform pg_temp.attempt($sql$
      create function storage.foldername(name text) returns text[] language sql immutable parallel safe as $body$
        select (string_to_array(name, '/'))[1:cardinality(string_to_array(name, '/')) - 1]
      $body$ $sql$);
  end if;
  if not pg_temp.has_function('filename') then
    perform pg_temp.attempt($sql$
      create function storage.filename(name text) returns text language sql immutable parallel safe as $body$
        select (string_to_array(name, '/'))[cardinality(string_to_array(name, '/'))]
      $body$ $sql$);
  end if;
  if not pg_temp.has_function('extension') then
    perform pg_temp.attempt($sql$
      create function storage.extension(name text) returns text language sql immutable parallel safe as $body$
        select reverse(split_part(reverse((string_to_array(name, '/'))[cardinality(string_to_array(name, '/'))]), '.', 1))
      $body$ $sql$);
  end if;
  -- What the request is about to do, for policies that tell one thing from another: `storage.object.upload`.
  if not pg_temp.has_function('operation') then
    perform pg_temp.attempt($sql$
      create function storage.operation() returns text language sql stable parallel safe as $body$
        select nullif(current_setting('storage.operation', true), '')
      $body$ $sql$);
  end if;
  if not pg_temp.has_function('allow_only_operation') then
    perform pg_temp.attempt($sql$
      create function storage.allow_only_operation(expected_operation text) returns boolean
      language sql stable parallel safe as $body$
        select coalesce(
          regexp_replace(storage.operation(), '^storage\.', '') = regexp_replace(expected_operation, '^storage\.', ''), false)
      $body$ $sql$);
  end if;
  if not pg_temp.has_function('allow_any_operation') then
    perform pg_temp.attempt($sql$
      create function storage.allow_any_operation(expected_operations text[]) returns boolean
      language sql stable parallel safe as $body$
        select coalesce(bool_or(storage.allow_only_operation(expected)), false) from unnest(expected_operations) as expected
      $body$ $sql$);
  end if;
end $$;

/*
 * One set of bytes that an object has, had, or is being given. Its bytes are its segments, one after the other, and never change.
 *   receiving  somebody uploads: nothing shows it yet. Without an end by `expires_at` it is given up.
 *   kept       an object names it.
 *   dead       no object names it any more, since `expires_at`: some time later, when who reads it may be done, its bytes are swept, and then
 *              the row goes. One that nobody ever could read has '-infinity' there, and goes at once.
 */
create table mainstay.object_versions (
  -- A UUID: what storage.objects.version says.
  id text primary key,
  bucket_id text not null,
  -- Whose quota it counts against; null for nobody's.
  owner_id text,
  state text not null default 'receiving' check (state in ('receiving', 'kept', 'dead')),
  -- What was announced, in bytes: taken before the bytes come, so that many at once cannot pass a limit together.
  reserved_bytes bigint not null default 0,
  -- While it is received: which segments it has is settled, and no more are taken.
  is_complete boolean not null default false,
  -- What a resumable or multipart upload has to remember from its beginning to its end: whose, where to, how long. Null for others.
  upload jsonb,
  created_at timestamptz not null default now(),
  expires_at timestamptz
);
create index object_versions_expires_at_idx on mainstay.object_versions (expires_at) where state <> 'kept';
create index object_versions_receiving_idx on mainstay.object_versions (owner_id) where state = 'receiving';

/*
 * A run of bytes as one thing in the store. There before its bytes are, and gone after them, so that none are ever without a row that
 * knows of them.
 *   being written  no `size_bytes`, and `expires_at` is until when its writer has to say that it is still there.
 *   written        has `size_bytes` and no `expires_at`. Never changes.
 *   dead           nobody may finish or read it: its bytes are swept at `expires_at`, or, when that has passed, by whoever comes next.
 */
create table mainstay.object_segments (
  blob_id uuid primary key,
  version_id text not null references mainstay.object_versions (id),
  -- Their order within the version. May have gaps.
  position integer not null,
  -- Null until the bytes are durable.
  size_bytes bigint,
  md5 bytea,
  -- While it is written: how far it may grow until more room is asked for.
  reserved_bytes bigint not null default 0,
  -- The key of its bytes, encrypted by the server's key of that name; null where bytes lie as they came.
  wrapped_key bytea,
  wrapping_key_id text,
  -- The blob that key was made for, where these bytes are a copy of its.
  key_blob_id uuid,
  is_dead boolean not null default false,
  expires_at timestamptz
);
create unique index object_segments_version_idx on mainstay.object_segments (version_id, position) where size_bytes is not null and not is_dead;
create index object_segments_version_any_idx on mainstay.object_segments (version_id);
create index object_segments_expires_at_idx on mainstay.object_segments (expires_at) where expires_at is not null;

-- What an owner has, in bytes and objects. Whoever takes room for an owner locks the row first.
create table mainstay.object_usage (
  owner_id text primary key,
  used_bytes bigint not null default 0,
  object_count bigint not null default 0
);

alter table mainstay.object_versions enable row level security;
alter table mainstay.object_segments enable row level security;
alter table mainstay.object_usage enable row level security;
revoke all on mainstay.object_versions, mainstay.object_segments, mainstay.object_usage from public;

-- Who could name bytes could read them. The server alone does; anybody may leave them as they are, or name such as nobody has.
create function mainstay.guard_object_version() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  if current_setting('mainstay.names_version', true) is distinct from new.version
    and exists (select from mainstay.object_versions v where v.id = new.version)
  then
    raise exception 'Only the server says which bytes an object has.' using errcode = '42501';
  end if;
  return new;
end $$;
revoke execute on function mainstay.guard_object_version() from public;

-- How many bytes an object says it has.
create function mainstay.object_bytes(metadata jsonb) returns bigint
language sql immutable parallel safe as $$
  select case when jsonb_typeof(metadata -> 'size') = 'number' then greatest(0, (metadata ->> 'size')::numeric::bigint) else 0 end
$$;

-- However objects come and go (a request, an app's own SQL, a bucket or an account that goes): the bytes that they lose are swept
-- afterwards, and what their owners have is counted. Once per statement, since one row per owner is changed for all of them.
create function mainstay.account_for_objects() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  if tg_op = 'INSERT' then
    insert into mainstay.object_usage as u (owner_id, used_bytes, object_count)
    select n.owner_id, sum(mainstay.object_bytes(n.metadata)), count(*)
    from new_objects n where n.owner_id is not null group by n.owner_id order by n.owner_id
    on conflict (owner_id) do update
    set used_bytes = u.used_bytes + excluded.used_bytes, object_count = u.object_count + excluded.object_count;
    return null;
  end if;

  update mainstay.object_versions v set state = 'dead', expires_at = now()
  where v.id in (select o.version from old_objects o where o.version is not null) and v.state <> 'dead'
    and not exists (select from storage.objects o where o.version = v.id);

  if tg_op = 'DELETE' then
    insert into mainstay.object_usage as u (owner_id, used_bytes, object_count)
    select o.owner_id, -sum(mainstay.object_bytes(o.metadata)), -count(*)
    from old_objects o where o.owner_id is not null group by o.owner_id order by o.owner_id
    on conflict (owner_id) do update
    set used_bytes = u.used_bytes + excluded.used_bytes, object_count = u.object_count + excluded.object_count;
  else
    -- In the order of owners here too: two statements that change several of them then never wait for each other.
    insert into mainstay.object_usage as u (owner_id, used_bytes, object_count)
    select d.owner_id, sum(d.bytes), sum(d.objects)
    from (
      select n.owner_id, mainstay.object_bytes(n.metadata) as bytes, 1 as objects from new_objects n
      union all
      select o.owner_id, -mainstay.object_bytes(o.metadata), -1 from old_objects o
    ) d
    where d.owner_id is not null
    group by d.owner_id having sum(d.bytes) <> 0 or sum(d.objects) <> 0 order by d.owner_id
    on conflict (owner_id) do update
    set used_bytes = u.used_bytes + excluded.used_bytes, object_count = u.object_count + excluded.object_count;
  end if;
  return null;
end $$;
revoke execute on function mainstay.account_for_objects() from public;

create function mainstay.account_for_no_objects() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  update mainstay.object_versions set state = 'dead', expires_at = now() where state = 'kept';
  delete from mainstay.object_usage;
  return null;
end $$;
revoke execute on function mainstay.account_for_no_objects() from public;

do $$
begin
  perform pg_temp.attempt('create trigger mainstay_guard_version before insert on storage.objects
    for each row when (new.version is not null) execute function mainstay.guard_object_version()');
  perform pg_temp.attempt('create trigger mainstay_guard_replaced_version before update of version on storage.objects
    for each row when (new.version is not null and old.version is distinct from new.version)
    execute function mainstay.guard_object_version()');
  perform pg_temp.attempt('create trigger mainstay_objects_came after insert on storage.objects
    referencing new table as new_objects for each statement execute function mainstay.account_for_objects()');
  perform pg_temp.attempt('create trigger mainstay_objects_changed after update on storage.objects
    referencing old table as old_objects new table as new_objects for each statement
    execute function mainstay.account_for_objects()');
  perform pg_temp.attempt('create trigger mainstay_objects_went after delete on storage.objects
    referencing old table as old_objects for each statement execute function mainstay.account_for_objects()');
  perform pg_temp.attempt('create trigger mainstay_objects_truncated after truncate on storage.objects
    for each statement execute function mainstay.account_for_no_objects()');
end $$;

-- What was there before us.
insert into mainstay.object_usage (owner_id, used_bytes, object_count)
select o.owner_id, sum(mainstay.object_bytes(o.metadata)), count(*)
from storage.objects o where o.owner_id is not null group by o.owner_id;

-- By which bytes are asked for whether an object still has them.
do $$
begin
  if not exists (
    select from pg_catalog.pg_index i
    join pg_catalog.pg_attribute a on a.attrelid = i.indrelid and a.attnum = i.indkey[0]
    where i.indrelid = 'storage.objects'::regclass and a.attname = 'version'
  ) then
    perform pg_temp.attempt('create index objects_version_idx on storage.objects (version) where version is not null');
  end if;
end $$;

-- What the S3 endpoint keeps of its own: access keys, what is known of the parts of multipart uploads, and checksums of objects.

-- An access key of S3. The secret is encrypted by the server's key: signatures are made with the secret itself, so a hash would not do.
create table mainstay.s3_access_keys (
  id text primary key,
  sealed_secret bytea not null,
  -- What requests signed with it run as.
  role text not null default 'service_role',
  -- Whose `sub` they have; null for nobody's.
  user_id uuid,
  -- For people: what it is for.
  description text not null default '',
  created_at timestamptz not null default now()
);
create index s3_access_keys_user_id_idx on mainstay.s3_access_keys (user_id) where user_id is not null;

-- An account takes its keys with it.
do $$
begin
  alter table mainstay.s3_access_keys add constraint s3_access_keys_user_id_fkey
    foreign key (user_id) references auth.users (id) on delete cascade;
exception
  when insufficient_privilege then
    raise warning 'Access keys of S3 stay when their user goes, and are of no use then: %', sqlerrm
      using hint = 'Let the owner of auth.users grant `references` on it.';
end $$;

-- What is known of a part of a multipart upload, beside its bytes (mainstay.object_segments).
create table mainstay.s3_parts (
  version_id text not null references mainstay.object_versions (id) on delete cascade,
  part_number integer not null,
  -- The bytes that this is known of: a part that is sent again may be overtaken by the one before.
  md5 bytea not null,
  -- `crc32`; null where none was sent.
  checksum_name text,
  checksum bytea,
  uploaded_at timestamptz not null default now(),
  primary key (version_id, part_number)
);

-- The checksum that an object was sent with. A version never changes, and so neither does this.
create table mainstay.s3_checksums (
  version_id text primary key references mainstay.object_versions (id) on delete cascade,
  name text not null,
  -- As it is sent: base64, and for a checksum of checksums `-` and the number of parts.
  value text not null
);

alter table mainstay.s3_access_keys enable row level security;
alter table mainstay.s3_parts enable row level security;
alter table mainstay.s3_checksums enable row level security;
revoke all on mainstay.s3_access_keys, mainstay.s3_parts, mainstay.s3_checksums from public;

-- A page of a bucket's names, as a caller sees them, in byte order: objects, and what names have in common up to the delimiter. From one common
-- prefix it goes on behind all that have it, so a page costs as many looks into the index as it has lines, however many objects there are.
-- Runs as the caller, by whose policies it is, and in whose search_path their functions look.
create function mainstay.s3_list(
  in_bucket text, with_prefix text, with_delimiter text, start_after text, most integer
) returns table (
  is_prefix boolean, object_name text, size_bytes bigint, etag text, modified_at timestamptz, owner_id text, version text
)
language plpgsql stable
-- Rows come from the index in order, and few of many are read: statistics of a table that was just filled say otherwise.
set enable_sort = off set enable_incremental_sort = off set jit = off set plan_cache_mode = force_generic_plan
as $$
#variable_conflict use_column
declare
  -- Names from here on: behind what was listed, and not before the prefix.
  at text collate "C" := greatest(start_after collate "C", with_prefix collate "C");
  is_behind boolean := start_after collate "C" >= with_prefix collate "C" and start_after <> '';
  behind_prefix integer := length(with_prefix) + 1;
  -- Behind a common prefix comes another one mostly: one row tells, and the rest of a page would be read for nothing.
  is_probing boolean := false;
  found_at integer;
  common text;
  last_code integer;
  goes_on boolean;
  o record;
begin
  -- A page that ended with a common prefix goes on behind all of it.
  if with_delimiter <> '' and is_behind and starts_with(start_after, with_prefix)
    and right(start_after, length(with_delimiter)) = with_delimiter and length(start_after) >= behind_prefix then
    last_code := ascii(right(start_after, 1)) + 1;
    at := left(start_after, -1) || chr(case when last_code = 55296 then 57344 else last_code end);
    is_behind := false;
  end if;
  while most > 0 loop
    goes_on := false;
    for o in
      select s.name, s.metadata, s.updated_at, s.created_at, s.owner_id, s.version
      from storage.objects s
      where s.bucket_id = in_bucket and s.name collate "C" >= at and (not is_behind or s.name collate "C" > at)
      order by s.name collate "C"
      limit case when is_probing then 1 else most end
    loop
      if not starts_with(o.name, with_prefix) then
        return;
      end if;
      found_at := case when with_delimiter = '' then 0 else position(with_delimiter in substr(o.name, behind_prefix)) end;
      most := most - 1;
      if found_at > 0 then
        common := left(o.name, behind_prefix - 1 + found_at - 1 + length(with_delimiter));
        is_prefix := true;
        object_name := common;
        size_bytes := null;
        etag := null;
        modified_at := null;
        owner_id := null;
        version := null;
        return next;
        -- The first name that no name with this prefix comes behind.
        last_code := ascii(right(common, 1)) + 1;
        at := left(common, -1) || chr(case when last_code = 55296 then 57344 else last_code end);
        is_behind := false;
        is_probing := true;
        goes_on := true;
        exit;
      end if;
      is_prefix := false;
      object_name := o.name;
      size_bytes := coalesce((o.metadata ->> 'size')::numeric::bigint, 0);
      etag := o.metadata ->> 'eTag';
      modified_at := coalesce((o.metadata ->> 'lastModified')::timestamptz, o.updated_at, o.created_at);
      owner_id := o.owner_id;
      version := o.version;
      return next;
      at := o.name;
      is_behind := true;
      if is_probing then
        is_probing := false;
        goes_on := true;
        exit;
      end if;
    end loop;
    if not goes_on then
      return;
    end if;
  end loop;
end $$;

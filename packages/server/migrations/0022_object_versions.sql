-- How versions and segments (0021) come to be, grow and end. Each of these is one round trip and one transaction of the server's own; in it, a
-- version is locked before its segments, and the owner's usage last. They end with what they found out, and raise nothing.

-- Bytes that an owner may still take: locks the owner until the transaction ends. What is being received counts as what was announced, or
-- as what has come and may come, whichever is more.
create function mainstay.free_object_bytes(of_owner text, quota_bytes bigint) returns bigint
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  insert into mainstay.object_usage (owner_id) values (of_owner) on conflict do nothing;
  perform from mainstay.object_usage u where u.owner_id = of_owner for no key update;
  -- A statement of its own: it sees what whoever had the lock has done.
  return quota_bytes
    - (select u.used_bytes from mainstay.object_usage u where u.owner_id = of_owner)
    - (
      select coalesce(sum(greatest(v.reserved_bytes, s.bytes)), 0)::bigint
      from mainstay.object_versions v
      cross join lateral (
        select coalesce(sum(coalesce(s.size_bytes, s.reserved_bytes)), 0) as bytes
        from mainstay.object_segments s where s.version_id = v.id and not s.is_dead
      ) s
      where v.owner_id = of_owner and v.state = 'receiving'
    );
end $$;

-- How far a segment may grow, at most to `wanted_bytes`: into what was announced for its version, and then into what its owner has left.
create function mainstay.object_room(of_version mainstay.object_versions, of_blob uuid, wanted_bytes bigint, quota_bytes bigint)
returns bigint
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  others_bytes bigint;
  own_bytes bigint;
  room bigint;
begin
  if quota_bytes = 0 or of_version.owner_id is null then
    return wanted_bytes;
  end if;
  select coalesce(sum(coalesce(s.size_bytes, s.reserved_bytes)) filter (where s.blob_id <> of_blob), 0),
    coalesce(sum(s.reserved_bytes) filter (where s.blob_id = of_blob), 0)
  into others_bytes, own_bytes
  from mainstay.object_segments s where s.version_id = of_version.id and not s.is_dead;
  room := least(wanted_bytes, greatest(of_version.reserved_bytes - others_bytes, own_bytes));
  if room < wanted_bytes then
    room := least(wanted_bytes, room + greatest(0, mainstay.free_object_bytes(of_version.owner_id, quota_bytes)));
  end if;
  return room;
end $$;

-- @returns false when the owner's quota has no room for what is announced
create function mainstay.begin_object_version(
  new_id text, of_bucket text, of_owner text, announced_bytes bigint, lease interval, new_upload jsonb, quota_bytes bigint
) returns boolean
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  if quota_bytes > 0 and of_owner is not null and announced_bytes > 0
    and mainstay.free_object_bytes(of_owner, quota_bytes) < announced_bytes
  then
    return false;
  end if;
  insert into mainstay.object_versions (id, bucket_id, owner_id, reserved_bytes, upload, expires_at)
  values (new_id, of_bucket, of_owner, announced_bytes, new_upload, now() + lease);
  return true;
end $$;

-- @returns `bytes`: how far it may grow; null when there is no such upload, -1 when somebody else writes there or has written
create function mainstay.open_object_segment(
  new_blob uuid, of_version text, at_position integer, wanted_bytes bigint, replaces boolean, lease interval, quota_bytes bigint,
  new_key bytea, new_key_id text
) returns bigint
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  found_version mainstay.object_versions;
  room bigint;
begin
  select * into found_version from mainstay.object_versions v
  where v.id = of_version and v.state = 'receiving' and not v.is_complete and v.expires_at > clock_timestamp()
  for no key update;
  if not found then
    return null;
  end if;
  if not replaces and exists (
    select from mainstay.object_segments s
    where s.version_id = of_version and s.position = at_position and not s.is_dead
      and (s.size_bytes is not null or s.expires_at > clock_timestamp())
  ) then
    return -1;
  end if;
  room := mainstay.object_room(found_version, new_blob, wanted_bytes, quota_bytes);
  insert into mainstay.object_segments (blob_id, version_id, position, reserved_bytes, wrapped_key, wrapping_key_id, expires_at)
  values (new_blob, of_version, at_position, room, new_key, new_key_id, clock_timestamp() + lease);
  return room;
end $$;

-- More room for a segment that is being written. @returns how far it may grow now; null when it was given up
create function mainstay.grow_object_segment(of_blob uuid, wanted_bytes bigint, quota_bytes bigint) returns bigint
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  found_version mainstay.object_versions;
  room bigint;
begin
  select v.* into found_version
  from mainstay.object_segments s join mainstay.object_versions v on v.id = s.version_id
  where s.blob_id = of_blob and v.state = 'receiving' for no key update of v;
  if not found then
    return null;
  end if;
  room := mainstay.object_room(found_version, of_blob, wanted_bytes, quota_bytes);
  update mainstay.object_segments s set reserved_bytes = room
  where s.blob_id = of_blob and s.size_bytes is null and not s.is_dead;
  return case when found then room end;
end $$;

-- The bytes are durable. @returns `kept`; `gone` when it was given up meanwhile, `locked` when another is in its place and is to stay
create function mainstay.finish_object_segment(of_blob uuid, its_bytes bigint, its_md5 bytea, replaces boolean) returns text
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  found_segment mainstay.object_segments;
begin
  perform from mainstay.object_versions v
  where v.id = (select s.version_id from mainstay.object_segments s where s.blob_id = of_blob)
    and v.state = 'receiving' and not v.is_complete
  for no key update;
  if not found then
    return 'gone';
  end if;
  select * into found_segment from mainstay.object_segments s
  where s.blob_id = of_blob and s.size_bytes is null and not s.is_dead for update;
  if not found then
    return 'gone';
  end if;
  if replaces then
    update mainstay.object_segments s set is_dead = true, expires_at = '-infinity'
    where s.version_id = found_segment.version_id and s.position = found_segment.position and s.size_bytes is not null and not s.is_dead;
  elsif exists (
    select from mainstay.object_segments s
    where s.version_id = found_segment.version_id and s.position = found_segment.position and s.size_bytes is not null and not s.is_dead
  ) then
    return 'locked';
  end if;
  update mainstay.object_segments s set size_bytes = its_bytes, md5 = its_md5, reserved_bytes = 0, expires_at = null
  where s.blob_id = of_blob;
  return 'kept';
end $$;

-- Settles which segments a version has: those at the positions, or all. Whoever still writes to it is too late. @returns whether it is received
create function mainstay.complete_object_version(of_version text, positions integer[]) returns boolean
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  update mainstay.object_versions v set is_complete = true where v.id = of_version and v.state = 'receiving';
  if not found then
    return false;
  end if;
  -- What is being written keeps its time: its writer finds out by itself, and has to be gone before its bytes are.
  update mainstay.object_segments s set is_dead = true, expires_at = coalesce(s.expires_at, '-infinity')
  where s.version_id = of_version and not s.is_dead and (s.size_bytes is null or s.position <> all (positions));
  return true;
end $$;

-- Puts the segments of other versions behind its own. @returns whether all of them were being received
create function mainstay.concatenate_object_versions(into_version text, parts text[]) returns boolean
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  -- In one order, whoever puts together what.
  perform from mainstay.object_versions v where v.id = into_version or v.id = any (parts) order by v.id for update;
  if (
    select count(*) from mainstay.object_versions v
    where (v.id = into_version or v.id = any (parts)) and v.state = 'receiving' and not v.is_complete
  ) <> cardinality(parts) + 1 then
    return false;
  end if;
  update mainstay.object_segments s set version_id = into_version, position = n.position
  from (
    select s.blob_id, coalesce((
        select max(o.position) + 1 from mainstay.object_segments o
        where o.version_id = into_version and o.size_bytes is not null and not o.is_dead
      ), 0) + row_number() over (order by p.at, s.position) - 1 as position
    from unnest(parts) with ordinality as p (id, at)
    join mainstay.object_segments s on s.version_id = p.id and s.size_bytes is not null and not s.is_dead
  ) n
  where s.blob_id = n.blob_id;
  update mainstay.object_versions v set state = 'dead', expires_at = '-infinity' where v.id = any (parts);
  return true;
end $$;

-- A version that is to have the bytes of another, and the segments that they are to be copied to. @returns nothing when the other is not kept
create function mainstay.begin_object_copy(from_version text, into_version text, lease interval)
returns table (from_blob uuid, into_blob uuid)
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  -- So that it does not end between one segment and the next.
  perform from mainstay.object_versions v where v.id = from_version and v.state = 'kept' for share;
  if not found then
    return;
  end if;
  return query
    with made as (
      insert into mainstay.object_segments (blob_id, version_id, position, reserved_bytes, wrapped_key, wrapping_key_id, key_blob_id, expires_at)
      select gen_random_uuid(), into_version, s.position, s.size_bytes, s.wrapped_key, s.wrapping_key_id,
        case when s.wrapped_key is not null then coalesce(s.key_blob_id, s.blob_id) end, clock_timestamp() + lease
      from mainstay.object_segments s
      where s.version_id = from_version and s.size_bytes is not null and not s.is_dead
      returning blob_id, position
    )
    select s.blob_id, m.blob_id
    from made m
    join mainstay.object_segments s
      on s.version_id = from_version and s.position = m.position and s.size_bytes is not null and not s.is_dead
    order by m.position;
end $$;

-- The copied bytes are durable. @returns whether they were waited for
create function mainstay.finish_object_copy(from_version text, into_version text) returns boolean
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  perform from mainstay.object_versions v where v.id = into_version and v.state = 'receiving' for no key update;
  if not found or exists (select from mainstay.object_segments s where s.version_id = into_version and s.is_dead) then
    return false;
  end if;
  update mainstay.object_segments s
  set size_bytes = f.size_bytes, md5 = f.md5, reserved_bytes = 0, expires_at = null
  from mainstay.object_segments f
  where s.version_id = into_version and s.size_bytes is null
    and f.version_id = from_version and f.position = s.position and f.size_bytes is not null and (not f.is_dead);
  return not exists (select from mainstay.object_segments s where s.version_id = into_version and s.size_bytes is null);
end $$;

/*
 * Takes segments whose bytes nobody needs: of versions that have been dead for so long, and those whose writer says nothing any more. Whoever has
 * taken them has `claim` to remove the bytes, and then the rows; nobody else takes them until then, so that any number of nodes may sweep.
 */
create function mainstay.claim_dead_segments(grace interval, claim interval, most integer) returns setof uuid
language sql set search_path = pg_catalog, pg_temp as $$
  with due as (
    (
      select s.blob_id from mainstay.object_segments s
      where s.expires_at <= clock_timestamp() order by s.expires_at limit most
    )
    union
    (
      select s.blob_id
      from mainstay.object_versions v join mainstay.object_segments s on s.version_id = v.id
      where v.state = 'dead' and v.expires_at <= clock_timestamp() - grace and s.expires_at is null
      limit most
    )
  ), taken as (
    select s.blob_id from mainstay.object_segments s
    where s.blob_id in (select blob_id from due) and (s.expires_at is null or s.expires_at <= clock_timestamp())
    limit most for update skip locked
  )
  update mainstay.object_segments s set is_dead = true, expires_at = clock_timestamp() + claim
  from taken where s.blob_id = taken.blob_id
  returning s.blob_id
$$;

revoke execute on function
  mainstay.object_bytes(jsonb),
  mainstay.free_object_bytes(text, bigint),
  mainstay.object_room(mainstay.object_versions, uuid, bigint, bigint),
  mainstay.begin_object_version(text, text, text, bigint, interval, jsonb, bigint),
  mainstay.open_object_segment(uuid, text, integer, bigint, boolean, interval, bigint, bytea, text),
  mainstay.grow_object_segment(uuid, bigint, bigint),
  mainstay.finish_object_segment(uuid, bigint, bytea, boolean),
  mainstay.complete_object_version(text, integer[]),
  mainstay.concatenate_object_versions(text, text[]),
  mainstay.begin_object_copy(text, text, interval),
  mainstay.finish_object_copy(text, text),
  mainstay.claim_dead_segments(interval, interval, integer)
from public;

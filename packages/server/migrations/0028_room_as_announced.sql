-- As in 0022, but what was announced is all that a segment takes at first: the step is for those that announce nothing, and what they grow by.
-- Many small uploads at once took a step each, and the last of what a quota had left was refused to all of them.
-- @returns `bytes`: how far it may grow; null when there is no such upload, -1 when somebody else writes there or has written
create or replace function mainstay.open_object_segment(
  new_blob uuid, of_version text, at_position integer, wanted_bytes bigint, replaces boolean, lease interval, quota_bytes bigint,
  new_key bytea, new_key_id text
) returns bigint
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  found_version mainstay.object_versions;
  announced_bytes bigint := 0;
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
  if quota_bytes > 0 and found_version.reserved_bytes > 0 then
    select found_version.reserved_bytes - coalesce(sum(coalesce(s.size_bytes, s.reserved_bytes)), 0) into announced_bytes
    from mainstay.object_segments s where s.version_id = of_version and not s.is_dead;
  end if;
  room := case
    when announced_bytes > 0 then least(wanted_bytes, announced_bytes)
    else mainstay.object_room(found_version, new_blob, wanted_bytes, quota_bytes)
  end;
  insert into mainstay.object_segments (blob_id, version_id, position, reserved_bytes, wrapped_key, wrapping_key_id, expires_at)
  values (new_blob, of_version, at_position, room, new_key, new_key_id, clock_timestamp() + lease);
  return room;
end $$;

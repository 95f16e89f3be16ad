-- A file that comes in one request is one segment, and needs two transactions instead of five: one before its bytes, one when they are durable.
-- Each commit is a wait for the disk.

-- A version and its only segment. @returns how far it may grow, in bytes; null when the owner's quota has no room for what is announced
create function mainstay.begin_plain_upload(
  new_id text, of_bucket text, of_owner text, announced_bytes bigint, version_lease interval, quota_bytes bigint,
  new_blob uuid, wanted_bytes bigint, writer_lease interval, new_key bytea, new_key_id text
) returns bigint
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  if not mainstay.begin_object_version(new_id, of_bucket, of_owner, announced_bytes, version_lease, null, quota_bytes) then
    return null;
  end if;
  return mainstay.open_object_segment(new_blob, new_id, 0, wanted_bytes, true, writer_lease, quota_bytes, new_key, new_key_id);
end $$;

/*
 * The bytes are durable, and an object's from now on: what `finish_object_segment` and `write_object` do, all of it or nothing. That the version
 * has this one segment is settled by its being kept. Errors: as `write_object`; MST01 also when the segment was given up.
 */
create function mainstay.write_plain_upload(
  of_blob uuid, its_bytes bigint, its_md5 bytea,
  as_role text, claims text, subject text, operation text, api_path text,
  in_bucket text, in_name text, in_owner text, in_metadata jsonb, in_user_metadata jsonb, in_version text, is_upsert boolean
) returns table (id uuid, version text, owner_id text, metadata jsonb, user_metadata jsonb, created_at text, updated_at text)
language plpgsql as $$
begin
  if mainstay.finish_object_segment(of_blob, its_bytes, its_md5, true) <> 'kept' then
    raise exception 'The upload is not there any more.' using errcode = 'MST01';
  end if;
  return query select * from mainstay.write_object(
    as_role, claims, subject, operation, api_path, in_bucket, in_name, in_owner, in_metadata, in_user_metadata, in_version, is_upsert);
end $$;

revoke execute on function
  mainstay.begin_plain_upload(text, text, text, bigint, interval, bigint, uuid, bigint, interval, bytea, text),
  mainstay.write_plain_upload(
    uuid, bigint, bytea, text, text, text, text, text, text, text, text, jsonb, jsonb, text, boolean)
from public;

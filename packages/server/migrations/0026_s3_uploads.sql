-- How many multipart uploads of S3 one may have begun, and what settles of an upload settles once.

-- Who an upload counts for among those that may have only so many unfinished: a user, or an address where there is none.
create table mainstay.s3_uploads (
  version_id text primary key references mainstay.object_versions (id) on delete cascade,
  counted_for text not null
);
create index s3_uploads_counted_for_idx on mainstay.s3_uploads (counted_for);
alter table mainstay.s3_uploads enable row level security;
revoke all on mainstay.s3_uploads from public;

-- Counts an upload, unless its owner has as many unfinished ones as one may have: then false. Counted one after the other. Those that have
-- ended are forgotten on the way, so that an owner has never more rows here than that, and what ended since.
create function mainstay.begin_s3_upload(of_version text, owner_key text, most integer) returns boolean
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  perform pg_advisory_xact_lock(hashtextextended('mainstay s3 uploads ' || owner_key, 0));
  delete from mainstay.s3_uploads u using mainstay.object_versions v
  where u.counted_for = owner_key and v.id = u.version_id and (v.state <> 'receiving' or v.expires_at <= clock_timestamp());
  if (select count(*) from mainstay.s3_uploads u where u.counted_for = owner_key) >= most then
    return false;
  end if;
  insert into mainstay.s3_uploads (version_id, counted_for) values (of_version, owner_key);
  return true;
end $$;
revoke execute on function mainstay.begin_s3_upload(text, text, integer) from public;

-- As in 0022, and settled once: who completes an upload that another is completing, with other parts, would take away bytes that the other
-- has counted. @returns whether it is received, and has these
create or replace function mainstay.complete_object_version(of_version text, positions integer[]) returns boolean
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  was_complete boolean;
begin
  select v.is_complete into was_complete from mainstay.object_versions v
  where v.id = of_version and v.state = 'receiving' for no key update;
  if not found or (was_complete and exists (
    select from mainstay.object_segments s
    where s.version_id = of_version and s.size_bytes is not null and not s.is_dead and s.position <> all (positions)
  )) then
    return false;
  end if;
  update mainstay.object_versions v set is_complete = true where v.id = of_version;
  -- What is being written keeps its time: its writer finds out by itself, and has to be gone before its bytes are.
  update mainstay.object_segments s set is_dead = true, expires_at = coalesce(s.expires_at, '-infinity')
  where s.version_id = of_version and not s.is_dead and (s.size_bytes is null or s.position <> all (positions));
  return true;
end $$;

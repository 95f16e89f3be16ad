-- Resumable uploads: what changes of one while it goes on. What it is for stands with its version (mainstay.object_versions.upload), and
-- what has come of it are the version's segments.
--
-- One request at a time writes to an upload. It takes the upload for a while and says so again as long as it lives; one that hangs is
-- told to let go (the channel `mainstay_resumable`). Who takes an upload gives up whatever a former writer has not finished by then: so
-- the bytes that count are the same for everybody, however late a writer wakes up.
create table mainstay.resumable_uploads (
  version_id text primary key references mainstay.object_versions (id) on delete cascade,
  -- Who it counts for among those that may have only so many unfinished: a user, or an address where there is none. Null for nobody.
  counted_for text,
  -- Null until the client knows.
  length_bytes bigint,
  -- A part of what is put together later; it is not finished by itself.
  is_partial boolean not null default false,
  -- What the file begins with, where that is still to be looked at: at most 4,100 bytes, however many requests they come in.
  head bytea not null default '',
  -- Who writes, and until when it may be silent.
  holder uuid,
  held_until timestamptz
);
create index resumable_uploads_counted_for_idx on mainstay.resumable_uploads (counted_for) where counted_for is not null;
alter table mainstay.resumable_uploads enable row level security;
revoke all on mainstay.resumable_uploads from public;

-- Begins an upload, unless its owner has as many unfinished ones as one may have: then false. Counted one after the other.
create function mainstay.begin_resumable(
  of_version text, owner_key text, most integer, announced_bytes bigint, as_part boolean
) returns boolean
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  if owner_key is not null then
    perform pg_advisory_xact_lock(hashtextextended('mainstay resumable ' || owner_key, 0));
    if (
      select count(*) from mainstay.resumable_uploads r join mainstay.object_versions v on v.id = r.version_id
      where r.counted_for = owner_key and v.state = 'receiving' and v.expires_at > clock_timestamp()
    ) >= most then
      return false;
    end if;
  end if;
  insert into mainstay.resumable_uploads (version_id, counted_for, length_bytes, is_partial)
  values (of_version, owner_key, announced_bytes, as_part);
  return true;
end $$;

-- Takes an upload for a writer. False while another has it, who is told to let go; null when there is no such upload.
create function mainstay.take_resumable(of_version text, writer uuid, lease interval) returns boolean
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  holds_until timestamptz;
begin
  -- The version before its segments, as everywhere: whoever is just finishing one has done so, or will be too late.
  perform from mainstay.object_versions v
  where v.id = of_version and v.state = 'receiving' and v.expires_at > clock_timestamp() for no key update;
  if not found then
    return null;
  end if;
  select r.held_until into holds_until from mainstay.resumable_uploads r where r.version_id = of_version for update;
  if not found then
    return null;
  end if;
  if holds_until > clock_timestamp() then
    perform pg_notify('mainstay_resumable', of_version);
    return false;
  end if;
  -- It keeps its time: its writer finds out by itself, and has to be gone before its bytes are.
  update mainstay.object_segments s set is_dead = true where s.version_id = of_version and s.size_bytes is null and not s.is_dead;
  update mainstay.resumable_uploads r set holder = writer, held_until = clock_timestamp() + lease where r.version_id = of_version;
  return true;
end $$;

revoke execute on function
  mainstay.begin_resumable(text, text, integer, bigint, boolean),
  mainstay.take_resumable(text, uuid, interval)
from public;

-- What clients of realtime may come back for, kept where any node finds it: after a node has been restarted, was killed, or another one
-- answers the client. Written in batches, beside the delivery and never before it.
--
-- Logged tables, so that a kill of PostgreSQL leaves them; their writes do not wait for the disk (synchronous_commit off), so the last
-- fraction of a second may be missing: a position that is missing is an older one, and an older one repeats messages and loses none.

create table mainstay.realtime_channels (
  id uuid primary key,
  node_id uuid not null,
  -- A hash of who joined what, and how: nothing of either can be read from it.
  key bytea not null,
  -- The largest `ref` that the client had sent.
  last_ref bigint not null,
  -- Set when the channel was lost; until then the position of its node counts.
  cursor pg_lsn,
  left_at timestamptz
);

create index realtime_channels_key on mainstay.realtime_channels (key);
create index realtime_channels_left_at on mainstay.realtime_channels (left_at) where left_at is not null;
create index realtime_channels_node_id on mainstay.realtime_channels (node_id);

-- Of each node the least position that all clients on its channels have come to.
create table mainstay.realtime_positions (
  node_id uuid primary key,
  position pg_lsn not null,
  at timestamptz not null default clock_timestamp()
);

revoke all on mainstay.realtime_channels, mainstay.realtime_positions from public;

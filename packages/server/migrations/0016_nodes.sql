-- One registry of the processes that serve this database: who is here, said by heartbeats, and with which keys. A node says how long
-- it may be silent (one that is alone says little) and over which connection it spoke last: when that is gone, so may be the node.
-- A fingerprint of '' is of a node that has not said its keys yet.
alter table mainstay.nodes
  alter column keys_fingerprint set default '',
  add column patience_ms integer not null default 45000,
  add column backend_pid integer,
  add column backend_start timestamptz,
  add column left_at timestamptz;
comment on table mainstay.nodes is 'The processes that serve this database, and for a while those that did.';

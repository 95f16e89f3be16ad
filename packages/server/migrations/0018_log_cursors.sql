-- How far readers with a memory have read the log. A cursor is moved in the transaction that holds the effects of what was read.
create table mainstay.log_cursors (
  name text primary key,
  -- Which log it is a place of: another server or timeline has another history.
  epoch text not null,
  -- Everything before it has been taken in; of a transaction whose COMMIT stands there, so many changes and messages.
  lsn pg_lsn not null,
  changes integer not null default 0,
  messages integer not null default 0,
  moved_at timestamptz not null default now(),
  -- When a node last read for it: a reader that is no more keeps no log for ever.
  read_at timestamptz not null default now()
);
alter table mainstay.log_cursors enable row level security;
comment on table mainstay.log_cursors is 'How far webhooks, sync and the like have read the log.';

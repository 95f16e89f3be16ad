-- Functions on change: which tables they are to be told of, from where on in the log, and what they could not be told of.

-- Exactly the tables that readers with a memory ask for. The server adds and removes them itself.
do $$
begin
  if not exists (select from pg_publication where pubname = 'mainstay_readers') then
    create publication mainstay_readers;
    if exists (select from pg_roles where rolname = 'postgres') then
      alter publication mainstay_readers owner to postgres;
    end if;
  end if;
exception
  when insufficient_privilege then
    raise warning 'publication "mainstay_readers": %', sqlerrm
      using hint = 'Let the database''s owner run: create publication mainstay_readers;';
end $$;

-- Handlers of all nodes. One node reads the log for all of them, and it may have been started before they were written.
create table mainstay.change_handlers (
  name text primary key,
  table_schema text not null,
  table_name text not null,
  operations text[] not null,
  filter text not null,
  -- Of updates, only those that change one of these; null: all.
  columns text[],
  -- Which changes wait for each other: row, handler, none.
  order_by text not null,
  max_attempts integer,
  -- What was committed before it is not for this handler.
  since pg_lsn not null default pg_current_wal_insert_lsn(),
  -- The node that has wanted it last, and when: what no node has wanted for long is forgotten.
  wanted_by uuid not null,
  wanted_at timestamptz not null default now()
);
alter table mainstay.change_handlers enable row level security;
comment on table mainstay.change_handlers is 'Functions that run when rows change, of all nodes.';

-- Another number whenever a handler has come, gone or become another: whoever turns changes into jobs looks here first.
create table mainstay.change_handlers_revision (
  revision bigint not null
);
create unique index change_handlers_revision_is_one on mainstay.change_handlers_revision ((true));
alter table mainstay.change_handlers_revision enable row level security;
insert into mainstay.change_handlers_revision (revision) values (1);

create table mainstay.change_gaps (
  id bigint generated always as identity primary key,
  handler text not null,
  -- retention, slot-lost: the log was not kept that far; filter, value: it could not be decided whether a change fits.
  reason text not null,
  detail text,
  -- Changes that stand before it in the log are meant.
  up_to pg_lsn,
  noticed_at timestamptz not null default now()
);
create index change_gaps_by_time on mainstay.change_gaps (noticed_at);
alter table mainstay.change_gaps enable row level security;
comment on table mainstay.change_gaps is 'Changes that functions could not be told of.';

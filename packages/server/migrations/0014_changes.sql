-- The log: PostgreSQL's own, decoded. What is needed of this database for it is little: word of schema changes in the log itself, a
-- publication for the tables that policies look into, and who followed the log last.

-- As in 0002, and besides NOTIFY, which arrives some time, the log is told: there the news stands between what was written before
-- it and what was written after. Only where there is a log to read, and when whoever changes the schema may write into it.
create or replace function mainstay.announce_ddl() returns event_trigger
language plpgsql set search_path = '' as $$
begin
  if exists (
    select from pg_catalog.pg_event_trigger_ddl_commands() c
    where c.command_tag not in ('REFRESH MATERIALIZED VIEW', 'REINDEX', 'ALTER INDEX', 'ALTER SEQUENCE')
      and coalesce(c.schema_name, '') not like 'pg\_temp%'
      and coalesce(c.object_identity, '') not like '%pg\_temp%'
  ) then
    notify mainstay_catalog, 'reload schema';
    if pg_catalog.current_setting('wal_level') = 'logical' and exists (
      select from pg_catalog.pg_proc p
      where p.proname = 'pg_logical_emit_message' and p.proargtypes[2] = 'text'::pg_catalog.regtype
        and pg_catalog.has_function_privilege(p.oid, 'execute')
    ) then
      perform pg_catalog.pg_logical_emit_message(true, 'mainstay.ddl', ''::text);
    end if;
  end if;
end $$;

create or replace function mainstay.announce_drop() returns event_trigger
language plpgsql set search_path = '' as $$
begin
  if exists (select from pg_catalog.pg_event_trigger_dropped_objects() d where not d.is_temporary) then
    notify mainstay_catalog, 'reload schema';
    if pg_catalog.current_setting('wal_level') = 'logical' and exists (
      select from pg_catalog.pg_proc p
      where p.proname = 'pg_logical_emit_message' and p.proargtypes[2] = 'text'::pg_catalog.regtype
        and pg_catalog.has_function_privilege(p.oid, 'execute')
    ) then
      perform pg_catalog.pg_logical_emit_message(true, 'mainstay.ddl', ''::text);
    end if;
  end if;
end $$;

-- Tables that policies look into: what a policy found there is remembered for as long as the log shows no change of it. The server
-- adds them itself.
do $$
begin
  if not exists (select from pg_publication where pubname = 'mainstay_policies') then
    create publication mainstay_policies;
    if exists (select from pg_roles where rolname = 'postgres') then
      alter publication mainstay_policies owner to postgres;
    end if;
  end if;
exception
  when insufficient_privilege then
    raise warning 'publication "mainstay_policies": %', sqlerrm
      using hint = 'Let the database''s owner run: create publication mainstay_policies;';
end $$;

-- A slot keeps log for whoever comes back. Nobody has for a day: then it is not worth the disk, and whoever runs drops it.
create table mainstay.log_slots (
  name text primary key,
  followed_at timestamptz not null default now()
);
alter table mainstay.log_slots enable row level security;
comment on table mainstay.log_slots is 'When a node last followed the log that this replication slot keeps.';

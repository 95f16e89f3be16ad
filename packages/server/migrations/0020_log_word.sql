-- Every role may write into the log, and each word there that the schema has changed makes every server read it again while the log waits.
-- So news of the schema come with a word that only event triggers of this database know. In a dump it opens nothing: who knows it can make
-- servers look.
create table mainstay.log_word (
  word text not null
);
create unique index log_word_is_one on mainstay.log_word ((true));
alter table mainstay.log_word enable row level security;
revoke all on mainstay.log_word from public;
insert into mainstay.log_word (word) values (gen_random_uuid() || '.' || gen_random_uuid());
comment on table mainstay.log_word is 'By which servers know that news of the schema in the log are those of this database''s own triggers.';

-- As in 0014, but whoever changes the schema cannot read the word, and so the functions can.
create or replace function mainstay.announce_ddl() returns event_trigger
language plpgsql security definer set search_path = '' as $$
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
      perform pg_catalog.pg_logical_emit_message(true, 'mainstay.ddl', coalesce((select w.word from mainstay.log_word w), ''));
    end if;
  end if;
end $$;

create or replace function mainstay.announce_drop() returns event_trigger
language plpgsql security definer set search_path = '' as $$
begin
  if exists (select from pg_catalog.pg_event_trigger_dropped_objects() d where not d.is_temporary) then
    notify mainstay_catalog, 'reload schema';
    if pg_catalog.current_setting('wal_level') = 'logical' and exists (
      select from pg_catalog.pg_proc p
      where p.proname = 'pg_logical_emit_message' and p.proargtypes[2] = 'text'::pg_catalog.regtype
        and pg_catalog.has_function_privilege(p.oid, 'execute')
    ) then
      perform pg_catalog.pg_logical_emit_message(true, 'mainstay.ddl', coalesce((select w.word from mainstay.log_word w), ''));
    end if;
  end if;
end $$;

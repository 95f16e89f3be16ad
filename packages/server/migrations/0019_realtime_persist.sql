-- Broadcasts of clients that are stored may end before their day does: that is when, in UTC like the other times of the table. Null: with
-- its day. Newer databases of Supabase have the column; where it is missing and the table is not ours to change, only broadcasts that
-- ask for an end of their own are refused.
do $$
begin
  if not exists (
    select from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
    where n.nspname = 'realtime' and c.relname = 'messages'
  ) or exists (
    select from pg_catalog.pg_attribute a
    join pg_catalog.pg_class c on c.oid = a.attrelid join pg_catalog.pg_namespace n on n.oid = c.relnamespace
    where n.nspname = 'realtime' and c.relname = 'messages' and a.attname = 'expires_at' and not a.attisdropped
  ) then
    return;
  end if;
  alter table realtime.messages add column expires_at timestamp;
exception
  when insufficient_privilege then
    raise warning 'realtime.messages has no column expires_at: %', sqlerrm
      using hint = 'Let its owner run: alter table realtime.messages add column expires_at timestamp';
end $$;

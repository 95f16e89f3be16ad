-- https://supabase.com/docs/guides/queues/quickstart
create extension if not exists pgmq;
select pgmq.create('foo');
alter table pgmq.q_foo enable row level security;
create policy "Signed-in people send" on pgmq.q_foo for insert to authenticated with check (true);
create policy "Signed-in people read" on pgmq.q_foo for select to authenticated using (true);
create policy "Signed-in people take" on pgmq.q_foo for update to authenticated using (true);
create policy "Signed-in people remove" on pgmq.q_foo for delete to authenticated using (true);
grant select, insert, update, delete on pgmq.q_foo to authenticated;

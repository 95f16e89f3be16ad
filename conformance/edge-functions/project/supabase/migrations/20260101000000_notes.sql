create table public.notes (
  id bigint generated always as identity primary key,
  user_id uuid references auth.users (id) default auth.uid(),
  text text not null
);
alter table public.notes enable row level security;
create policy "Own notes" on public.notes for all to authenticated
  using ((select auth.uid()) = user_id) with check ((select auth.uid()) = user_id);

-- Lists of places: private until shared, with one person or with everybody.

create table public.lists (
  id uuid primary key default gen_random_uuid(),
  owner_id uuid not null default auth.uid() references public.profiles (id) on delete cascade,
  title text not null check (char_length(title) between 1 and 120),
  is_public boolean not null default false,
  created_at timestamptz not null default now()
);

create index lists_owner_idx on public.lists (owner_id);
create index lists_public_idx on public.lists (created_at desc) where is_public;

create table public.list_members (
  list_id uuid not null references public.lists (id) on delete cascade,
  member_id uuid not null references public.profiles (id) on delete cascade,
  can_edit boolean not null default false,
  primary key (list_id, member_id)
);

create index list_members_member_idx on public.list_members (member_id);

create table public.list_items (
  list_id uuid not null references public.lists (id) on delete cascade,
  place_id bigint not null references public.places (id),
  note text not null default '' check (char_length(note) <= 1000),
  position integer not null default 0,
  added_by uuid not null default auth.uid() references public.profiles (id) on delete cascade,
  primary key (list_id, place_id)
);

create index list_items_place_idx on public.list_items (place_id);
create index list_items_added_by_idx on public.list_items (added_by);

alter table public.lists enable row level security;
alter table public.list_members enable row level security;
alter table public.list_items enable row level security;

-- A list's policy asks about its members and a member's policy about its list. The one who owns the list is therefore looked up
-- behind RLS, here; written as two plain sub-selects the policies would call each other for ever (42P17).
create function private.my_list_ids() returns setof uuid
  language sql stable security definer set search_path = ''
  as $$ select l.id from public.lists l where l.owner_id = (select auth.uid()) $$;
revoke execute on function private.my_list_ids() from public;
grant execute on function private.my_list_ids() to authenticated;

create policy "Everybody reads public lists" on public.lists for select to anon, authenticated using (is_public);
create policy "People read lists they own or are members of" on public.lists for select to authenticated
  using (
    owner_id = (select auth.uid())
    or id in (select m.list_id from public.list_members m where m.member_id = (select auth.uid()))
  );
create policy "People create their own lists" on public.lists for insert to authenticated
  with check (owner_id = (select auth.uid()));
create policy "Owners change their lists" on public.lists for update to authenticated
  using (owner_id = (select auth.uid())) with check (owner_id = (select auth.uid()));
create policy "Owners delete their lists" on public.lists for delete to authenticated
  using (owner_id = (select auth.uid()));

create policy "Members see themselves, owners see all" on public.list_members for select to authenticated
  using (member_id = (select auth.uid()) or list_id in (select private.my_list_ids()));
create policy "Owners share their lists" on public.list_members for insert to authenticated
  with check (list_id in (select private.my_list_ids()));
create policy "Owners change what members may do" on public.list_members for update to authenticated
  using (list_id in (select private.my_list_ids())) with check (list_id in (select private.my_list_ids()));
create policy "Owners remove members, members leave" on public.list_members for delete to authenticated
  using (member_id = (select auth.uid()) or list_id in (select private.my_list_ids()));

-- Whoever sees a list sees what is in it: the sub-select runs under the policies of `lists`.
create policy "Items are as visible as their list" on public.list_items for select to anon, authenticated
  using (exists (select from public.lists l where l.id = list_id));
create policy "Owners and editors add items" on public.list_items for insert to authenticated
  with check (
    added_by = (select auth.uid())
    and (
      list_id in (select l.id from public.lists l where l.owner_id = (select auth.uid()))
      or list_id in (select m.list_id from public.list_members m where m.member_id = (select auth.uid()) and m.can_edit)
    )
  );
create policy "Owners and editors change items" on public.list_items for update to authenticated
  using (
    list_id in (select l.id from public.lists l where l.owner_id = (select auth.uid()))
    or list_id in (select m.list_id from public.list_members m where m.member_id = (select auth.uid()) and m.can_edit)
  )
  with check (
    list_id in (select l.id from public.lists l where l.owner_id = (select auth.uid()))
    or list_id in (select m.list_id from public.list_members m where m.member_id = (select auth.uid()) and m.can_edit)
  );
create policy "Owners and editors remove items" on public.list_items for delete to authenticated
  using (
    list_id in (select l.id from public.lists l where l.owner_id = (select auth.uid()))
    or list_id in (select m.list_id from public.list_members m where m.member_id = (select auth.uid()) and m.can_edit)
  );

-- Slots that hosts offer, and bookings: one slot, one guest.

create table public.slots (
  id bigint generated always as identity primary key,
  place_id bigint not null references public.places (id),
  host_id uuid not null default auth.uid() references public.profiles (id) on delete cascade,
  title text not null check (char_length(title) between 1 and 120),
  starts_at timestamptz not null,
  ends_at timestamptz not null check (ends_at > starts_at),
  -- Kept by a trigger: whether a slot is free is public, who took it is not.
  is_booked boolean not null default false,
  -- A host cannot be in two places, or twice in one, at the same time.
  constraint slots_host_is_free exclude using gist (
    host_id extensions.gist_uuid_ops with operator(pg_catalog.=), tstzrange(starts_at, ends_at) with operator(pg_catalog.&&)
  )
);

create index slots_place_start_idx on public.slots (place_id, starts_at);
create index slots_host_idx on public.slots (host_id);

create table public.bookings (
  id bigint generated always as identity primary key,
  -- This constraint decides the race: of two guests who book at once one gets the row, the other 23505 (409). No lock, no read first.
  slot_id bigint not null constraint bookings_one_guest_per_slot unique references public.slots (id) on delete cascade,
  guest_id uuid not null default auth.uid() references public.profiles (id) on delete cascade,
  created_at timestamptz not null default now()
);

create index bookings_guest_idx on public.bookings (guest_id);

alter table public.slots enable row level security;
alter table public.bookings enable row level security;

create policy "Everybody reads slots" on public.slots for select to anon, authenticated using (true);
create policy "Hosts offer slots" on public.slots for insert to authenticated
  with check (host_id = (select auth.uid()) and not is_booked);
create policy "Hosts change slots nobody booked" on public.slots for update to authenticated
  using (host_id = (select auth.uid()) and not is_booked) with check (host_id = (select auth.uid()) and not is_booked);
create policy "Hosts withdraw slots nobody booked" on public.slots for delete to authenticated
  using (host_id = (select auth.uid()) and not is_booked);

create policy "Guests and hosts read bookings" on public.bookings for select to authenticated
  using (
    guest_id = (select auth.uid())
    or slot_id in (select s.id from public.slots s where s.host_id = (select auth.uid()))
  );
create policy "Guests book for themselves" on public.bookings for insert to authenticated
  with check (guest_id = (select auth.uid()));
create policy "Guests cancel their bookings" on public.bookings for delete to authenticated
  using (guest_id = (select auth.uid()));

create function private.mark_slot() returns trigger
  language plpgsql security definer set search_path = ''
  as $$
  begin
    if tg_op = 'DELETE' then
      update public.slots set is_booked = false where id = old.slot_id;
    else
      update public.slots set is_booked = true where id = new.slot_id;
    end if;
    return null;
  end
  $$;
revoke execute on function private.mark_slot() from public;

create trigger mark_slot after insert or delete on public.bookings for each row execute function private.mark_slot();

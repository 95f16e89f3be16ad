-- What functions work with: prices and payments, the weather where something is on, and which digests have been written.

-- A slot may cost something. Who books it has so long to pay, or it is free again.
alter table public.slots
  add column price_cents integer not null default 0 check (price_cents between 0 and 10000000),
  add column pay_within_s integer not null default 86400 check (pay_within_s between 1 and 604800);

alter table public.bookings
  add column price_cents integer not null default 0,
  add column payment text not null default 'none' check (payment in ('none', 'due', 'paid'));

-- A price is that of the slot at the moment it is booked, and whether it is paid is the payment provider's word: whatever a guest sends for
-- either is not looked at. Nobody has a policy to change a booking; functions do it as the service role.
create function private.price_booking() returns trigger
  language plpgsql security definer set search_path = ''
  as $$
  begin
    new.price_cents := coalesce((select s.price_cents from public.slots s where s.id = new.slot_id), 0);
    new.payment := case when new.price_cents > 0 then 'due' else 'none' end;
    return new;
  end
  $$;
revoke execute on function private.price_booking() from public;

create trigger price_booking before insert on public.bookings for each row execute function private.price_booking();

-- Money that has come in, by the provider's id of the event: the same event is the same row. It outlives its booking, as money does.
create table public.payments (
  event_id text primary key,
  booking_id bigint not null,
  amount_cents integer not null,
  -- `to refund`: the booking was gone, paid already, or had another price.
  outcome text not null check (outcome in ('settled', 'to refund')),
  received_at timestamptz not null default now()
);

create index payments_booking_idx on public.payments (booking_id);

alter table public.payments enable row level security;
create policy "Payments are as visible as their booking" on public.payments for select to authenticated
  using (booking_id in (select b.id from public.bookings b));

-- The weather as it was last imported, where something is on.
create table public.weather (
  place_id bigint primary key references public.places (id) on delete cascade,
  sky text not null,
  temperature_c numeric(4, 1) not null,
  observed_at timestamptz not null
);

alter table public.weather enable row level security;
create policy "Everybody reads the weather" on public.weather for select to anon, authenticated using (true);

-- Who was written to about which day: a digest is kept here and in the outbox by one transaction.
create table private.digests (
  host_id uuid not null references public.profiles (id) on delete cascade,
  due_at timestamptz not null,
  primary key (host_id, due_at)
);

alter table private.digests enable row level security;
grant select, insert on private.digests to service_role;

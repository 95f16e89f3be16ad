-- What takes more than being signed in.

-- Where hosts are paid to. Whoever changes this row takes the money, so a password that somebody knows is not enough.
create table public.payout_accounts (
  host_id uuid primary key default auth.uid() references public.profiles (id) on delete cascade,
  holder text not null check (char_length(holder) between 1 and 120),
  iban text not null check (iban ~ '^[A-Z]{2}[0-9]{2}[A-Z0-9]{11,30}$'),
  updated_at timestamptz not null default now()
);

alter table public.payout_accounts enable row level security;
create policy "Hosts keep their own payout account" on public.payout_accounts for all to authenticated
  using (host_id = (select auth.uid())) with check (host_id = (select auth.uid()));
-- Restrictive: it must hold besides. `aal2` is a session that showed a second factor.
create policy "With a second factor" on public.payout_accounts as restrictive for all to authenticated
  using ((select auth.jwt() ->> 'aal') = 'aal2') with check ((select auth.jwt() ->> 'aal') = 'aal2');

-- People may look around and keep lists before they say who they are; what others read comes from somebody with an address.
create policy "Reviews take an account that is complete" on public.reviews as restrictive for insert to authenticated
  with check ((select (auth.jwt() ->> 'is_anonymous')::boolean) is not true);
create policy "Slots take an account that is complete" on public.slots as restrictive for insert to authenticated
  with check ((select (auth.jwt() ->> 'is_anonymous')::boolean) is not true);

-- People and what they say about places.

create table public.profiles (
  id uuid primary key references auth.users (id) on delete cascade,
  username text not null unique check (username ~ '^[a-z0-9_]{3,30}$'),
  display_name text check (char_length(display_name) between 1 and 80),
  home_place_id bigint references public.places (id),
  created_at timestamptz not null default now()
);

create index profiles_home_place_idx on public.profiles (home_place_id);

alter table public.profiles enable row level security;
create policy "Everybody reads profiles" on public.profiles for select to anon, authenticated using (true);
create policy "People change their own profile" on public.profiles for update to authenticated
  using (id = (select auth.uid())) with check (id = (select auth.uid()));

-- Every account gets a profile in the same transaction. The wish for a name comes from `signUp({ options: { data } })`; whatever is not
-- allowed or already taken falls back to a name made of the id, so that a sign-up never fails over it.
create function private.create_profile() returns trigger
  language plpgsql security definer set search_path = ''
  as $$
  declare
    wish text := lower(new.raw_user_meta_data ->> 'username');
    fallback text := 'traveller_' || left(replace(new.id::text, '-', ''), 20);
    shown text := nullif(left(trim(new.raw_user_meta_data ->> 'display_name'), 80), '');
  begin
    insert into public.profiles (id, username, display_name)
    values (new.id, case when wish ~ '^[a-z0-9_]{3,30}$' then wish else fallback end, shown)
    on conflict (username) do nothing;
    if not found then
      insert into public.profiles (id, username, display_name) values (new.id, fallback, shown);
    end if;
    return new;
  end
  $$;
revoke execute on function private.create_profile() from public;

create trigger create_profile after insert on auth.users for each row execute function private.create_profile();

create table public.reviews (
  id bigint generated always as identity primary key,
  place_id bigint not null references public.places (id),
  author_id uuid not null default auth.uid() references public.profiles (id) on delete cascade,
  rating smallint not null check (rating between 1 and 5),
  body text not null default '' check (char_length(body) <= 4000),
  visited_on date,
  created_at timestamptz not null default now(),
  unique (place_id, author_id)
);

create index reviews_author_idx on public.reviews (author_id);

alter table public.reviews enable row level security;
create policy "Everybody reads reviews" on public.reviews for select to anon, authenticated using (true);
create policy "People review in their own name" on public.reviews for insert to authenticated
  with check (author_id = (select auth.uid()));
create policy "People change their own reviews" on public.reviews for update to authenticated
  using (author_id = (select auth.uid())) with check (author_id = (select auth.uid()));
create policy "People delete their own reviews" on public.reviews for delete to authenticated
  using (author_id = (select auth.uid()));

-- Adds the difference instead of counting again: two reviews of one place at the same moment both count, whatever the isolation level.
create function private.keep_rating() returns trigger
  language plpgsql security definer set search_path = ''
  as $$
  begin
    if tg_op <> 'INSERT' then
      update public.places set review_count = review_count - 1, rating_sum = rating_sum - old.rating where id = old.place_id;
    end if;
    if tg_op <> 'DELETE' then
      update public.places set review_count = review_count + 1, rating_sum = rating_sum + new.rating where id = new.place_id;
    end if;
    return null;
  end
  $$;
revoke execute on function private.keep_rating() from public;

create trigger keep_rating after insert or delete or update of rating, place_id on public.reviews
  for each row execute function private.keep_rating();

-- What the app's place screen shows: the best-known places first. Runs with the reader's rights, as every view here.
create view public.top_places with (security_invoker = true) as
  select p.id, p.name, p.country_code, p.population, p.rating, p.review_count
  from public.places p
  where p.review_count > 0
  order by p.rating desc, p.review_count desc, p.id;

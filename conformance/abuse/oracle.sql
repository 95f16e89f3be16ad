-- Everything here has something ann may see and something she may not.

create table public.people (id integer primary key, name text not null, salary integer, note text);
revoke all on public.people from anon, authenticated;
grant select (id, name), insert (id, name), update (name) on public.people to authenticated;
create index on public.people (salary);
create function public.salary_band(public.people) returns text language sql stable as $$ select case when $1.salary > 50 then 'high' else 'low' end $$;

create table public.ledgers (id integer primary key, title text);
revoke all on public.ledgers from anon, authenticated;

create table public.diary (
  id integer primary key,
  owner_id uuid not null default auth.uid(),
  text text,
  mood integer,
  slug text unique,
  person_id integer references public.people (id),
  ledger_id integer references public.ledgers (id)
);
alter table public.diary enable row level security;
create policy "Owners only" on public.diary to authenticated using (owner_id = (select auth.uid())) with check (owner_id = (select auth.uid()));
create function public.first_word(public.diary) returns text language sql stable as $$ select split_part($1.text, ' ', 1) $$;
create function public.diary_of(word text) returns setof public.diary language sql stable as $$ select * from public.diary where text like word || '%' $$;
create function public.how_many() returns bigint language sql stable as $$ select count(*) from public.diary $$;

create table public.comments (id integer primary key, diary_id integer references public.diary (id), body text);
alter table public.comments enable row level security;
create policy "With the diary" on public.comments to authenticated using (exists (select from public.diary d where d.id = diary_id));

create view public.diary_view with (security_invoker = true) as select id, text, mood from public.diary;

-- A column that comes and goes.
create table public.fleeting (id integer primary key, name text, code text);
revoke all on public.fleeting from anon, authenticated;
grant select (id, name, code) on public.fleeting to authenticated;
insert into public.fleeting values (1, 'n', 'first');

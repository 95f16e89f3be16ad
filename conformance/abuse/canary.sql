-- What nobody may reach. The values are looked for in every answer, and the rows compared at the end.

create table public.canary_locked (id integer primary key, secret text, film_id integer references public.films (id));
insert into public.canary_locked values (1, 'c4n4ry-of-the-locked-table', 1), (2, 'c4n4ry-of-the-locked-table', 3);

create schema vault;
create table vault.canary_gold (id integer primary key, secret text);
insert into vault.canary_gold values (1, 'c4n4ry-of-the-vault');
create table vault.canary_log (at timestamptz default clock_timestamp(), who text default current_user);

-- Would show: it writes, and it is nobody's.
create function public.canary_sing(song text default 'la') returns text language sql volatile security definer
  as $$ insert into vault.canary_log default values returning 'c4n4ry-has-sung' $$;
-- Served, and callable only through the API's own word for it: its body would sleep if a caller's text became SQL.
create function vault.canary_sleep(seconds integer) returns void language sql volatile as $$ select pg_sleep(seconds) $$;

-- Tables with policies and columns that some may read and others may not.
create table public.canary_column (id integer primary key, label text, secret text);
insert into public.canary_column values (1, 'shown', 'c4n4ry-of-the-column'), (2, 'also shown', 'c4n4ry-of-the-column');
create table public.canary_rows (id integer primary key, label text, owner_id uuid);
alter table public.canary_rows enable row level security;
create policy "Owners only" on public.canary_rows to anon, authenticated using (owner_id = (select auth.uid()));
insert into public.canary_rows values (1, 'c4n4ry-of-the-rows', '99999999-0000-4000-8000-000000000009');

revoke all on public.canary_locked, public.canary_column, public.canary_rows from anon, authenticated, service_role;
grant select (id, label) on public.canary_column to anon, authenticated, service_role;
grant select, insert, update, delete on public.canary_rows to anon, authenticated;
revoke execute on function public.canary_sing(text) from public, anon, authenticated, service_role;

-- The functions of the fixture by which a caller chooses the status of the answer: a 5xx of theirs would prove nothing.
drop function public.answer_with(text, text), public.fail_with(text), public.fail_with_everything(), public.fail_with_garbage();

-- Reads stay worth reading however many writes come.
revoke insert, update, delete on public.films, public.directors, public.actors, public.roles, public.screenings, public.types
  from anon, authenticated, service_role;

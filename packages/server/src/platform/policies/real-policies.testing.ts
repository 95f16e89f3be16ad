/** What is to be expected of a policy: all of it decided here, some rows, or none. */
export type Reach = "whole" | "partly" | "beyond";

/** Tables of an app of every kind: a social network, a shop, a chat and a company's tool in one. `things` is the one with policies. */
export const realSchema = `
create type member_role as enum ('viewer', 'editor', 'owner');
create type post_status as enum ('draft', 'published', 'archived');
create domain short_text as text check (length(value) < 100);
create table profiles (id uuid primary key, username text, org_id int, role text, is_public boolean, is_banned boolean);
create table organizations (id int primary key, owner_id uuid, slug text);
create table org_members (org_id int, user_id uuid, role member_role, status text, accepted_at timestamptz);
create table teams (id uuid primary key, org_id int);
create table team_members (team_id uuid, user_id uuid, role varchar(20));
create table rooms (id bigint primary key, is_public boolean, owner uuid, org_id int);
create table room_members (room_id bigint, user_id uuid, left_at timestamptz);
create table blocks (blocker uuid, blocked uuid);
create table friends (user_a uuid, user_b uuid, status text);
create table user_roles (user_id uuid, role text);
create table role_permissions (role text, permission text);
create table things (
  id int primary key, user_id uuid, author_id text, org_id int, team_id uuid, room_id bigint, recipient_id uuid, tenant text,
  status post_status, visibility varchar(20), is_public boolean, deleted_at timestamptz, published_at timestamptz,
  expires_at timestamptz, email text, tags text[], member_ids uuid[], metadata jsonb, price numeric, title short_text, age smallint,
  day date, ratio float8, created_at timestamp);
grant select on all tables in schema public to anon, authenticated;
alter table things enable row level security;
alter table org_members enable row level security;
create policy own on org_members for select using (user_id = auth.uid());
create function is_member(org int) returns boolean language sql stable security definer as $$
  select exists (select 1 from org_members m where m.org_id = org and m.user_id = auth.uid()) $$;
create function my_orgs() returns setof int language sql stable security definer as $$
  select m.org_id from org_members m where m.user_id = auth.uid() $$;
`;

const a = "00000000-0000-4000-8000-00000000000a";
const b = "00000000-0000-4000-8000-00000000000b";
const c = "00000000-0000-4000-8000-00000000000c";
export const people = { a, b, c };

export const realRows = `
insert into profiles values ('${a}', 'ann', 1, 'admin', true, false), ('${b}', 'bob', 2, 'user', false, false), ('${c}', 'cy', null, null, null, true);
insert into organizations values (1, '${a}', 'acme'), (2, '${b}', 'beta'), (3, null, 'none');
insert into org_members values (1, '${a}', 'owner', 'active', now()), (2, '${b}', 'editor', 'active', now()), (1, '${b}', 'viewer', 'invited', null),
  (null, '${c}', 'viewer', 'active', now());
insert into teams values ('${a}', 1), ('${b}', 2);
insert into team_members values ('${a}', '${a}', 'lead'), ('${a}', '${b}', 'member'), ('${b}', '${b}', 'lead');
insert into rooms values (1, true, '${a}', 1), (2, false, '${b}', 2), (9007199254740993, false, '${a}', 1), (4, null, null, null);
insert into room_members values (1, '${a}', null), (2, '${a}', null), (2, '${b}', now()), (9007199254740993, '${b}', null), (null, '${a}', null);
insert into blocks values ('${a}', '${b}'), ('${c}', '${a}');
insert into friends values ('${a}', '${b}', 'accepted'), ('${c}', '${a}', 'pending');
insert into user_roles values ('${a}', 'admin'), ('${b}', 'moderator');
insert into role_permissions values ('admin', 'things.read'), ('moderator', 'things.flag');
insert into things
select n, (array['${a}', '${b}', '${c}', null])[1 + n % 4]::uuid, (array['${a}', '${b}', 'someone', null])[1 + n / 2 % 4],
  (array[1, 2, 3, null])[1 + n / 3 % 4], (array['${a}', '${b}', null])[1 + n % 3]::uuid,
  (array[1, 2, 9007199254740993, 4, null])[1 + n % 5], (array['${b}', '${a}', null])[1 + n / 2 % 3]::uuid,
  (array['acme', 'beta', '', null])[1 + n / 5 % 4], (array['draft', 'published', 'archived', null])[1 + n / 7 % 4]::post_status,
  (array['public', 'friends', 'private', null])[1 + n / 2 % 4], (array[true, false, null])[1 + n / 4 % 3],
  (array[null, now() - interval '1 day'])[1 + n % 2], (array[now() - interval '3 days', now() + interval '3 days', null])[1 + n / 3 % 3],
  (array[null, now() + interval '90 days', now() - interval '40 days', 'infinity'])[1 + n / 2 % 4],
  (array['ann@acme.com', 'bob@beta.io', 'BOB@BETA.IO', null])[1 + n / 3 % 4],
  (array['{}', '{public,news}', '{staff,NULL}', null])[1 + n % 4]::text[],
  (array['{}', '{${a}}', '{${b},${c}}', '{NULL}', null])[1 + n % 5]::uuid[],
  (array['{}', '{"owner":"${a}","shared":true,"level":3}', '{"editors":["${a}","${b}"]}', '{"owner":null}', '["x"]', null])[1 + n % 6]::jsonb,
  (array[0, 9.99, 100.00, 'NaN', null])[1 + n % 5]::numeric, (array['hello', 'Überraschung', '100%', null])[1 + n % 4],
  (array[13, 18, 40, null])[1 + n % 4], (array['2024-01-01', '2030-12-31', null])[1 + n % 3]::date, n / 3.0, now()
from generate_series(1, 60) n;
`;

/** Policies as projects write them: from Supabase's guides and starters by shape, in our words. Those that only PostgreSQL decides say so. */
export const realPolicies: readonly (string | readonly [sql: string, reach: Reach])[] = [
  // Everybody, and those who are signed in.
  "true",
  "false",
  "auth.role() = 'authenticated'",
  "(select auth.role()) = 'authenticated'",
  "auth.uid() is not null",
  "(select auth.uid()) is not null",
  "current_user = 'authenticated'",
  "current_setting('role', true) <> 'anon'",
  // Owners.
  "auth.uid() = user_id",
  "user_id = (select auth.uid())",
  "auth.uid()::text = author_id",
  "(select auth.uid())::text = author_id",
  "author_id = (auth.jwt() ->> 'sub')",
  "auth.uid() = user_id or auth.uid() = recipient_id",
  "auth.uid() in (user_id, recipient_id)",
  "user_id = (current_setting('request.jwt.claims', true)::json ->> 'sub')::uuid",
  "user_id = (nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> 'sub')::uuid",
  "user_id::text = current_setting('request.jwt.claim.sub', true)",
  "coalesce(user_id, recipient_id) = auth.uid()",
  "user_id is not distinct from auth.uid()",
  // The state of the row.
  "is_public",
  "is_public = true",
  "is_public is true or auth.uid() = user_id",
  "not is_public and user_id = auth.uid()",
  "deleted_at is null",
  "deleted_at is null and (is_public or user_id = auth.uid())",
  "status = 'published'",
  "status in ('published', 'archived')",
  "status <> 'draft' or user_id = auth.uid()",
  "status::text = any (array['published', 'archived'])",
  "visibility = 'public'",
  "visibility in ('public', 'friends')",
  "case visibility when 'public' then true when 'private' then user_id = auth.uid() else auth.role() = 'authenticated' end",
  "case when is_public then true else user_id = auth.uid() end",
  "published_at <= now()",
  "status = 'published' and published_at < now()",
  "expires_at is null or expires_at > now()",
  "expires_at > now() - interval '30 days'",
  "expires_at > current_timestamp - interval '48 hours'",
  "age >= 18",
  "age between 13 and 19",
  "price > 0",
  "price <= 9.99 or price = 100",
  "title like '100\\%'",
  "title ilike 'h%'",
  "email = auth.email()",
  "lower(email) = lower(auth.jwt() ->> 'email')",
  "email like '%@acme.com'",
  "day < '2025-01-01'",
  // Claims.
  "tenant = (auth.jwt() ->> 'tenant')",
  "tenant = (auth.jwt() -> 'app_metadata' ->> 'tenant')",
  "org_id = (auth.jwt() -> 'app_metadata' ->> 'org_id')::int",
  "org_id = ((select auth.jwt()) -> 'app_metadata' ->> 'org_id')::int",
  "org_id = (auth.jwt() -> 'app_metadata' -> 'org_id')::int",
  "(auth.jwt() -> 'app_metadata' ->> 'role') = 'admin'",
  "(auth.jwt() #>> '{app_metadata,role}') in ('admin', 'staff')",
  "coalesce((auth.jwt() -> 'app_metadata' ->> 'is_admin')::boolean, false)",
  "(auth.jwt() -> 'app_metadata' ->> 'is_admin')::boolean is true",
  "(auth.jwt() -> 'app_metadata' -> 'roles') ? 'admin'",
  "(auth.jwt() -> 'app_metadata' -> 'roles') ?| array['admin', 'editor']",
  "(auth.jwt() -> 'app_metadata' -> 'roles') @> '[\"editor\"]'",
  "(auth.jwt() -> 'app_metadata' -> 'teams') ? team_id::text",
  "(auth.jwt() ->> 'aal') = 'aal2'",
  "coalesce(auth.jwt() ->> 'aal', 'aal1') = 'aal2' or is_public",
  "(auth.jwt() ->> 'is_anonymous')::boolean is not true",
  // Arrays and documents.
  "auth.uid() = any (member_ids)",
  "member_ids @> array[auth.uid()]",
  "tags && array['public', 'news']",
  "'public' = any (tags)",
  "metadata ->> 'owner' = auth.uid()::text",
  "(metadata ->> 'shared')::boolean",
  "metadata @> '{\"shared\": true}'",
  "metadata -> 'editors' ? auth.uid()::text",
  "metadata is not null and metadata ? 'owner'",
  // Membership.
  "room_id in (select room_id from room_members where user_id = auth.uid())",
  "room_id in (select m.room_id from room_members m where m.user_id = (select auth.uid()) and m.left_at is null)",
  "exists (select 1 from room_members m where m.room_id = things.room_id and m.user_id = auth.uid())",
  "exists (select 1 from room_members where room_members.room_id = things.room_id and room_members.user_id = (select auth.uid()))",
  "auth.uid() in (select user_id from room_members where room_id = things.room_id)",
  "(select auth.uid()) in (select m.user_id from team_members m where m.team_id = things.team_id)",
  "room_id in (select id from rooms where is_public)",
  "is_public or exists (select 1 from rooms r where r.id = things.room_id and (r.is_public or r.owner = auth.uid()))",
  "exists (select 1 from rooms r join room_members m on m.room_id = r.id where r.id = things.room_id and m.user_id = auth.uid())",
  "exists (select 1 from org_members where org_members.org_id = things.org_id and org_members.user_id = auth.uid() and org_members.role = 'owner')",
  "exists (select 1 from org_members m where m.org_id = things.org_id and m.user_id = auth.uid() and m.role in ('owner', 'editor') and m.status = 'active')",
  "org_id in (select org_id from org_members where user_id = auth.uid() and accepted_at is not null)",
  "org_id = any (array(select m.org_id from org_members m where m.user_id = auth.uid()))",
  "org_id = (select p.org_id from profiles p where p.id = auth.uid())",
  "(select p.role from profiles p where p.id = auth.uid()) = 'admin'",
  "exists (select 1 from profiles where id = auth.uid() and role = 'admin')",
  "exists (select 1 from profiles p where p.id = (select auth.uid()) and p.role = any (array['admin', 'staff']))",
  "exists (select 1 from user_roles where user_roles.user_id = auth.uid() and user_roles.role = 'admin') or user_id = auth.uid()",
  "exists (select 1 from user_roles u join role_permissions p on p.role = u.role where u.user_id = auth.uid() and p.permission = 'things.read')",
  "user_id in (select p.id from profiles p where p.is_public)",
  "not exists (select 1 from blocks where blocks.blocker = things.user_id and blocks.blocked = auth.uid())",
  "user_id not in (select blocked from blocks where blocker = auth.uid())",
  "not (user_id in (select blocker from blocks where blocked = auth.uid()))",
  "team_id in (select t.id from teams t where t.org_id in (select o.id from organizations o where o.owner_id = auth.uid()))",
  "exists (select 1 from team_members m where m.team_id = things.team_id and m.user_id = auth.uid() and m.role = 'lead')",
  "exists (select 1 from organizations o where o.slug = things.tenant and o.owner_id = auth.uid())",
  "exists (select 1 from friends f where f.status = 'accepted' and f.user_a = auth.uid() and f.user_b = things.user_id)",
  "user_id = auth.uid() or visibility = 'friends' and user_id in (select user_b from friends where user_a = auth.uid())",
  "(select owner from rooms where rooms.id = things.room_id) = auth.uid()",
  // Code and shapes that only PostgreSQL decides.
  ["is_member(org_id)", "beyond"],
  ["org_id in (select my_orgs())", "beyond"],
  ["is_public or is_member(org_id)", "partly"],
  ["deleted_at is null and is_member(org_id)", "partly"],
  ["ratio > 1.5", "beyond"],
  ["created_at > now() - interval '1 day'", "beyond"],
  ["expires_at > now() - interval '1 month'", "beyond"],
  ["day >= current_date", "beyond"],
  [
    "exists (select 1 from friends f where f.user_a = auth.uid() and f.user_b = things.user_id or f.user_b = auth.uid() and f.user_a = things.user_id)",
    "beyond",
  ],
  ["(select count(*) from room_members m where m.room_id = things.room_id) < 3", "beyond"],
  ["exists (select 1 from room_members m where m.room_id = things.room_id and m.left_at > now())", "beyond"],
  ["room_id in (select m.room_id from room_members m where m.user_id = auth.uid() limit 1)", "beyond"],
  ["title ~ '^h'", "beyond"],
  ["user_id = auth.uid() or random() < 0", "partly"],
];

-- Calls to other servers that the database causes: webhooks on tables, and the faces of pg_net (https://github.com/supabase/pg_net) and of
-- Supabase's `supabase_functions`, so that triggers written for these run. All of them leave as jobs that are made in the transaction
-- that causes them: nothing is sent of what is rolled back, and nothing is forgotten of what commits.

-- Webhooks: where to, of what.
create table mainstay.webhooks (
  id uuid primary key default gen_random_uuid(),
  name text not null unique,
  url text not null,
  table_schema text not null,
  table_name text not null,
  operations text[] not null,
  -- In the words of the REST API: `status=eq.confirmed`, several joined by `&`. Empty: all rows.
  filter text not null default '',
  -- Which columns are sent; null: all.
  columns text[],
  headers jsonb not null default '{}',
  -- Longest single attempt; null: the setting's.
  timeout_ms integer,
  is_enabled boolean not null default true,
  disabled_reason text,
  -- Since when no attempt has succeeded; null: the last one did.
  failing_since timestamptz,
  -- What was committed before it is not sent.
  since pg_lsn not null default pg_current_wal_insert_lsn(),
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);
alter table mainstay.webhooks enable row level security;
comment on table mainstay.webhooks is 'Which changes are told to which URL. Made with mainstay.create_webhook.';

-- What messages are signed with, encrypted with a key that is not in the database. The server fills in what is still empty.
create table mainstay.webhook_secrets (
  id uuid primary key default gen_random_uuid(),
  webhook_id uuid not null references mainstay.webhooks on delete cascade,
  sealed bytea,
  created_at timestamptz not null default clock_timestamp(),
  -- Signs until then; null: until another takes its place.
  expires_at timestamptz
);
create index webhook_secrets_webhook_id on mainstay.webhook_secrets (webhook_id);
alter table mainstay.webhook_secrets enable row level security;
comment on table mainstay.webhook_secrets is 'Signing secrets of webhooks, encrypted.';

create table mainstay.webhook_deliveries (
  -- The message's id at the receiver (`webhook-id`), the same at every attempt and replay.
  id uuid primary key default gen_random_uuid(),
  webhook_id uuid not null references mainstay.webhooks on delete cascade,
  -- `<lsn>/<n>`: of the change for ever. `test/…` of one that was asked for.
  event_id text not null,
  -- As it is sent, to the byte.
  body text not null,
  state text not null default 'pending' check (state in ('pending', 'delivered', 'failed')),
  attempts integer not null default 0,
  last_status integer,
  last_error text,
  -- What delivers it.
  job_id uuid not null,
  created_at timestamptz not null default now(),
  finished_at timestamptz,
  unique (webhook_id, event_id)
);
create index webhook_deliveries_by_time on mainstay.webhook_deliveries (created_at);
create index webhook_deliveries_failed on mainstay.webhook_deliveries (webhook_id, created_at) where state = 'failed';
alter table mainstay.webhook_deliveries enable row level security;
comment on table mainstay.webhook_deliveries is 'Messages of webhooks, and what became of them.';

create table mainstay.webhook_attempts (
  id bigint generated always as identity primary key,
  delivery_id uuid not null references mainstay.webhook_deliveries on delete cascade,
  at timestamptz not null default clock_timestamp(),
  status integer,
  duration_ms integer not null,
  error text,
  -- The first bytes of the answer.
  answer text
);
create index webhook_attempts_delivery_id on mainstay.webhook_attempts (delivery_id);
alter table mainstay.webhook_attempts enable row level security;
comment on table mainstay.webhook_attempts is 'Every attempt to deliver a message of a webhook.';

-- The tables that webhooks are on. Apart from other readers' publications: who makes a webhook adds its table, in the same transaction.
do $$
begin
  if not exists (select from pg_publication where pubname = 'mainstay_webhooks') then
    create publication mainstay_webhooks;
  end if;
exception
  when insufficient_privilege then
    raise warning 'publication "mainstay_webhooks": %', sqlerrm
      using hint = 'Let the database''s owner run: create publication mainstay_webhooks;';
end $$;

create function mainstay.announce_webhooks() returns trigger
language plpgsql set search_path = '' as $$
begin
  notify mainstay_webhooks;
  return null;
end $$;
create trigger announce after insert or update or delete on mainstay.webhooks
  for each statement execute function mainstay.announce_webhooks();

-- Makes a webhook, or gives the one of this name another meaning; its secrets stay.
create function mainstay.create_webhook(
  name text, url text, table_name regclass, operations text[] default '{insert,update,delete}', filter text default '',
  columns text[] default null, headers jsonb default '{}', timeout_ms integer default null
) returns uuid
language plpgsql security definer set search_path = '' as $$
declare
  relation record;
  stray text;
  wanted text[] := (select array_agg(distinct lower(o)) from unnest(create_webhook.operations) as o);
  made uuid;
begin
  select n.nspname as schema, c.relname as name, c.relkind as kind into relation
  from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace where c.oid = create_webhook.table_name;
  if relation.kind not in ('r', 'p') or relation.schema in ('mainstay', 'pg_catalog', 'information_schema') then
    raise exception 'webhooks are on tables, and %.% is none', relation.schema, relation.name using errcode = '42809';
  end if;
  if coalesce(create_webhook.name, '') = '' or length(create_webhook.name) > 100 then
    raise exception 'a webhook needs a name of 1 to 100 characters' using errcode = '22023';
  end if;
  if create_webhook.url !~* '^https?://[^[:space:]/?#]+' or length(create_webhook.url) > 2000 then
    raise exception 'the webhook "%" needs a URL that begins with https:// or http://', create_webhook.name using errcode = '22023';
  end if;
  if wanted is null or not wanted <@ array['insert', 'update', 'delete'] then
    raise exception 'operations of the webhook "%" are insert, update, delete', create_webhook.name using errcode = '22023';
  end if;
  select c into stray from unnest(create_webhook.columns) as c
  where not exists (
    select from pg_catalog.pg_attribute a
    where a.attrelid = create_webhook.table_name and a.attname = c and a.attnum > 0 and not a.attisdropped
  ) limit 1;
  if stray is not null then
    raise exception 'table %.% has no column "%"', relation.schema, relation.name, stray using errcode = '42703';
  end if;
  if pg_catalog.jsonb_typeof(create_webhook.headers) <> 'object' or exists (
    select from pg_catalog.jsonb_each(create_webhook.headers) h
    where h.key !~ '^[A-Za-z0-9!#$%&''*+.^_`|~-]+$' or pg_catalog.jsonb_typeof(h.value) <> 'string' or h.value #>> '{}' ~ '[\r\n\x01-\x08]'
  ) then
    raise exception 'headers of the webhook "%" are an object of names and texts', create_webhook.name using errcode = '22023';
  end if;
  if create_webhook.timeout_ms not between 100 and 120000 then
    raise exception 'timeout_ms of the webhook "%" is 100 to 120000', create_webhook.name using errcode = '22023';
  end if;
  insert into mainstay.webhooks as w (name, url, table_schema, table_name, operations, filter, columns, headers, timeout_ms)
  values (create_webhook.name, create_webhook.url, relation.schema, relation.name, wanted, coalesce(create_webhook.filter, ''),
    create_webhook.columns, create_webhook.headers, create_webhook.timeout_ms)
  on conflict on constraint webhooks_name_key do update set url = excluded.url, table_schema = excluded.table_schema,
    table_name = excluded.table_name, operations = excluded.operations, filter = excluded.filter, columns = excluded.columns,
    headers = excluded.headers, timeout_ms = excluded.timeout_ms, is_enabled = true, disabled_reason = null,
    failing_since = null, updated_at = pg_catalog.clock_timestamp(),
    since = case when w.table_schema = excluded.table_schema and w.table_name = excluded.table_name then w.since else excluded.since end
  returning w.id into made;
  if not exists (select from mainstay.webhook_secrets s where s.webhook_id = made) then
    insert into mainstay.webhook_secrets (webhook_id) values (made);
  end if;
  if not exists (
    select from pg_catalog.pg_publication_rel r join pg_catalog.pg_publication p on p.oid = r.prpubid
    where p.pubname = 'mainstay_webhooks' and r.prrelid = create_webhook.table_name
  ) then
    execute pg_catalog.format('alter publication mainstay_webhooks add table %I.%I', relation.schema, relation.name);
  end if;
  return made;
end $$;

-- Its deliveries and secrets go with it. @returns whether there was one
create function mainstay.drop_webhook(name text) returns boolean
language plpgsql security definer set search_path = '' as $$
declare
  gone record;
begin
  delete from mainstay.webhooks w where w.name = drop_webhook.name returning w.table_schema, w.table_name into gone;
  if gone is null then
    return false;
  end if;
  if not exists (
    select from mainstay.webhooks w where w.table_schema = gone.table_schema and w.table_name = gone.table_name
  ) and exists (
    select from pg_catalog.pg_publication_tables t
    where t.pubname = 'mainstay_webhooks' and t.schemaname = gone.table_schema and t.tablename = gone.table_name
  ) then
    execute pg_catalog.format('alter publication mainstay_webhooks drop table %I.%I', gone.table_schema, gone.table_name);
  end if;
  return true;
end $$;

-- Turns a webhook off, or on again after it was turned off. What happens in between is not sent. @returns whether there is one
create function mainstay.enable_webhook(name text, is_enabled boolean default true) returns boolean
language plpgsql security definer set search_path = '' as $$
begin
  update mainstay.webhooks w
  set is_enabled = enable_webhook.is_enabled, failing_since = null, updated_at = pg_catalog.clock_timestamp(),
    since = case when enable_webhook.is_enabled and not w.is_enabled then pg_catalog.pg_current_wal_insert_lsn() else w.since end,
    disabled_reason = case when enable_webhook.is_enabled then null else 'turned off' end
  where w.name = enable_webhook.name;
  return found;
end $$;

-- From now on messages are signed with a new secret, and for as long as `overlap` with the old ones as well.
create function mainstay.rotate_webhook_secret(name text, overlap interval default '1 day') returns boolean
language plpgsql security definer set search_path = '' as $$
declare
  found_id uuid := (select w.id from mainstay.webhooks w where w.name = rotate_webhook_secret.name for update);
begin
  if found_id is null then
    return false;
  end if;
  update mainstay.webhook_secrets s set expires_at = pg_catalog.clock_timestamp() + rotate_webhook_secret.overlap
  where s.webhook_id = found_id
    and (s.expires_at is null or s.expires_at > pg_catalog.clock_timestamp() + rotate_webhook_secret.overlap);
  delete from mainstay.webhook_secrets s where s.webhook_id = found_id and s.expires_at < pg_catalog.clock_timestamp();
  insert into mainstay.webhook_secrets (webhook_id) values (found_id);
  return true;
end $$;

revoke all on function mainstay.announce_webhooks(),
  mainstay.create_webhook(text, text, regclass, text[], text, text[], jsonb, integer), mainstay.drop_webhook(text),
  mainstay.enable_webhook(text, boolean), mainstay.rotate_webhook_secret(text, interval) from public;
do $$
begin
  if exists (select from pg_roles where rolname = 'postgres') then
    grant execute on function mainstay.create_webhook(text, text, regclass, text[], text, text[], jsonb, integer),
      mainstay.drop_webhook(text), mainstay.enable_webhook(text, boolean), mainstay.rotate_webhook_secret(text, interval) to postgres;
  end if;
end $$;

-- pg_net: requests that are sent after the transaction has committed. Where the extension is, it stays what it is.
do $mainstay$
begin
  if exists (select from pg_extension where extname = 'pg_net') or to_regnamespace('net') is not null then
    raise notice 'schema net is there already: it is left as it is';
    return;
  end if;
  execute $net$

create schema net;
comment on schema net is 'Requests to other servers that leave after the commit: net.http_get, http_post, http_delete.';

create domain net.http_method as text check (value ilike 'get' or value ilike 'post' or value ilike 'delete');

-- Requests that have had no answer yet.
create table net.http_request_queue (
  id bigserial primary key,
  method net.http_method not null,
  url text not null,
  headers jsonb,
  body bytea,
  timeout_milliseconds integer not null,
  -- Attempts that have failed: none is made again unless MAINSTAY_NET_RETRIES says so.
  tries smallint not null default 0
);
alter table net.http_request_queue enable row level security;

create table net._http_response (
  id bigint,
  status_code integer,
  content_type text,
  headers jsonb,
  content text,
  timed_out boolean,
  error_msg text,
  created timestamptz not null default now()
);
create index _http_response_created_idx on net._http_response (created);
create index _http_response_id_idx on net._http_response (id);
alter table net._http_response enable row level security;

create type net.request_status as enum ('PENDING', 'SUCCESS', 'ERROR');
create type net.http_response as (status_code integer, headers jsonb, body text);
create type net.http_response_result as (status net.request_status, message text, response net.http_response);

create function net._urlencode_string(string varchar) returns text
language sql immutable strict parallel safe set search_path = '' as $$
  select coalesce(pg_catalog.string_agg(
    case when pg_catalog.chr(byte) ~ '[A-Za-z0-9_.~-]' and byte < 128 then pg_catalog.chr(byte)
      else '%' || pg_catalog.upper(pg_catalog.lpad(pg_catalog.to_hex(byte), 2, '0')) end, '' order by at), '')
  from (
    select at, pg_catalog.get_byte(bytes, at) as byte
    from (select pg_catalog.convert_to(string, 'UTF8') as bytes) as text, pg_catalog.generate_series(0, pg_catalog.octet_length(bytes) - 1) as at
  ) as bytes where byte > 0
$$;

create function net._encode_url_with_params_array(url text, params_array text[]) returns text
language sql immutable parallel safe set search_path = '' as $$
  select case when pg_catalog.cardinality(params_array) is null or pg_catalog.cardinality(params_array) = 0 then url
    else parts.before || case when pg_catalog.strpos(parts.before, '?') > 0 then '&' else '?' end
      || pg_catalog.array_to_string(params_array, '&') || parts.fragment end
  from (select pg_catalog.split_part(url, '#', 1) as before, coalesce(pg_catalog.substring(url, '#.*$'), '') as fragment) as parts
$$;

-- Keeps a request and makes its job, in the caller's transaction.
create function net._enqueue(method text, url text, params jsonb, headers jsonb, body jsonb, timeout_milliseconds integer)
returns bigint
language plpgsql set search_path = '' as $$
declare
  request_id bigint;
begin
  if timeout_milliseconds is null or timeout_milliseconds < 1 then
    raise exception 'timeout_milliseconds must be at least 1' using errcode = '22023';
  end if;
  insert into net.http_request_queue (method, url, headers, body, timeout_milliseconds)
  values (
    method,
    net._encode_url_with_params_array(url, (
      select pg_catalog.array_agg(net._urlencode_string(p.key::varchar) || '=' || coalesce(net._urlencode_string(p.value::varchar), ''))
      from pg_catalog.jsonb_each_text(coalesce(params, '{}')) p
    )),
    headers,
    pg_catalog.convert_to(body::text, 'UTF8'),
    timeout_milliseconds
  )
  returning id into request_id;
  perform mainstay.enqueue('mainstay.net', pg_catalog.jsonb_build_object('request', request_id));
  return request_id;
end $$;

create function net.http_get(
  url text, params jsonb default '{}', headers jsonb default '{}', timeout_milliseconds integer default 5000
) returns bigint
language sql security definer set search_path = '' as $$
  select net._enqueue('GET', url, params, headers, null, timeout_milliseconds)
$$;

create function net.http_post(
  url text, body jsonb default '{}', params jsonb default '{}', headers jsonb default '{"Content-Type": "application/json"}',
  timeout_milliseconds integer default 5000
) returns bigint
language plpgsql security definer set search_path = '' as $$
declare
  content_type text := (
    select h.value from pg_catalog.jsonb_each_text(coalesce(headers, '{}')) h where pg_catalog.lower(h.key) = 'content-type' limit 1
  );
begin
  if content_type <> 'application/json' then
    raise exception 'Content-Type header must be "application/json"';
  end if;
  return net._enqueue('POST', url, params,
    case when content_type is null then coalesce(headers, '{}') || '{"Content-Type": "application/json"}' else headers end,
    body, timeout_milliseconds);
end $$;

create function net.http_delete(
  url text, params jsonb default '{}', headers jsonb default '{}', timeout_milliseconds integer default 5000, body jsonb default null
) returns bigint
language sql security definer set search_path = '' as $$
  select net._enqueue('DELETE', url, params, headers, body, timeout_milliseconds)
$$;

-- Blocks until there is an answer: only of use for a request of a transaction that has committed.
create function net._await_response(request_id bigint) returns boolean
language plpgsql set search_path = '' as $$
begin
  while not exists (select from net._http_response r where r.id = request_id) loop
    perform pg_catalog.pg_sleep(0.05);
  end loop;
  return true;
end $$;

create function net._http_collect_response(request_id bigint, async boolean default true) returns net.http_response_result
language plpgsql set search_path = '' as $$
declare
  found_row net._http_response;
begin
  if not async then
    perform net._await_response(request_id);
  end if;
  select r.* into found_row from net._http_response r where r.id = request_id;
  if found_row.id is null or found_row.error_msg is not null then
    return row('ERROR', coalesce(found_row.error_msg, 'request matching request_id not found'), null)::net.http_response_result;
  end if;
  return row('SUCCESS', 'ok', row(found_row.status_code, found_row.headers, found_row.content)::net.http_response)::net.http_response_result;
end $$;

create function net.http_collect_response(request_id bigint, async boolean default true) returns net.http_response_result
language plpgsql set search_path = '' as $$
begin
  raise notice 'The net.http_collect_response function is deprecated.';
  return net._http_collect_response(request_id, async);
end $$;

-- The worker is a server of this database: one that has spoken lately.
create function net.check_worker_is_up() returns void
language plpgsql security definer set search_path = '' as $$
begin
  if not exists (
    select from mainstay.nodes n
    where n.left_at is null and n.seen_at > pg_catalog.clock_timestamp() - n.patience_ms * interval '1 millisecond'
  ) then
    raise exception using
      message = 'the pg_net background worker is not up',
      detail = 'no server of this database is running: requests are kept and leave when there is one',
      hint = 'Start it with: mainstay start';
  end if;
end $$;

-- Nothing is to be restarted: servers look after their jobs themselves.
create function net.worker_restart() returns boolean language sql set search_path = '' as $$ select true $$;
create function net.wake() returns void language sql set search_path = '' as $$ select $$;
create function net.wait_until_running() returns void
language plpgsql security definer set search_path = '' as $$
begin
  loop
    begin
      perform net.check_worker_is_up();
      return;
    exception when raise_exception then
      perform pg_catalog.pg_sleep(0.2);
    end;
  end loop;
end $$;

-- Triggers run as whoever writes, so that everybody may make a request; what was asked and answered is the service role's to see. Neither
-- schema is served over the data API.
grant usage on schema net to anon, authenticated, service_role;
revoke all on all functions in schema net from public;
grant execute on function net.http_get(text, jsonb, jsonb, integer), net.http_post(text, jsonb, jsonb, jsonb, integer),
  net.http_delete(text, jsonb, jsonb, integer, jsonb), net.check_worker_is_up(), net.wait_until_running(), net.worker_restart(), net.wake(),
  net._urlencode_string(varchar), net._encode_url_with_params_array(text, text[])
  to anon, authenticated, service_role;
grant select on net.http_request_queue, net._http_response to service_role;
grant execute on function net._await_response(bigint), net._http_collect_response(bigint, boolean),
  net.http_collect_response(bigint, boolean) to service_role;

  $net$;
end $mainstay$;

-- The trigger that Supabase's Database Webhooks are made of: url, method, headers, params, timeout in ms, as texts.
do $mainstay$
begin
  if to_regnamespace('supabase_functions') is not null then
    raise notice 'schema supabase_functions is there already: it is left as it is';
    return;
  end if;
  execute $functions$

create schema supabase_functions;
comment on schema supabase_functions is 'Triggers that call a URL: supabase_functions.http_request(url, method, headers, params, timeout).';

create table supabase_functions.migrations (
  version text primary key,
  inserted_at timestamptz not null default now()
);
insert into supabase_functions.migrations (version) values ('initial'), ('20210809183423_update_grants');
alter table supabase_functions.migrations enable row level security;

create table supabase_functions.hooks (
  id bigserial primary key,
  hook_table_id integer not null,
  hook_name text not null,
  created_at timestamptz not null default now(),
  request_id bigint
);
comment on table supabase_functions.hooks is 'Triggers that have made a request.';
create index supabase_functions_hooks_request_id_idx on supabase_functions.hooks (request_id);
create index supabase_functions_hooks_h_table_id_h_name_idx on supabase_functions.hooks (hook_table_id, hook_name);
alter table supabase_functions.hooks enable row level security;

create function supabase_functions.http_request() returns trigger
language plpgsql security definer set search_path = '' as $$
declare
  url text := nullif(tg_argv[0], 'null');
  method text := nullif(tg_argv[1], 'null');
  headers jsonb := coalesce(nullif(tg_argv[2], 'null'), '{"Content-Type": "application/json"}');
  params jsonb := coalesce(nullif(tg_argv[3], 'null'), '{}');
  timeout_ms integer := coalesce(nullif(tg_argv[4], 'null')::integer, 1000);
  request_id bigint;
begin
  if url is null then
    raise exception 'url argument is missing';
  end if;
  if method is null then
    raise exception 'method argument is missing';
  end if;
  case method
    when 'GET' then
      request_id := net.http_get(url, params, headers, timeout_ms);
    when 'POST' then
      request_id := net.http_post(url, pg_catalog.jsonb_build_object(
        'type', tg_op, 'table', tg_table_name, 'schema', tg_table_schema,
        'record', case when tg_op in ('INSERT', 'UPDATE') then pg_catalog.to_jsonb(new) end,
        'old_record', case when tg_op in ('UPDATE', 'DELETE') then pg_catalog.to_jsonb(old) end), params, headers, timeout_ms);
    else
      raise exception 'method argument % is invalid', method;
  end case;
  insert into supabase_functions.hooks (hook_table_id, hook_name, request_id) values (tg_relid::integer, tg_name, request_id);
  -- Before a row is deleted there is no new one, and to return none would keep it.
  return coalesce(new, old);
end $$;

revoke all on function supabase_functions.http_request() from public;
grant usage on schema supabase_functions to anon, authenticated, service_role;
grant execute on function supabase_functions.http_request() to anon, authenticated, service_role;
grant select on table supabase_functions.hooks to service_role;

  $functions$;
end $mainstay$;

-- The role that migrations run as may use and look at all of it.
do $$
begin
  if exists (select from pg_roles where rolname = 'postgres') then
    grant usage on schema net, supabase_functions to postgres;
    grant all on all tables in schema net, supabase_functions to postgres with grant option;
    grant execute on all functions in schema net, supabase_functions to postgres with grant option;
  end if;
exception
  when insufficient_privilege or invalid_schema_name then
    raise warning 'requests from SQL: %', sqlerrm;
end $$;

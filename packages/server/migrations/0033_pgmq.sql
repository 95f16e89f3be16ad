-- Queues in SQL with the face of pgmq (https://github.com/pgmq/pgmq, docs/api/sql), as plain functions: no extension to install, and
-- `pgmq_public` as Supabase Queues has it. A queue's tables have row level security from their first moment on: nobody but their owner
-- and the service role gets at messages before a grant and a policy say so. Where the extension itself is, it stays what it is.
do $mainstay$
begin
  if exists (select from pg_extension where extname = 'pgmq') or to_regnamespace('pgmq') is not null then
    raise notice 'schema pgmq is there already: it is left as it is';
    return;
  end if;
  execute $pgmq$

create schema pgmq;
comment on schema pgmq is 'Queues: pgmq.create, send, read, archive, delete.';

create table pgmq.meta (
  queue_name varchar unique not null,
  is_partitioned boolean not null,
  is_unlogged boolean not null,
  created_at timestamptz not null default now()
);

-- `last_read_at` stands where pgmq has put it (1.8); whoever names columns does without.
create type pgmq.message_record as (
  msg_id bigint,
  read_ct integer,
  enqueued_at timestamptz,
  last_read_at timestamptz,
  vt timestamptz,
  message jsonb,
  headers jsonb
);
create type pgmq.queue_record as (
  queue_name varchar,
  is_partitioned boolean,
  is_unlogged boolean,
  created_at timestamptz
);
create type pgmq.metrics_result as (
  queue_name text,
  queue_length bigint,
  newest_msg_age_sec integer,
  oldest_msg_age_sec integer,
  total_messages bigint,
  scrape_time timestamptz,
  queue_visible_length bigint
);

-- The table of a queue: `q_<name>`, of its archive: `a_<name>`.
create function pgmq.format_table_name(queue_name text, prefix text) returns text
language plpgsql immutable as $$
begin
  if queue_name is null or queue_name = '' then
    raise exception 'a queue needs a name' using errcode = '22023';
  end if;
  if queue_name ~ '\$|;|--|''' then
    raise exception 'queue name contains invalid characters: $, ;, --, or ''' using errcode = '22023';
  end if;
  return lower(prefix || '_' || queue_name);
end $$;

-- With `archived_at_idx_` before it, a name is still one that PostgreSQL keeps whole.
create function pgmq.validate_queue_name(queue_name text) returns void
language plpgsql immutable as $$
begin
  if octet_length(queue_name) > 47 then
    raise exception 'queue name is too long, maximum length is 47 characters' using errcode = '22023';
  end if;
end $$;

-- Until the transaction ends, nobody else makes or drops this queue.
create function pgmq.acquire_queue_lock(queue_name text) returns void
language sql as $$
  select pg_advisory_xact_lock(hashtextextended('pgmq.queue_' || lower(queue_name), 0))
$$;

create function pgmq._create(queue_name text, is_unlogged boolean) returns void
language plpgsql as $$
declare
  qtable text := pgmq.format_table_name(queue_name, 'q');
  atable text := pgmq.format_table_name(queue_name, 'a');
  guarded text;
begin
  perform pgmq.validate_queue_name(queue_name);
  perform pgmq.acquire_queue_lock(queue_name);
  if exists (select from pgmq.meta m where pgmq.format_table_name(m.queue_name, 'q') = qtable) then
    return;
  end if;
  execute format(
    'create %s table pgmq.%I (
      msg_id bigint primary key generated always as identity,
      read_ct integer not null default 0,
      enqueued_at timestamptz not null default now(),
      last_read_at timestamptz,
      vt timestamptz not null,
      message jsonb,
      headers jsonb
    )', case when is_unlogged then 'unlogged' else '' end, qtable);
  execute format(
    'create table if not exists pgmq.%I (
      msg_id bigint primary key,
      read_ct integer not null default 0,
      enqueued_at timestamptz not null default now(),
      last_read_at timestamptz,
      archived_at timestamptz not null default now(),
      vt timestamptz not null,
      message jsonb,
      headers jsonb
    )', atable);
  execute format('create index on pgmq.%I (vt)', qtable);
  execute format('create index if not exists %I on pgmq.%I (archived_at)', 'archived_at_idx_' || lower(queue_name), atable);
  foreach guarded in array array[qtable, atable] loop
    execute format('alter table pgmq.%I enable row level security', guarded);
    execute format('revoke all on table pgmq.%I from public, anon, authenticated', guarded);
    execute format('grant all on table pgmq.%I to service_role', guarded);
    -- Where the role could not be given BYPASSRLS it needs a policy, like anybody.
    if not exists (select from pg_roles r where r.rolname = 'service_role' and r.rolbypassrls) then
      execute format('drop policy if exists service_role_all on pgmq.%I', guarded);
      execute format('create policy service_role_all on pgmq.%I to service_role using (true) with check (true)', guarded);
    end if;
  end loop;
  execute format('grant select, usage on sequence %s to service_role',
    pg_get_serial_sequence(format('pgmq.%I', qtable), 'msg_id'));
  insert into pgmq.meta values (_create.queue_name, false, _create.is_unlogged, now());
end $$;

create function pgmq.create(queue_name text) returns void
language sql as $$ select pgmq._create(queue_name, false) $$;
create function pgmq.create_non_partitioned(queue_name text) returns void
language sql as $$ select pgmq._create(queue_name, false) $$;
create function pgmq.create_unlogged(queue_name text) returns void
language sql as $$ select pgmq._create(queue_name, true) $$;

-- Partitions are for dropping old messages fast; without pg_partman there is nobody to make and drop them.
create function pgmq.create_partitioned(
  queue_name text, partition_interval text default '10000', retention_interval text default '100000'
) returns void
language plpgsql as $$
begin
  raise notice 'pgmq queue "%" is made without partitions: nothing is dropped after %', queue_name, retention_interval;
  perform pgmq._create(queue_name, false);
end $$;
create function pgmq.convert_archive_partitioned(
  table_name text, partition_interval text default '10000', retention_interval text default '100000',
  leading_partition integer default 10
) returns void
language plpgsql as $$
begin
  raise notice 'the archive of pgmq queue "%" stays without partitions', table_name;
end $$;

-- An archive belongs to no extension here: it stays a table of its own when this is asked for, and goes with its queue otherwise.
create function pgmq.detach_archive(queue_name text) returns void
language plpgsql as $$
begin
  execute format('comment on table pgmq.%I is %L', pgmq.format_table_name(queue_name, 'a'), 'detached from its queue');
end $$;

create function pgmq.drop_queue(queue_name text) returns boolean
language plpgsql as $$
declare
  qtable text := pgmq.format_table_name(queue_name, 'q');
  atable text := pgmq.format_table_name(queue_name, 'a');
begin
  perform pgmq.acquire_queue_lock(queue_name);
  if not exists (
    select from pg_class c where c.relnamespace = 'pgmq'::regnamespace and c.relname = qtable and c.relkind in ('r', 'p')
  ) then
    raise notice 'pgmq queue `%` does not exist', queue_name;
    return false;
  end if;
  execute format('drop table pgmq.%I', qtable);
  if to_regclass(format('pgmq.%I', atable)) is not null
    and obj_description(to_regclass(format('pgmq.%I', atable)), 'pg_class') is distinct from 'detached from its queue' then
    execute format('drop table pgmq.%I', atable);
  end if;
  delete from pgmq.meta m where pgmq.format_table_name(m.queue_name, 'q') = qtable;
  return true;
end $$;
create function pgmq.drop_queue(queue_name text, partitioned boolean) returns boolean
language sql as $$ select pgmq.drop_queue(queue_name) $$;

create function pgmq.list_queues() returns setof pgmq.queue_record
language sql stable as $$
  select m.queue_name, m.is_partitioned, m.is_unlogged, m.created_at from pgmq.meta m order by m.created_at, m.queue_name
$$;

create function pgmq.send(queue_name text, msg jsonb, headers jsonb, delay timestamptz) returns setof bigint
language plpgsql as $$
begin
  return query execute format(
    'insert into pgmq.%I (vt, message, headers) values ($2, $1, $3) returning msg_id',
    pgmq.format_table_name(queue_name, 'q')) using msg, delay, headers;
end $$;
create function pgmq.send(queue_name text, msg jsonb) returns setof bigint
language sql as $$ select * from pgmq.send(queue_name, msg, null, clock_timestamp()) $$;
create function pgmq.send(queue_name text, msg jsonb, headers jsonb) returns setof bigint
language sql as $$ select * from pgmq.send(queue_name, msg, headers, clock_timestamp()) $$;
create function pgmq.send(queue_name text, msg jsonb, delay integer) returns setof bigint
language sql as $$ select * from pgmq.send(queue_name, msg, null, clock_timestamp() + make_interval(secs => delay)) $$;
create function pgmq.send(queue_name text, msg jsonb, delay timestamptz) returns setof bigint
language sql as $$ select * from pgmq.send(queue_name, msg, null, delay) $$;
create function pgmq.send(queue_name text, msg jsonb, headers jsonb, delay integer) returns setof bigint
language sql as $$ select * from pgmq.send(queue_name, msg, headers, clock_timestamp() + make_interval(secs => delay)) $$;

-- Ids follow the order of the array. Headers, where there are any, one for each message.
create function pgmq.send_batch(queue_name text, msgs jsonb[], headers jsonb[], delay timestamptz) returns setof bigint
language plpgsql as $$
begin
  if headers is not null and cardinality(headers) <> cardinality(msgs) then
    raise exception 'there are % messages and % headers', cardinality(msgs), cardinality(headers) using errcode = '22023';
  end if;
  return query execute format(
    'insert into pgmq.%I (vt, message, headers)
     select $2, one.message, $3[one.at] from unnest($1) with ordinality as one (message, at) order by one.at
     returning msg_id',
    pgmq.format_table_name(queue_name, 'q')) using msgs, delay, headers;
end $$;
create function pgmq.send_batch(queue_name text, msgs jsonb[]) returns setof bigint
language sql as $$ select * from pgmq.send_batch(queue_name, msgs, null, clock_timestamp()) $$;
create function pgmq.send_batch(queue_name text, msgs jsonb[], headers jsonb[]) returns setof bigint
language sql as $$ select * from pgmq.send_batch(queue_name, msgs, headers, clock_timestamp()) $$;
create function pgmq.send_batch(queue_name text, msgs jsonb[], delay integer) returns setof bigint
language sql as $$ select * from pgmq.send_batch(queue_name, msgs, null, clock_timestamp() + make_interval(secs => delay)) $$;
create function pgmq.send_batch(queue_name text, msgs jsonb[], delay timestamptz) returns setof bigint
language sql as $$ select * from pgmq.send_batch(queue_name, msgs, null, delay) $$;
create function pgmq.send_batch(queue_name text, msgs jsonb[], headers jsonb[], delay integer) returns setof bigint
language sql as $$
  select * from pgmq.send_batch(queue_name, msgs, headers, clock_timestamp() + make_interval(secs => delay))
$$;

-- Hides what it gives for `vt` seconds, by the clock of this database. A row that another reader is taking is passed over; one that it
-- has just taken is looked at again under its lock, and is hidden by then: nobody gets a message twice within its time.
create function pgmq.read(queue_name text, vt integer, qty integer, conditional jsonb default '{}')
returns setof pgmq.message_record
language plpgsql as $$
begin
  return query execute format(
    'with due as (
      select q.msg_id from pgmq.%1$I q
      where q.vt <= clock_timestamp() and ($3 = ''{}'' or q.message @> $3)
      order by q.msg_id limit $2 for update skip locked
    ), taken as (
      update pgmq.%1$I q
      set vt = clock_timestamp() + make_interval(secs => $1), read_ct = q.read_ct + 1, last_read_at = clock_timestamp()
      from due where q.msg_id = due.msg_id
      returning q.msg_id, q.read_ct, q.enqueued_at, q.last_read_at, q.vt, q.message, q.headers
    ) select * from taken order by msg_id',
    pgmq.format_table_name(queue_name, 'q')) using vt, qty, coalesce(conditional, '{}');
end $$;

-- Waits for a message where there is none; the caller's own statement timeout bounds it besides.
create function pgmq.read_with_poll(
  queue_name text, vt integer, qty integer, max_poll_seconds integer default 5, poll_interval_ms integer default 100,
  conditional jsonb default '{}'
) returns setof pgmq.message_record
language plpgsql as $$
declare
  stop_at timestamptz := clock_timestamp() + make_interval(secs => max_poll_seconds);
begin
  loop
    return query select * from pgmq.read(queue_name, vt, qty, conditional);
    exit when found or clock_timestamp() >= stop_at;
    perform pg_sleep(greatest(poll_interval_ms, 1)::float8 / 1000);
  end loop;
end $$;

create function pgmq.pop(queue_name text, qty integer default 1) returns setof pgmq.message_record
language plpgsql as $$
begin
  return query execute format(
    'with due as (
      select q.msg_id from pgmq.%1$I q where q.vt <= clock_timestamp() order by q.msg_id limit $1 for update skip locked
    ), gone as (
      delete from pgmq.%1$I q using due where q.msg_id = due.msg_id
      returning q.msg_id, q.read_ct, q.enqueued_at, q.last_read_at, q.vt, q.message, q.headers
    ) select * from gone order by msg_id',
    pgmq.format_table_name(queue_name, 'q')) using qty;
end $$;

create function pgmq.archive(queue_name text, msg_ids bigint[]) returns setof bigint
language plpgsql as $$
begin
  return query execute format(
    'with gone as (
      delete from pgmq.%I q where q.msg_id = any ($1)
      returning q.msg_id, q.read_ct, q.enqueued_at, q.last_read_at, q.vt, q.message, q.headers
    ), kept as (
      insert into pgmq.%I (msg_id, read_ct, enqueued_at, last_read_at, vt, message, headers)
      select * from gone returning msg_id
    ) select msg_id from kept order by msg_id',
    pgmq.format_table_name(queue_name, 'q'), pgmq.format_table_name(queue_name, 'a')) using msg_ids;
end $$;
create function pgmq.archive(queue_name text, msg_id bigint) returns boolean
language sql as $$ select exists (select from pgmq.archive(queue_name, array[msg_id])) $$;

create function pgmq.delete(queue_name text, msg_ids bigint[]) returns setof bigint
language plpgsql as $$
begin
  return query execute format(
    'with gone as (delete from pgmq.%I q where q.msg_id = any ($1) returning q.msg_id)
     select msg_id from gone order by msg_id',
    pgmq.format_table_name(queue_name, 'q')) using msg_ids;
end $$;
create function pgmq.delete(queue_name text, msg_id bigint) returns boolean
language sql as $$ select exists (select from pgmq.delete(queue_name, array[msg_id])) $$;

create function pgmq.set_vt(queue_name text, msg_ids bigint[], vt timestamptz) returns setof pgmq.message_record
language plpgsql as $$
begin
  return query execute format(
    'with moved as (
      update pgmq.%I q set vt = $2 where q.msg_id = any ($1)
      returning q.msg_id, q.read_ct, q.enqueued_at, q.last_read_at, q.vt, q.message, q.headers
    ) select * from moved order by msg_id',
    pgmq.format_table_name(queue_name, 'q')) using msg_ids, vt;
end $$;
create function pgmq.set_vt(queue_name text, msg_ids bigint[], vt integer) returns setof pgmq.message_record
language sql as $$ select * from pgmq.set_vt(queue_name, msg_ids, clock_timestamp() + make_interval(secs => vt)) $$;
create function pgmq.set_vt(queue_name text, msg_id bigint, vt timestamptz) returns setof pgmq.message_record
language sql as $$ select * from pgmq.set_vt(queue_name, array[msg_id], vt) $$;
create function pgmq.set_vt(queue_name text, msg_id bigint, vt integer) returns setof pgmq.message_record
language sql as $$ select * from pgmq.set_vt(queue_name, array[msg_id], clock_timestamp() + make_interval(secs => vt)) $$;

-- Empties a queue. @returns how many messages there were
create function pgmq.purge_queue(queue_name text) returns bigint
language plpgsql as $$
declare
  qtable text := pgmq.format_table_name(queue_name, 'q');
  purged bigint;
begin
  -- Nothing is put in between the count and the end.
  execute format('lock table pgmq.%I in access exclusive mode', qtable);
  execute format('select count(*) from pgmq.%I', qtable) into purged;
  execute format('truncate table pgmq.%I', qtable);
  return purged;
end $$;

create function pgmq.metrics(queue_name text) returns pgmq.metrics_result
language plpgsql as $$
declare
  result pgmq.metrics_result;
begin
  execute format(
    'select $1, count(*), extract(epoch from now() - max(enqueued_at))::integer,
       extract(epoch from now() - min(enqueued_at))::integer,
       (select case when s.is_called then s.last_value else 0 end from pgmq.%I s),
       now(), count(*) filter (where vt <= clock_timestamp())
     from pgmq.%I',
    pgmq.format_table_name(queue_name, 'q') || '_msg_id_seq', pgmq.format_table_name(queue_name, 'q'))
    using queue_name into result;
  return result;
end $$;
create function pgmq.metrics_all() returns setof pgmq.metrics_result
language sql as $$ select (pgmq.metrics(m.queue_name::text)).* from pgmq.meta m order by m.created_at, m.queue_name $$;

  $pgmq$;
end $mainstay$;

-- What apps call, once `pgmq_public` is among the schemas that the data API serves: as the caller, so that policies decide.
do $mainstay$
begin
  if to_regnamespace('pgmq_public') is not null or to_regtype('pgmq.message_record') is null then
    return;
  end if;
  execute $pgmq$

create schema pgmq_public;
comment on schema pgmq_public is 'Queues for apps: send, send_batch, read, pop, archive, delete.';

create function pgmq_public.send(queue_name text, message jsonb, sleep_seconds integer default 0) returns setof bigint
language sql set search_path = '' as $$
  select * from pgmq.send(queue_name => queue_name, msg => message, delay => sleep_seconds)
$$;
create function pgmq_public.send_batch(queue_name text, messages jsonb[], sleep_seconds integer default 0)
returns setof bigint
language sql set search_path = '' as $$
  select * from pgmq.send_batch(queue_name => queue_name, msgs => messages, delay => sleep_seconds)
$$;
create function pgmq_public.read(queue_name text, sleep_seconds integer, n integer) returns setof pgmq.message_record
language sql set search_path = '' as $$
  select * from pgmq.read(queue_name => queue_name, vt => sleep_seconds, qty => n)
$$;
create function pgmq_public.pop(queue_name text) returns setof pgmq.message_record
language sql set search_path = '' as $$ select * from pgmq.pop(queue_name => queue_name) $$;
create function pgmq_public.archive(queue_name text, message_id bigint) returns boolean
language sql set search_path = '' as $$ select pgmq.archive(queue_name => queue_name, msg_id => message_id) $$;
create function pgmq_public.delete(queue_name text, message_id bigint) returns boolean
language sql set search_path = '' as $$ select pgmq.delete(queue_name => queue_name, msg_id => message_id) $$;

comment on function pgmq_public.send is 'Puts a message into a queue; it is seen after that many seconds.';
comment on function pgmq_public.send_batch is 'Puts several messages into a queue, in their order.';
comment on function pgmq_public.read is 'Gives up to n messages and hides them for that many seconds.';
comment on function pgmq_public.pop is 'Gives the next message and deletes it.';
comment on function pgmq_public.archive is 'Moves a message from its queue to the archive.';
comment on function pgmq_public.delete is 'Deletes a message from its queue.';

revoke all on all functions in schema pgmq_public from public;
grant usage on schema pgmq_public to postgres, anon, authenticated, service_role;
grant execute on all functions in schema pgmq_public to postgres, anon, authenticated, service_role;

  $pgmq$;
end $mainstay$;

-- Who may use queues at all; what they get to see is said by grants and policies on the tables of each. All of it belongs to the role that
-- migrations run as, so that theirs may change it.
do $mainstay$
declare
  one record;
begin
  if to_regprocedure('pgmq._create(text,boolean)') is null then
    return;
  end if;
  grant usage on schema pgmq to anon, authenticated, service_role, pg_monitor;
  grant select on table pgmq.meta to service_role, pg_monitor;
  alter table pgmq.meta enable row level security;
  create policy readable on pgmq.meta for select using (true);
  if not pg_has_role('postgres', 'member') then
    return;
  end if;
  for one in
    select format('schema %I', n.nspname) as it from pg_namespace n where n.nspname in ('pgmq', 'pgmq_public')
    union all
    select format('function %s', p.oid::regprocedure) from pg_proc p
    where p.pronamespace in (select n.oid from pg_namespace n where n.nspname in ('pgmq', 'pgmq_public'))
    union all
    select format('type %s', t.oid::regtype) from pg_type t join pg_class c on c.oid = t.typrelid
    where t.typnamespace = 'pgmq'::regnamespace and c.relkind = 'c'
    union all
    select 'table pgmq.meta'
  loop
    execute format('alter %s owner to postgres', one.it);
  end loop;
exception
  when insufficient_privilege or undefined_object then
    raise warning 'queues: %', sqlerrm;
end $mainstay$;

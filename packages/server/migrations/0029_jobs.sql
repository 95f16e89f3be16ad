-- Work that outlives a request. Nodes claim jobs, run them and settle them; what is written here is what keeps them from being lost.

-- Jobs' places in their lines: by this number and by no clock.
create sequence mainstay.job_places;

-- `state`: 0 ready (runs as soon as a node takes it; also while one has it), 1 later (`run_at`), 2 behind another of its order key,
-- 3 waiting for an event until `run_at`, 4 done, 5 dead, 6 cancelled.
-- A claim changes no column that is in an index, neither as a key nor in a predicate: it stays on its page (a HOT update) and writes to
-- no index, and what ends without a trace is deleted. That is most of what makes jobs cheap: keep it so.
create table mainstay.jobs (
  place bigint not null default nextval('mainstay.job_places'),
  created_at timestamptz not null default clock_timestamp(),
  run_at timestamptz not null default clock_timestamp(),
  started_at timestamptz,
  finished_at timestamptz,
  -- How often it was claimed. With the id it is the claim: who has another has none.
  claim integer not null default 0,
  -- Which node has it (mainstay.job_nodes). One that is gone has nothing.
  claimed_by integer,
  failures integer not null default 0,
  -- How often the node that had it went away.
  losses integer not null default 0,
  -- Null: as its handler says.
  max_attempts integer check (max_attempts between 1 and 10000),
  priority smallint not null default 0,
  state smallint not null default 0,
  -- The first that a transaction puts in: its commit wakes nodes.
  wakes boolean not null default false,
  progress real,
  id uuid not null,
  name text collate "C" not null check (length(name) between 1 and 200),
  queue text collate "C" not null default 'default' check (length(queue) between 1 and 200),
  key text collate "C" check (length(key) <= 500),
  order_key text collate "C" check (length(order_key) <= 500),
  -- The request, or the job, that has led to this one.
  caused_by text collate "C" check (length(caused_by) <= 200),
  payload jsonb not null default '{}',
  result jsonb,
  last_error text,
  constraint jobs_pkey primary key (id)
) with (
  -- Room for the claim of every row on its own page.
  fillfactor = 50,
  -- Most rows live for less than a second: a vacuum in good time keeps the table as small as what it holds.
  autovacuum_vacuum_scale_factor = 0.05, autovacuum_vacuum_threshold = 5000, autovacuum_vacuum_cost_delay = 0,
  autovacuum_analyze_scale_factor = 0.2, autovacuum_analyze_threshold = 50000
);
create index jobs_ready_idx on mainstay.jobs (name, queue, priority, place) where state = 0;
create index jobs_due_idx on mainstay.jobs (run_at) where state in (1, 3);
create index jobs_behind_idx on mainstay.jobs (name, order_key, place) where state = 2;
-- At most one of an order key is in the running.
create unique index jobs_order_key_key on mainstay.jobs (name, order_key) where order_key is not null and state in (0, 1, 3);
create unique index jobs_name_key_key on mainstay.jobs (name, key) where key is not null;
create index jobs_ended_idx on mainstay.jobs (state, finished_at) where state >= 4;
alter table mainstay.jobs enable row level security;
comment on table mainstay.jobs is 'Work for later. Put in with mainstay.enqueue().';

-- Who runs jobs. A node that has claims says so before `lease_until`; whoever finds that passed calls it gone, for good: it joins anew.
create table mainstay.job_nodes (
  number integer generated always as identity,
  node_id uuid not null,
  -- Counts up when the node does not know what became of a claim: whatever was under way is refused.
  epoch integer not null default 0,
  joined_at timestamptz not null default clock_timestamp(),
  -- Null: has no claims.
  lease_until timestamptz,
  is_asleep boolean not null default false,
  is_gone boolean not null default false,
  constraint job_nodes_pkey primary key (number)
) with (fillfactor = 50);
alter table mainstay.job_nodes enable row level security;
comment on table mainstay.job_nodes is 'Servers that run jobs.';

-- Limits of queues, over all nodes. A queue without a row has none.
create table mainstay.job_queues (
  name text collate "C" not null,
  -- Null: without limit.
  concurrency integer check (concurrency >= 1),
  is_paused boolean not null default false,
  constraint job_queues_pkey primary key (name)
);
alter table mainstay.job_queues enable row level security;
comment on table mainstay.job_queues is 'Limits of queues of jobs: how many run at once, over all servers, and whether any do.';

-- Runs of queues that are limited. A row counts while its claim is one.
create table mainstay.job_queue_runs (
  queue text collate "C" not null,
  job_id uuid not null,
  claim integer not null,
  constraint job_queue_runs_pkey primary key (queue, job_id)
);
alter table mainstay.job_queue_runs enable row level security;

-- Order keys to look at: something was put in, or has ended. Taken by whoever claims next.
create table mainstay.job_order_news (
  name text collate "C" not null,
  order_key text collate "C" not null
);
alter table mainstay.job_order_news enable row level security;

-- What became of jobs, of which most leave nothing else. Rows are only added, so that nobody waits for anybody, and summed up now and then.
create table mainstay.job_counts (
  name text collate "C" not null,
  hour timestamptz not null,
  done bigint not null default 0,
  failed bigint not null default 0,
  dead bigint not null default 0
);
alter table mainstay.job_counts enable row level security;
comment on table mainstay.job_counts is 'How many jobs of a name were done, failed an attempt or died, by the hour in which they did. To be summed up.';

revoke all on table mainstay.jobs, mainstay.job_nodes, mainstay.job_queues, mainstay.job_queue_runs, mainstay.job_order_news,
  mainstay.job_counts from public;
revoke all on sequence mainstay.job_places from public;

-- A UUID of version 7 (RFC 9562 §5.7) of the database's clock; within a ms they sort by place.
create function mainstay.job_id(place bigint) returns uuid language sql volatile set search_path = pg_catalog, pg_temp as $$
  select (
    lpad(to_hex(floor(date_part('epoch', clock_timestamp()) * 1000)::bigint), 12, '0')
    || '7' || lpad(to_hex((place >> 22) & 4095), 3, '0')
    || to_hex(8 | ((place >> 20) & 3)) || lpad(to_hex(place & 1048575), 5, '0')
    || right(replace(gen_random_uuid()::text, '-', ''), 10)
  )::uuid
$$;
revoke execute on function mainstay.job_id(bigint) from public;

-- Runs with the commit, so that it sees who has fallen asleep meanwhile. NOTIFY makes commits wait for one another: nobody is told who looks anyway.
create function mainstay.wake_job_nodes() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  if current_setting('transaction_isolation') <> 'read committed'
    or exists (select from mainstay.job_nodes where is_asleep and not is_gone) then
    perform pg_notify('mainstay_jobs', '');
  end if;
  return null;
end $$;
revoke execute on function mainstay.wake_job_nodes() from public;
create constraint trigger wake after insert on mainstay.jobs deferrable initially deferred
  for each row when (new.wakes) execute function mainstay.wake_job_nodes();

create function mainstay.announce_job_queues() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  perform pg_notify('mainstay_jobs', '');
  return null;
end $$;
revoke execute on function mainstay.announce_job_queues() from public;
create trigger announce after insert or update or delete on mainstay.job_queues
  for each statement execute function mainstay.announce_job_queues();

-- Puts jobs in, in the caller's transaction: an array of objects with `name`, and if wanted `payload`, `queue`, `key`, `priority`, `run_at`
-- (or `run_at_ms`, Unix time), `delay_ms`, `order_key`, `max_attempts`, `caused_by`. In their order; answers in that order.
create function mainstay.enqueue_many(jobs jsonb) returns table (id uuid, is_new boolean)
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_column
declare
  ids uuid[];
  has_keys boolean;
  has_order_keys boolean;
  is_first boolean := coalesce(current_setting('mainstay.jobs_put', true), '') <> 'yes';
begin
  if jsonb_typeof(enqueue_many.jobs) is distinct from 'array' then
    raise sqlstate '22023' using message = 'mainstay.enqueue_many takes a JSON array of jobs';
  end if;
  if is_first then
    perform set_config('mainstay.jobs_put', 'yes', true);
  end if;
  with wanted as materialized (
    select w.*, nextval('mainstay.job_places') as place
    from rows from (jsonb_to_recordset(enqueue_many.jobs) as (
      name text, payload jsonb, queue text, key text, priority smallint, run_at timestamptz, run_at_ms float8, delay_ms float8,
      order_key text, max_attempts integer, caused_by text
    )) with ordinality as w (name, payload, queue, key, priority, run_at, run_at_ms, delay_ms, order_key, max_attempts, caused_by, at)
  ), timed as materialized (
    select w.*, mainstay.job_id(w.place) as id, clock_timestamp() as now,
      coalesce(w.run_at, to_timestamp(w.run_at_ms / 1000), clock_timestamp() + make_interval(secs => w.delay_ms / 1000)) as due_at
    from wanted w
  ), put as (
    insert into mainstay.jobs
      (id, place, name, payload, queue, key, priority, created_at, run_at, order_key, max_attempts, caused_by, wakes, state)
    select t.id, t.place, t.name, coalesce(t.payload, '{}'), coalesce(t.queue, 'default'), t.key, coalesce(t.priority, 0), t.now,
      coalesce(t.due_at, t.now), t.order_key, t.max_attempts, t.caused_by, is_first and t.at = 1,
      case when t.order_key is not null then 2 when t.due_at > t.now then 1 else 0 end
    from timed t order by t.at
    on conflict (name, key) where key is not null do nothing
  )
  select array_agg(t.id order by t.at), bool_or(t.key is not null), bool_or(t.order_key is not null)
  into ids, has_keys, has_order_keys from timed t;
  if ids is null then
    return;
  end if;
  if has_order_keys then
    insert into mainstay.job_order_news (name, order_key)
    select distinct w.name, w.order_key from jsonb_to_recordset(enqueue_many.jobs) as w (name text, order_key text)
    where w.order_key is not null;
  end if;
  if not has_keys then
    return query select n.id, true from unnest(ids) with ordinality as n (id, at) order by n.at;
    return;
  end if;
  -- A statement of its own, which sees what another transaction has put in while ours waited for it.
  return query
    select coalesce(j.id, n.id), j.id is null or j.id = n.id
    from unnest(ids) with ordinality as n (id, at)
    join rows from (jsonb_to_recordset(enqueue_many.jobs) as (name text, key text)) with ordinality as w (name, key, at) using (at)
    left join mainstay.jobs j on j.name = w.name and j.key = w.key
    order by n.at;
end $$;
comment on function mainstay.enqueue_many(jsonb) is 'Puts jobs in, in this transaction.';

-- Puts a job in, in the caller's transaction. @returns its id, or that of the one with the same name and key that is kept already
create function mainstay.enqueue(
  name text, payload jsonb default '{}', queue text default null, key text default null, priority integer default 0,
  run_at timestamptz default null, order_key text default null, max_attempts integer default null
) returns uuid
language sql security definer set search_path = pg_catalog, pg_temp as $$
  select id from mainstay.enqueue_many(jsonb_build_array(jsonb_build_object(
    'name', $1, 'payload', $2, 'queue', $3, 'key', $4, 'priority', $5, 'run_at', $6, 'order_key', $7, 'max_attempts', $8)))
$$;
comment on function mainstay.enqueue(text, jsonb, text, text, integer, timestamptz, text, integer) is
  'Puts a job in, in this transaction: it runs when that is committed. The same name and key give the same job.';

revoke execute on function mainstay.enqueue_many(jsonb) from public;
revoke execute on function mainstay.enqueue(text, jsonb, text, text, integer, timestamptz, text, integer) from public;
grant execute on function mainstay.enqueue_many(jsonb) to postgres, service_role;
grant execute on function mainstay.enqueue(text, jsonb, text, text, integer, timestamptz, text, integer) to postgres, service_role;

-- The next of each order key that has something to look at. By one transaction at a time, which sees what those before it have done: only
-- so does no key have two in the running, or none. A row that somebody holds is looked at again.
create function mainstay.promote_jobs() returns void language plpgsql set search_path = pg_catalog, pg_temp
  set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off set jit = off as $$
begin
  perform pg_advisory_xact_lock(5432105, 1);
  with news as (
    delete from mainstay.job_order_news
    where ctid = any (array(select ctid from mainstay.job_order_news limit 5000 for update skip locked))
    returning name, order_key
  ), heads as materialized (
    select n.name, n.order_key, h.id
    from (select distinct name, order_key from news) n
    cross join lateral (
      select j.id from mainstay.jobs j where j.name = n.name and j.order_key = n.order_key and j.state = 2 order by j.place limit 1
    ) h
    where not exists (
      select from mainstay.jobs a where a.name = n.name and a.order_key = n.order_key and a.order_key is not null and a.state in (0, 1, 3)
    )
  ), held as materialized (
    select h.name, h.order_key, h.id, l.id as locked
    from heads h left join lateral (
      select j.id from mainstay.jobs j where j.id = h.id and j.state = 2 for update skip locked
    ) l on true
  ), again as (
    insert into mainstay.job_order_news (name, order_key) select name, order_key from held where locked is null
  )
  update mainstay.jobs j set state = case when j.run_at > clock_timestamp() then 1 else 0 end
  from held where j.id = held.locked;
end $$;
revoke execute on function mainstay.promote_jobs() from public;

-- One round trip of a node: settles what has ended and claims what is next.
-- done_…: claims that are done and leave no trace.
-- ended: [{id, claim, state, result, error, delay_ms, failures, max_attempts (dead only if there are no more), step, event, event_key}].
-- names, wants: handlers, and how many jobs of each at most; total: of all. is_idle: the node has no claims but those that are settled here.
-- seen_…: of the names with these numbers, only jobs of these queues and priorities behind these places are looked for. While an old snapshot keeps
-- what was deleted, a look from the beginning walks over it. Of names that are not among them all are.
-- @returns {jobs, lookMs: how long it took to claim them, lost: how many claims were not ours any more, held: ids that a transaction holds and that are to be tried again,
-- isFull: there may be more, fellAsleep: what has committed meanwhile was told to nobody, nextDueMs}
-- @throws MSJ01 when the node is not known any more, or began anew: nothing has happened then
create function mainstay.turn_jobs(
  node integer, node_epoch integer, done_ids uuid[], done_claims integer[], ended jsonb,
  names text[], wants integer[], total integer, lease interval, is_idle boolean,
  seen_ats integer[], seen_queues text[], seen_priorities smallint[], seen_places bigint[]
) returns json
language plpgsql set search_path = pg_catalog, pg_temp
  set enable_seqscan = off set enable_bitmapscan = off set enable_hashjoin = off set enable_mergejoin = off
  set jit = off set plan_cache_mode = force_generic_plan set lock_timeout = '5s' as $$
#variable_conflict use_column
declare
  found_jobs json := '[]';
  found_count integer := 0;
  look_began timestamptz;
  look_ms float8 := 0;
  done_count integer := 0;
  ended_count integer := 0;
  held_ids uuid[] := '{}';
  gone integer[];
  -- Workflows that have waited for long enough.
  tired uuid[];
  limited boolean;
  me mainstay.job_nodes;
  falls_asleep boolean;
begin
  if cardinality(done_ids) > 0 then
    with gone as (
      delete from mainstay.jobs j using unnest(done_ids, done_claims) as d (id, claim)
      where j.id = d.id and j.claim = d.claim and j.claimed_by = node
      returning j.name, j.order_key
    ), news as (
      insert into mainstay.job_order_news (name, order_key)
      select distinct name, order_key from gone where order_key is not null
    ), counted as (
      insert into mainstay.job_counts (name, hour, done)
      select name, date_trunc('hour', clock_timestamp()), count(*) from gone group by name
    )
    select count(*) into done_count from gone;
  end if;

  if ended is not null then
    with e as materialized (
      select * from jsonb_to_recordset(ended) as e (
        id uuid, claim integer, state smallint, result jsonb, error text, delay_ms float8, failures integer, max_attempts integer)
    ), mine as materialized (
      select e.id, e.result, e.error, e.delay_ms, e.failures,
        -- A workflow that has got on since it was claimed has all its attempts again.
        case when e.state = 5 and m.failures + 1 < e.max_attempts then 0 else e.state end as state
      from e cross join lateral (
        select j.failures from mainstay.jobs j where j.id = e.id and j.claim = e.claim and j.claimed_by = node for update skip locked
      ) m
    ), changed as (
      update mainstay.jobs j set
        claimed_by = null,
        state = case when m.state = 0 and m.delay_ms > 0 then 1 else m.state end,
        failures = j.failures + coalesce(m.failures, 0),
        last_error = coalesce(m.error, j.last_error),
        result = coalesce(m.result, j.result),
        run_at = case
          when m.state >= 4 then j.run_at
          when m.delay_ms is not null then clock_timestamp() + make_interval(secs => m.delay_ms / 1000)
          when m.state = 3 then 'infinity' else clock_timestamp() end,
        finished_at = case when m.state >= 4 then clock_timestamp() end
      from mine m where j.id = m.id
      returning j.name, j.order_key, j.state, m.failures as failed
    ), news as (
      insert into mainstay.job_order_news (name, order_key)
      select distinct name, order_key from changed where order_key is not null and state >= 4
    ), counted as (
      insert into mainstay.job_counts (name, hour, done, failed, dead)
      select name, date_trunc('hour', clock_timestamp()), count(*) filter (where state = 4),
        coalesce(sum(failed), 0), count(*) filter (where state = 5)
      from changed where state in (4, 5) or failed > 0 group by name
    )
    select count(*) into ended_count from changed;
    if exists (select from jsonb_array_elements(ended) e where e ->> 'event' is not null) then
      insert into mainstay.job_waits (job_id, step, event, key, since, until_at)
      select j.id, e.step, e.event, e.event_key, j.created_at, nullif(j.run_at, 'infinity')
      from jsonb_to_recordset(ended) as e (id uuid, claim integer, step text, event text, event_key text)
      join mainstay.jobs j on j.id = e.id and j.claim = e.claim and j.state = 3
      where e.event is not null
      on conflict (job_id) do nothing;
      -- Whoever sent the event before did not see this job wait.
      perform pg_notify('mainstay_job_events', '');
    end if;
    if ended_count < jsonb_array_length(ended) then
      held_ids := array(
        select j.id from jsonb_to_recordset(ended) as e (id uuid, claim integer)
        join mainstay.jobs j on j.id = e.id and j.claim = e.claim and j.claimed_by = node);
    end if;
  end if;

  if exists (select from mainstay.jobs where state in (1, 3) and run_at <= clock_timestamp()) then
    with due as (
      update mainstay.jobs j set state = 0
      from (
        select id, state from mainstay.jobs where state in (1, 3) and run_at <= clock_timestamp()
        order by run_at limit 1000 for update skip locked
      ) d where j.id = d.id
      returning j.id, d.state as was
    )
    select array_agg(id) filter (where was = 3) into tired from due;
    if tired is not null then
      delete from mainstay.job_waits where job_id = any (tired);
    end if;
  end if;

  if total > 0 then
    if exists (select from mainstay.job_order_news) then
      perform mainstay.promote_jobs();
    end if;
    limited := exists (select from mainstay.job_queues where is_paused or concurrency is not null);
    if limited then
      -- One at a time counts what runs.
      perform pg_advisory_xact_lock(5432105, 2);
    end if;
    gone := array(select number from mainstay.job_nodes where is_gone);
    if limited then
      delete from mainstay.job_queue_runs r where not exists (
        select from mainstay.jobs j
        where j.id = r.job_id and j.claim = r.claim and j.claimed_by is not null and j.claimed_by <> all (gone));
    end if;

    look_began := clock_timestamp();
    with recursive pairs (at, name, queue) as (
      select n.at, n.name, (select j.queue from mainstay.jobs j where j.state = 0 and j.name = n.name order by j.queue limit 1)
      from unnest(names) with ordinality as n (name, at) where n.at <> all (seen_ats)
      union all
      select p.at, p.name, (
        select j.queue from mainstay.jobs j where j.state = 0 and j.name = p.name and j.queue > p.queue order by j.queue limit 1)
      from pairs p where p.queue is not null
    ), looked_at (at, name, queue) as (
      select at, name, queue from pairs where queue is not null
      union all
      select distinct s.at, names[s.at], s.queue from unnest(seen_ats, seen_queues) as s (at, queue)
    ), rooms as materialized (
      select p.at, p.name, p.queue, wants[p.at] as wanted, q.name is not null as is_limited,
        case
          when q.is_paused then 0
          when q.concurrency is null then null
          else q.concurrency - (select count(*) from mainstay.job_queue_runs r where r.queue = p.queue)
        end as room
      from looked_at p left join mainstay.job_queues q on limited and q.name = p.queue
    ), of_all as materialized (
      select c.id, c.priority, c.place, r.wanted, r.room, r.name, r.queue
      from rooms r cross join lateral (
        select j.id, j.priority, j.place from mainstay.jobs j
        where j.state = 0 and j.name = r.name and j.queue = r.queue and (j.claimed_by is null or j.claimed_by = any (gone))
        order by j.priority, j.place limit greatest(0, least(r.wanted, coalesce(r.room, r.wanted), total)) for update skip locked
      ) c where r.at <> all (seen_ats)
    ), of_rest as materialized (
      select c.id, c.priority, c.place, r.wanted, r.room, r.name, r.queue
      from unnest(seen_ats, seen_queues, seen_priorities, seen_places) as s (at, queue, priority, place)
      join rooms r on r.at = s.at and r.queue = s.queue
      cross join lateral (
        select j.id, j.priority, j.place from mainstay.jobs j
        where j.state = 0 and j.name = r.name and j.queue = r.queue and j.priority = s.priority and j.place > s.place
          and (j.claimed_by is null or j.claimed_by = any (gone))
        order by j.place limit greatest(0, least(r.wanted, coalesce(r.room, r.wanted), total)) for update skip locked
      ) c
    ), seen as (
      select * from of_all union all select * from of_rest
    ), placed as (
      select s.*, row_number() over (partition by name order by priority, place) as of_name,
        row_number() over (partition by queue order by priority, place) as of_queue
      from seen s
    ), chosen as materialized (
      select id from placed where of_name <= wanted and (room is null or of_queue <= room) order by priority, place limit total
    ), claimed as (
      update mainstay.jobs j set
        claim = j.claim + 1, losses = j.losses + (j.claimed_by is not null)::integer, claimed_by = node, started_at = clock_timestamp()
      from chosen c where j.id = c.id
      returning j.id, j.name, j.queue, j.payload, j.key, j.claim, j.failures, j.losses, j.max_attempts, j.priority, j.place, j.created_at,
        j.caused_by
    ), runs as (
      insert into mainstay.job_queue_runs (queue, job_id, claim)
      select c.queue, c.id, c.claim from claimed c
      where limited and exists (select from mainstay.job_queues q where q.name = c.queue and q.concurrency is not null)
      on conflict (queue, job_id) do update set claim = excluded.claim
    )
    select coalesce(json_agg(json_build_array(
        id, name, queue, payload, key, claim, failures, losses, max_attempts, priority, place,
        date_part('epoch', created_at) * 1000, caused_by)), '[]'), count(*)
    into found_jobs, found_count from claimed;
    look_ms := date_part('epoch', clock_timestamp() - look_began) * 1000;
  end if;

  -- Last, so that who waits for this row waits for nothing else. What began before the node began anew is refused here.
  select * into me from mainstay.job_nodes n where n.number = node and n.epoch = node_epoch and not n.is_gone for no key update;
  if not found then
    raise sqlstate 'MSJ01' using message = 'this node is not known any more';
  end if;
  falls_asleep := total > 0 and found_count < total;
  if falls_asleep <> me.is_asleep
    or (is_idle and found_count = 0) <> (me.lease_until is null)
    or (not (is_idle and found_count = 0) and me.lease_until < clock_timestamp() + lease / 2) then
    update mainstay.job_nodes n set
      is_asleep = falls_asleep,
      lease_until = case when not (is_idle and found_count = 0) then clock_timestamp() + lease end
    where n.number = node;
  end if;
  if done_count = 0 and ended_count = 0 then
    -- A claim that a crash of PostgreSQL forgets was none: the job is there for the next one.
    perform set_config('synchronous_commit', 'off', true);
  end if;
  return json_build_object(
    'jobs', found_jobs,
    'lookMs', look_ms,
    'lost', cardinality(done_ids) - done_count + coalesce(jsonb_array_length(ended), 0) - ended_count - cardinality(held_ids),
    'held', held_ids,
    'isFull', not falls_asleep,
    'fellAsleep', falls_asleep and not me.is_asleep,
    'nextDueMs', (
      select date_part('epoch', run_at - clock_timestamp()) * 1000 from mainstay.jobs
      where state in (1, 3) and run_at < 'infinity' order by run_at limit 1));
end $$;
revoke execute on function mainstay.turn_jobs(
  integer, integer, uuid[], integer[], jsonb, text[], integer[], integer, interval, boolean, integer[], text[], smallint[], bigint[]
) from public;

-- A look that finds nothing, mostly. Calls nodes gone whose lease is over.
create function mainstay.look_for_jobs(node integer, names text[]) returns table (is_known boolean, has_jobs boolean, next_due_ms float8)
language plpgsql set search_path = pg_catalog, pg_temp
  set enable_seqscan = off set enable_bitmapscan = off set jit = off as $$
begin
  if exists (select from mainstay.job_nodes n where n.lease_until < clock_timestamp() and not n.is_gone) then
    update mainstay.job_nodes n set is_gone = true
    from (
      select o.number from mainstay.job_nodes o
      where o.lease_until < clock_timestamp() and not o.is_gone and o.number <> node for update skip locked
    ) o where n.number = o.number;
  end if;
  return query select
    exists (select from mainstay.job_nodes n where n.number = node and not n.is_gone),
    exists (select from mainstay.job_order_news)
      or exists (select from mainstay.jobs j where j.state in (1, 3) and j.run_at <= clock_timestamp())
      or exists (
        select from unnest(names) as wanted (name)
        where exists (
          select from mainstay.jobs j
          where j.state = 0 and j.name = wanted.name
            and (j.claimed_by is null or j.claimed_by = any (array(select n.number from mainstay.job_nodes n where n.is_gone))))),
    (select date_part('epoch', j.run_at - clock_timestamp()) * 1000 from mainstay.jobs j
      where j.state in (1, 3) and j.run_at < 'infinity' order by j.run_at limit 1);
end $$;
revoke execute on function mainstay.look_for_jobs(integer, text[]) from public;

-- Ends a job in the caller's transaction. False when the claim is not the caller's any more.
create function mainstay.settle_job(job uuid, job_claim integer, node integer, job_result jsonb, keeps boolean) returns boolean
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  of_name text;
  of_order_key text;
begin
  if keeps then
    update mainstay.jobs j set state = 4, claimed_by = null, finished_at = clock_timestamp(), result = job_result
    where j.id = job and j.claim = job_claim and j.claimed_by = node
    returning j.name, j.order_key into of_name, of_order_key;
  else
    delete from mainstay.jobs j where j.id = job and j.claim = job_claim and j.claimed_by = node
    returning j.name, j.order_key into of_name, of_order_key;
  end if;
  if of_name is null then
    return false;
  end if;
  insert into mainstay.job_counts (name, hour, done) values (of_name, date_trunc('hour', clock_timestamp()), 1);
  if of_order_key is not null then
    insert into mainstay.job_order_news (name, order_key) values (of_name, of_order_key);
  end if;
  return true;
end $$;
revoke execute on function mainstay.settle_job(uuid, integer, integer, jsonb, boolean) from public;

-- Has workflows go on that waited for an event. Their rows in `mainstay.job_waits` are the caller's.
create function mainstay.wake_jobs(ids uuid[]) returns void language sql set search_path = pg_catalog, pg_temp as $$
  update mainstay.jobs set state = 0, run_at = clock_timestamp() where id = any (ids) and state = 3;
  select pg_notify('mainstay_jobs', '');
$$;
revoke execute on function mainstay.wake_jobs(uuid[]) from public;

-- Ends a job that has not ended; a node that runs it is told. @returns whether there was something to end
create function mainstay.cancel_job(job uuid) returns boolean
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  was mainstay.jobs;
begin
  select * into was from mainstay.jobs j where j.id = job and j.state < 4 for update;
  if not found then
    return false;
  end if;
  update mainstay.jobs j set state = 6, claimed_by = null, finished_at = clock_timestamp() where j.id = job;
  if was.state = 3 then
    delete from mainstay.job_waits w where w.job_id = job;
  end if;
  if was.claimed_by is not null then
    perform pg_notify('mainstay_jobs_cancelled', job::text);
  end if;
  if was.order_key is not null then
    insert into mainstay.job_order_news (name, order_key) values (was.name, was.order_key);
  end if;
  perform pg_notify('mainstay_jobs', '');
  return true;
end $$;
revoke execute on function mainstay.cancel_job(uuid) from public;

-- Runs one that is dead or cancelled again, as if it were new, in its old place. @returns whether there was one
create function mainstay.retry_job(job uuid) returns boolean
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  was mainstay.jobs;
begin
  select * into was from mainstay.jobs j where j.id = job and j.state in (5, 6) for update;
  if not found then
    return false;
  end if;
  update mainstay.jobs j set
    state = case when was.order_key is null then 0 else 2 end, run_at = clock_timestamp(), finished_at = null, failures = 0, losses = 0
  where j.id = job;
  if was.order_key is not null then
    insert into mainstay.job_order_news (name, order_key) values (was.name, was.order_key);
  end if;
  perform pg_notify('mainstay_jobs', '');
  return true;
end $$;
revoke execute on function mainstay.retry_job(uuid) from public;

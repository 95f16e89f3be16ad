-- What functions have said, and how their invocations have ended. Servers write it in batches, after the fact: it may lack the last moment of one
-- that was killed.

create table mainstay.function_logs (
  -- In the order of commits: whoever writes holds a lock that lasts until then. So whoever follows misses nothing.
  id bigint generated always as identity (sequence name mainstay.function_log_ids),
  at timestamptz not null,
  -- 0 debug, 1 info, 2 warn, 3 error.
  level smallint not null check (level between 0 and 3),
  -- The last of its invocation; of all others these are null: whether it is one, the answer's status, and how long it took.
  is_end boolean not null default false,
  status smallint,
  duration_ms real,
  function_name text collate "C" not null,
  -- X-Request-Id, or of a job's run `<job>/<attempt>`.
  invocation_id text collate "C" not null,
  -- The request, or the job, that the chain began with.
  request_id text collate "C" not null,
  message text not null,
  -- JSON as it came: nothing is looked for in it, and jsonb would refuse some of it.
  fields json,
  constraint function_logs_pkey primary key (id)
);
create index function_logs_at_idx on mainstay.function_logs (at);
create index function_logs_request_idx on mainstay.function_logs (request_id, id);
alter table mainstay.function_logs enable row level security;
revoke all on table mainstay.function_logs from public;
comment on table mainstay.function_logs is 'Lines that functions have logged, and one for the end of an invocation.';

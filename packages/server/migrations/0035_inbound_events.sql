-- What providers have sent to functions, once by its id. The event itself is in the job that was put in with it.
create table mainstay.inbound_events (
  function text not null,
  event_id text not null,
  job_id text,
  received_at timestamptz not null default now(),
  primary key (function, event_id)
);
create index inbound_events_by_time on mainstay.inbound_events (received_at);
alter table mainstay.inbound_events enable row level security;
comment on table mainstay.inbound_events is 'Events of webhooks that have come, so that one that comes twice is handled once.';

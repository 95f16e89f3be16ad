-- Messages to the outside that wait to be delivered, and where development catches them.

-- Payloads are encrypted by the server: they hold codes and links that open accounts. A delivered message is deleted.
create table if not exists mainstay.outbox (
  id uuid not null,
  channel text not null,
  payload bytea not null,
  created_at timestamptz not null default now(),
  -- Past it nobody wants the message any more: its code has expired.
  expires_at timestamptz not null,
  -- Counts up with every attempt and so tells two of them apart.
  attempts integer not null default 0,
  next_try_at timestamptz not null default now(),
  -- Until then the message is one node's. A node that died does not renew it.
  locked_until timestamptz,
  last_error text,
  constraint outbox_pkey primary key (id)
);
create index if not exists outbox_due_idx on mainstay.outbox (channel, next_try_at);
alter table mainstay.outbox enable row level security;
revoke all on table mainstay.outbox from public;
comment on table mainstay.outbox is 'Messages on their way out. Payloads are encrypted.';

-- What the inbox of development shows. Unlogged: it may be lost in a crash, and is never copied to a replica.
create unlogged table if not exists mainstay.inbox (
  id uuid not null,
  sort bigint generated always as identity,
  kind text not null check (kind in ('mail', 'sms')),
  recipient text not null,
  received_at timestamptz not null default now(),
  is_read boolean not null default false,
  size_bytes integer not null,
  content jsonb not null,
  constraint inbox_pkey primary key (id)
);
create index if not exists inbox_sort_idx on mainstay.inbox (sort desc);
create index if not exists inbox_recipient_idx on mainstay.inbox (recipient, sort desc);
alter table mainstay.inbox enable row level security;
revoke all on table mainstay.inbox from public;
comment on table mainstay.inbox is 'Mails and text messages caught in development.';

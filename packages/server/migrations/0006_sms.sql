-- How many text messages left on a day: to one number, to one country, of the whole project. All nodes count here.
create table if not exists mainstay.sms_budget (
  day date not null,
  scope text not null,
  key text not null,
  sent integer not null,
  verified integer not null default 0,
  constraint sms_budget_pkey primary key (day, scope, key),
  constraint sms_budget_scope_check check (scope in ('project', 'country', 'number'))
);
comment on table mainstay.sms_budget is 'Text messages counted by UTC day.';
comment on column mainstay.sms_budget.key is 'ISO 3166 code of the country, HMAC of the number, or empty for the project.';
comment on column mainstay.sms_budget.verified is 'How many of the codes sent to this country came back.';

alter table mainstay.sms_budget enable row level security;
revoke all on table mainstay.sms_budget from public;

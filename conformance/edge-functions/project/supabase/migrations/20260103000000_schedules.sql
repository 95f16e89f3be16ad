-- https://supabase.com/docs/guides/cron/quickstart, https://supabase.com/docs/guides/functions/schedule-functions
create extension if not exists pg_cron with schema pg_catalog;
create extension if not exists pg_net with schema extensions;
grant usage on schema cron to postgres;
grant all privileges on all tables in schema cron to postgres;

create table public.ticks (id bigint generated always as identity primary key, at timestamptz default now());
select cron.schedule('nightly-vacuum', '0 3 * * *', 'VACUUM');
select cron.schedule('every-second', '1 seconds', $$ insert into public.ticks default values $$);
select cron.schedule(
  'invoke-function-every-second',
  '1 seconds',
  $$
  select net.http_post(
    url := 'http://127.0.0.1:54321/functions/v1/public-hello',
    headers := jsonb_build_object('Content-Type', 'application/json'),
    body := jsonb_build_object('by', 'cron')
  ) as request_id;
  $$
);

-- https://supabase.com/docs/guides/database/webhooks, as the dashboard writes them
create extension if not exists pg_net with schema extensions;
create table public.orders (id bigint primary key, total numeric not null);
create trigger tell_of_orders after insert on public.orders for each row
  execute function supabase_functions.http_request(
    'http://kong:8000/functions/v1/public-hello', 'POST', '{"Content-Type":"application/json"}', '{}', '5000'
  );

create table public.effects (place bigserial primary key, page text not null, n bigint not null, job uuid not null);
create table public.bookings (id int primary key, v int not null);
create table public.bulk (id int primary key);
create table public.seen (
  place bigserial primary key, page text not null, event text not null, id int not null, v int not null, job uuid not null, version int not null
);
create table public.orders (n int primary key);
create table public.asked (n int primary key);
create table public.sent (n int primary key);
grant all on all tables in schema public to service_role;
grant all on all sequences in schema public to service_role;
select pgmq.create('letters');

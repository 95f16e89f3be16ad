-- The schema `realtime`, as apps' SQL speaks of it: messages that the database sends, and the policies that say who may read and write
-- on private channels. A database of Supabase has it, owned by others: what is there is left as it is, and what differs is a warning.

-- Runs one statement; when it is not ours to run, says so and goes on.
create or replace function pg_temp.attempt(statement text) returns boolean
language plpgsql as $$
begin
  execute statement;
  return true;
exception
  when insufficient_privilege then
    raise warning '%: %', statement, sqlerrm using hint = 'Let the owner or a superuser run it.';
    return false;
end $$;

-- Whether `realtime` has it. Asked of the catalogue: `to_regclass` fails on a schema we may not look into.
create or replace function pg_temp.has_relation(relation_name text) returns boolean
language sql as $$
  select exists (
    select from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
    where n.nspname = 'realtime' and c.relname = relation_name
  )
$$;

create or replace function pg_temp.has_function(function_name text) returns boolean
language sql as $$
  select exists (
    select from pg_catalog.pg_proc p join pg_catalog.pg_namespace n on n.oid = p.pronamespace
    where n.nspname = 'realtime' and p.proname = function_name
  )
$$;

-- Makes one role a member of another, unless it can do all of it already.
create or replace function pg_temp.ensure_member(role_name text, member_name text) returns void
language plpgsql as $$
begin
  if not exists (select from pg_catalog.pg_roles where rolname = role_name)
    or not exists (select from pg_catalog.pg_roles where rolname = member_name)
    or pg_has_role(member_name, role_name, 'usage')
  then
    return;
  end if;
  perform pg_temp.attempt(format('grant %I to %I', role_name, member_name));
exception
  when invalid_grant_operation then
    raise warning 'role "%" could not be granted to "%": %', role_name, member_name, sqlerrm;
end $$;

do $$
begin
  if to_regnamespace('realtime') is null then
    perform pg_temp.attempt('create schema realtime');
  end if;
end $$;

-- Policies stand on it, so its columns are not ours to choose. The days' partitions are made ahead and dropped by the server; what comes
-- on a day that has none goes into the default one: to send a message must not fail because nobody was there to make room for it.
do $$
begin
  if pg_temp.has_relation('messages') then
    if not exists (
      select from pg_attribute a join pg_class c on c.oid = a.attrelid join pg_namespace n on n.oid = c.relnamespace
      where n.nspname = 'realtime' and c.relname = 'messages' and a.attname = 'binary_payload' and not a.attisdropped
    ) then
      perform pg_temp.attempt('alter table realtime.messages add column binary_payload bytea');
    end if;
    return;
  end if;
  perform pg_temp.attempt($sql$
    create table realtime.messages (
      topic text not null,
      extension text not null,
      payload jsonb,
      event text,
      private boolean default false,
      updated_at timestamp not null default timezone('utc', now()),
      inserted_at timestamp not null default timezone('utc', now()),
      id uuid not null default gen_random_uuid(),
      binary_payload bytea,
      primary key (id, inserted_at)
    ) partition by range (inserted_at)
  $sql$);
  if not pg_temp.has_relation('messages') then
    return;
  end if;
  create table realtime.messages_default partition of realtime.messages default;
  -- What a private channel replays: the newest of its topic.
  create index messages_topic_inserted_at_idx on realtime.messages (topic, inserted_at desc)
    where extension = 'broadcast' and private;
  alter table realtime.messages enable row level security;
  -- Nobody goes past the policies of the whole by naming a part.
  alter table realtime.messages_default enable row level security;
  comment on table realtime.messages is
    'What is sent on channels from SQL. Policies on it say who may read and write on private channels; rows are kept for some days.';
end $$;

do $$
begin
  if not pg_temp.has_function('topic') then
    perform pg_temp.attempt($sql$
      create function realtime.topic() returns text language sql stable parallel safe as $body$
        select nullif(current_setting('realtime.topic', true), '')
      $body$ $sql$);
  end if;

  -- Sends with the transaction, or not at all when that is rolled back. What goes wrong is a warning: a trigger that tells must not
  -- undo what it tells of. Runs as whoever calls it, so the policies decide.
  if not pg_temp.has_function('send') then
    perform pg_temp.attempt($sql$
      create function realtime.send(payload jsonb, event text, topic text, private boolean default true) returns void
      language plpgsql as $body$
      declare
        message_id uuid := gen_random_uuid();
        outer_topic text := current_setting('realtime.topic', true);
      begin
        perform set_config('realtime.topic', $3, true);
        insert into realtime.messages (id, payload, event, topic, private, extension) values (
          message_id,
          case
            when jsonb_typeof($1) = 'object' and not $1 ? 'id' then $1 || jsonb_build_object('id', message_id)
            else $1
          end,
          $2, $3, coalesce($4, true), 'broadcast'
        );
        perform set_config('realtime.topic', coalesce(outer_topic, ''), true);
      exception when others then
        raise warning 'realtime.send on topic "%" failed: %', $3, sqlerrm;
      end $body$ $sql$);
  end if;

  if not pg_temp.has_function('send_binary') then
    perform pg_temp.attempt($sql$
      create function realtime.send_binary(payload bytea, event text, topic text, private boolean default true) returns void
      language plpgsql as $body$
      declare
        outer_topic text := current_setting('realtime.topic', true);
      begin
        perform set_config('realtime.topic', $3, true);
        insert into realtime.messages (binary_payload, event, topic, private, extension)
        values ($1, $2, $3, coalesce($4, true), 'broadcast');
        perform set_config('realtime.topic', coalesce(outer_topic, ''), true);
      exception when others then
        raise warning 'realtime.send_binary on topic "%" failed: %', $3, sqlerrm;
      end $body$ $sql$);
  end if;

  -- For triggers: tells of one row's change on a private channel.
  if not pg_temp.has_function('broadcast_changes') then
    perform pg_temp.attempt($sql$
      create function realtime.broadcast_changes(
        topic_name text, event_name text, operation text, table_name text, table_schema text,
        new record, old record, level text default 'ROW'
      ) returns void
      language plpgsql as $body$
      begin
        if upper(level) <> 'ROW' then
          raise exception 'realtime.broadcast_changes tells of rows: call it from a trigger FOR EACH ROW'
            using errcode = 'feature_not_supported';
        end if;
        perform realtime.send(
          jsonb_build_object(
            'schema', table_schema, 'table', table_name, 'operation', operation,
            'record', to_jsonb(new), 'old_record', to_jsonb(old)
          ),
          event_name, topic_name, true
        );
      end $body$ $sql$);
  end if;
end $$;

-- Who migrations run as writes policies on it, and so has to be as good as its owner: that is the role which owns it in a hosted
-- project, so that dumps from there fit. Where that role is not to be had, the migrations' role itself.
do $$
declare
  owner text;
  object text;
begin
  if not exists (
    select from pg_class c join pg_namespace n on n.oid = c.relnamespace
    where n.nspname = 'realtime' and c.relname = 'messages' and c.relowner = current_user::regrole
  ) then
    return;
  end if;
  perform pg_temp.ensure_member('supabase_realtime_admin', current_user);
  perform pg_temp.ensure_member('supabase_realtime_admin', 'postgres');
  select name into owner from unnest(array['supabase_realtime_admin', 'postgres']) with ordinality as o(name, rank)
  where exists (select from pg_roles where rolname = name) and pg_has_role(current_user, name, 'usage')
  order by rank limit 1;
  perform pg_temp.attempt(format('grant usage on schema realtime to %s', (
    select string_agg(quote_ident(rolname), ', ') from pg_roles
    where rolname in ('postgres', 'anon', 'authenticated', 'service_role', 'supabase_realtime_admin')
  )));
  perform pg_temp.attempt(format('grant select, insert on realtime.messages to %s', (
    select string_agg(quote_ident(rolname), ', ') from pg_roles
    where rolname in ('anon', 'authenticated', 'service_role')
  )));
  if exists (select from pg_roles where rolname = 'postgres') then
    perform pg_temp.attempt('grant all on realtime.messages to postgres');
    perform pg_temp.attempt('grant create on schema realtime to postgres');
  end if;
  if owner is not null and owner <> current_user then
    perform pg_temp.attempt(format('grant create on schema realtime to %I', owner));
    foreach object in array array['realtime.messages', 'realtime.messages_default'] loop
      perform pg_temp.attempt(format('alter table %s owner to %I', object, owner));
    end loop;
  end if;
end $$;

-- What the server reads of it. Only what is put in: what the server takes away again after some days is no news.
do $$
begin
  if pg_temp.has_relation('messages')
    and not exists (select from pg_publication where pubname = 'supabase_realtime_messages_publication')
  then
    perform pg_temp.attempt($sql$
      create publication supabase_realtime_messages_publication for table realtime.messages
        with (publish = 'insert', publish_via_partition_root = true)
    $sql$);
  end if;
end $$;

-- What the caller may read on a private channel: whether it would see a broadcast, and a presence, of this topic. PostgreSQL is asked its
-- own policies over rows that are made up for it, because to put in real ones and take them back would leave each join dead rows and
-- log. Runs as the caller, so that whatever the policies look up is looked up with its rights.
create function mainstay.may_read_channel(topic text, out broadcast boolean, out presence boolean)
language plpgsql volatile as $$
declare
  messages oid;
  condition text;
  readable text[];
begin
  broadcast := false;
  presence := false;
  select c.oid into messages
  from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
  where n.nspname = 'realtime' and c.relname = 'messages'
    and pg_catalog.has_schema_privilege(n.oid, 'usage') and pg_catalog.has_table_privilege(c.oid, 'select');
  if messages is null then
    return;
  end if;
  if not pg_catalog.row_security_active(messages) then
    broadcast := true;
    presence := true;
    return;
  end if;
  -- As PostgreSQL puts them together: one that permits, and all that restrict. None that permits: null, and nothing is seen.
  select '(' || string_agg(qual, ' or ') filter (where polpermissive) || ')'
    || coalesce(' and ' || string_agg(qual, ' and ') filter (where not polpermissive), '')
  into condition
  from (
    select p.polpermissive, '(' || pg_catalog.pg_get_expr(p.polqual, p.polrelid) || ')' as qual
    from pg_catalog.pg_policy p
    where p.polrelid = messages and p.polcmd in ('r', '*') and exists (
      select from unnest(p.polroles) as role where role = 0 or pg_catalog.pg_has_role(role, 'usage')
    )
    order by p.polname
  ) as policies;
  if condition is null then
    return;
  end if;
  execute 'select array_agg(messages.extension) from pg_catalog.jsonb_populate_recordset(null::realtime.messages, $1) as messages where '
    || condition
  into readable
  using (
    select jsonb_agg(jsonb_build_object(
      'id', gen_random_uuid(), 'topic', $1, 'extension', extension, 'private', true,
      'inserted_at', timezone('utc', now()), 'updated_at', timezone('utc', now())
    ))
    from unnest(array['broadcast', 'presence']) as extension
  );
  broadcast := coalesce('broadcast' = any (readable), false);
  presence := coalesce('presence' = any (readable), false);
end $$;

-- Whether the caller may write on a private channel. It tries: policies are asked before constraints, so a row that no table takes
-- (without `updated_at`) is refused for its writer first and for itself second, and nothing is written either way.
create function mainstay.may_write_channel(topic text, extension text) returns boolean
language plpgsql volatile as $$
declare
  schema_of_error text;
  column_of_error text;
begin
  insert into realtime.messages (topic, extension, private, updated_at) values ($1, $2, true, null);
  -- A table that took it after all, by a trigger for instance: the row must not stay.
  raise sqlstate 'MST02';
exception
  when sqlstate 'MST02' then
    return true;
  when insufficient_privilege then
    return false;
  when not_null_violation then
    get stacked diagnostics schema_of_error = schema_name, column_of_error = column_name;
    if schema_of_error = 'realtime' and column_of_error = 'updated_at' then
      return true;
    end if;
    raise;
end $$;

-- What happens later than a request: steps of workflows and the events they wait for, schedules, and the SQL face of pg_cron.

-- What a job's workflow has done, and what it is at: `done` has the step's value; `sleep` and `wait` have {"untilMs"}, by this database's clock.
-- A step that waited for an event has the event's id, so that the next wait for the same takes the next one. Without a foreign key, which
-- every job that ends would pay for: steps of jobs that are no more are swept.
create table mainstay.job_steps (
  job_id uuid not null,
  name text collate "C" not null,
  kind text not null default 'done' check (kind in ('done', 'sleep', 'wait')),
  value jsonb not null default 'null',
  event_id bigint,
  kept_at timestamptz not null default clock_timestamp(),
  constraint job_steps_pkey primary key (job_id, name)
);
alter table mainstay.job_steps enable row level security;
comment on table mainstay.job_steps is 'What workflows have done, so that it is not done again.';

create table mainstay.job_events (
  id bigint generated always as identity (sequence name mainstay.job_event_ids),
  name text collate "C" not null,
  key text collate "C",
  payload jsonb not null,
  sent_at timestamptz not null default clock_timestamp(),
  constraint job_events_pkey primary key (id)
);
create index job_events_name_idx on mainstay.job_events (name, coalesce(key, ''), id);
create index job_events_sent_idx on mainstay.job_events (sent_at);
alter table mainstay.job_events enable row level security;
comment on table mainstay.job_events is 'Events for workflows, kept for a while for those that will wait for them.';

-- Who waits for what. A row is there exactly while its job waits.
create table mainstay.job_waits (
  job_id uuid not null,
  step text not null,
  event text collate "C" not null,
  key text collate "C",
  -- Events sent from then on count; those with a greater number do whatever the clock says.
  since timestamptz not null,
  after_event bigint not null default coalesce(pg_sequence_last_value('mainstay.job_event_ids'), 0),
  until_at timestamptz,
  constraint job_waits_pkey primary key (job_id)
);
create index job_waits_event_idx on mainstay.job_waits (event, coalesce(key, ''));
alter table mainstay.job_waits enable row level security;
comment on table mainstay.job_waits is 'Workflows that wait for an event.';

revoke all on table mainstay.job_steps, mainstay.job_waits, mainstay.job_events from public;

-- Tells workflows of an event, in the caller's transaction: with its end they are told, or it never was. They are woken by whoever hears the
-- news and not here: two transactions, one that sends and one that begins to wait, do not see each other.
create function mainstay.send_event(name text, payload jsonb default 'null', key text default null) returns void
language plpgsql security definer set search_path = '' as $$
begin
  if send_event.name is null or length(send_event.name) not between 1 and 200 or coalesce(length(send_event.key), 0) > 500 then
    raise sqlstate '22023' using message = 'an event has a name of 1 to 200 characters, and a key of at most 500';
  end if;
  insert into mainstay.job_events (name, key, payload)
  values (send_event.name, send_event.key, coalesce(send_event.payload, 'null'));
  notify mainstay_job_events;
end $$;
revoke execute on function mainstay.send_event(text, jsonb, text) from public;
grant execute on function mainstay.send_event(text, jsonb, text) to postgres, service_role;

-- What is to run when. A run becomes a job in the transaction that moves `next_run_at`.
create table mainstay.schedules (
  -- Who has defined it, and takes it away again.
  owner text not null,
  name text not null,
  expression text not null,
  time_zone text not null,
  -- What of runs that were due while nobody was there.
  missed text not null check (missed in ('once', 'all', 'skip')),
  job_name text not null,
  payload jsonb not null default 'null',
  -- What jobs of it have besides: queue, priority, orderKey, maxAttempts; `waitingMax`: when so many wait, a run is left out.
  options jsonb not null default '{}',
  defined_at timestamptz not null default clock_timestamp(),
  -- Null: to be planned, by whoever knows the grammar. Infinity: never again.
  next_run_at timestamptz,
  -- When the last run was due. Nothing that was due until then is run again.
  last_run_at timestamptz,
  constraint schedules_pkey primary key (owner, name)
);
create index schedules_due_idx on mainstay.schedules (next_run_at nulls first);
alter table mainstay.schedules enable row level security;
revoke all on table mainstay.schedules from public;
comment on table mainstay.schedules is 'What runs on time.';

-- The face of pg_cron (https://github.com/citusdata/pg_cron), where the extension itself is not to be had: the same tables, functions and
-- words, and our own way to run it. Where it is to be had, `create extension pg_cron` brings the real one.
do $cron$
begin
  if to_regnamespace('cron') is not null or exists (select from pg_available_extensions where name = 'pg_cron') then
    return;
  end if;

  execute $sql$ create schema cron $sql$;
  execute $sql$ comment on schema cron is 'Jobs on time, as pg_cron has them.' $sql$;
  execute $sql$ create sequence cron.jobid_seq $sql$;
  execute $sql$ create sequence cron.runid_seq $sql$;
  execute $sql$
    create table cron.job (
      jobid bigint primary key default nextval('cron.jobid_seq'),
      schedule text not null,
      command text not null,
      nodename text not null default 'localhost',
      nodeport integer not null default coalesce(inet_server_port(), current_setting('port')::integer),
      database text not null default current_database(),
      username text not null default current_user,
      active boolean not null default true,
      jobname text,
      constraint jobname_username_uniq unique (jobname, username)
    ) $sql$;
  execute $sql$
    create table cron.job_run_details (
      jobid bigint,
      runid bigint primary key default nextval('cron.runid_seq'),
      job_pid integer,
      database text,
      username text,
      command text,
      status text,
      return_message text,
      start_time timestamptz,
      end_time timestamptz
    ) $sql$;
  execute $sql$ alter table cron.job enable row level security $sql$;
  execute $sql$ alter table cron.job_run_details enable row level security $sql$;
  execute $sql$ create policy cron_job_policy on cron.job using (username = current_user) $sql$;
  execute $sql$ create policy cron_job_run_details_policy on cron.job_run_details using (username = current_user) $sql$;
  execute $sql$ create index job_username_idx on cron.job (username) $sql$;
  execute $sql$ create index job_run_details_username_idx on cron.job_run_details (username) $sql$;

  -- Vixie cron's grammar, five fields or a word, and pg_cron's `30 seconds` and `$`. Fields beyond the fifth and ranges that go backwards
  -- are refused, where pg_cron takes them and runs never or at another time than was meant.
  execute $sql$
    create function mainstay.is_cron_schedule(schedule text) returns boolean
    language plpgsql immutable set search_path = '' as $body$
    declare
      lows constant integer[] := array[0, 0, 1, 1, 0];
      highs constant integer[] := array[59, 23, 31, 12, 7];
      months constant text[] := array['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec'];
      days constant text[] := array['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat'];
      trimmed constant text := lower(btrim(schedule, E' \t\n'));
      fields text[];
      element text;
      parts text[];
      bounds integer[];
      step integer;
    begin
      if length(schedule) >= 1000 then
        return false;
      end if;
      if trimmed ~ '^[0-9]{1,3}\s*seconds?$' then
        return substring(trimmed from '^[0-9]+')::integer between 1 and 59;
      end if;
      if trimmed ~ '^@' then
        return trimmed = any (array['@reboot', '@restart', '@yearly', '@annually', '@monthly', '@weekly', '@daily', '@midnight', '@hourly']);
      end if;
      fields := regexp_split_to_array(trimmed, '\s+');
      if cardinality(fields) <> 5 then
        return false;
      end if;
      for field in 1 .. 5 loop
        continue when field = 3 and fields[field] = '$';
        foreach element in array string_to_array(fields[field], ',') loop
          parts := regexp_match(element, '^(?:(\*)|([0-9]{1,4}|[a-z]{3})(?:-([0-9]{1,4}|[a-z]{3}))?)(?:/([0-9]{1,4}))?$');
          -- A step needs something to step through.
          if parts is null or (parts[4] is not null and parts[1] is null and parts[3] is null) then
            return false;
          end if;
          step := coalesce(parts[4]::integer, 1);
          if step not between 1 and highs[field] then
            return false;
          end if;
          continue when parts[1] is not null;
          bounds := array(
            select case
              when word ~ '^[0-9]' then word::integer
              when field = 4 then array_position(months, word)
              when field = 5 then array_position(days, word) - 1
            end
            from unnest(parts[2:3]) with ordinality as w (word, place) where word is not null order by place
          );
          if bounds[1] is null or bounds[1] not between lows[field] and highs[field]
            or (parts[3] is not null and (bounds[2] is null or bounds[2] not between bounds[1] and highs[field])) then
            return false;
          end if;
        end loop;
      end loop;
      return true;
    end $body$ $sql$;

  -- As whoever writes the row, so that nobody makes a job for another role or another's job do something else: not even a role that row
  -- level security does not bind.
  execute $sql$
    create function cron.guard_job() returns trigger language plpgsql set search_path = '' as $body$
    declare
      is_superuser constant boolean := (select r.rolsuper from pg_catalog.pg_roles r where r.rolname = current_user);
    begin
      if not mainstay.is_cron_schedule(new.schedule) then
        raise sqlstate '22023' using message = format('invalid schedule: %s', new.schedule),
          hint = 'Use cron format (e.g. 5 4 * * *), or interval format ''[1-59] seconds''';
      end if;
      if not is_superuser and (new.username <> current_user or (tg_op = 'UPDATE' and old.username <> current_user)) then
        raise sqlstate '42501' using message = 'must be superuser to create a job for another role';
      end if;
      if not exists (select from pg_catalog.pg_roles r where r.rolname = new.username) then
        raise sqlstate '42704' using message = format('role "%s" does not exist', new.username);
      end if;
      if new.database <> current_database() then
        if not exists (select from pg_catalog.pg_database d where d.datname = new.database) then
          raise sqlstate '3D000' using message = format('database "%s" does not exist', new.database);
        end if;
        raise sqlstate '0A000' using message = format('jobs run in the database "%s" only', current_database()),
          hint = 'Schedule the job in the database it is for.';
      end if;
      if not pg_catalog.has_database_privilege(new.username, new.database, 'connect') then
        raise sqlstate '42501' using
          message = format('User %s does not have CONNECT privilege on %s', new.username, new.database);
      end if;
      return new;
    end $body$ $sql$;
  execute $sql$ create trigger guard before insert or update on cron.job for each row execute function cron.guard_job() $sql$;

  -- The schedule behind a job. `skip`: pg_cron makes up for nothing. One run waits at most behind one that takes longer than its interval;
  -- of others some, where pg_cron bounds nothing. Runs of one job are one after another.
  execute $sql$
    create function mainstay.keep_cron_schedule() returns trigger
    language plpgsql security definer set search_path = '' as $body$
    begin
      if tg_op = 'DELETE' or not new.active then
        delete from mainstay.schedules where owner = 'cron' and name = old.jobid::text and tg_op <> 'INSERT';
      else
        insert into mainstay.schedules as s (owner, name, expression, time_zone, missed, job_name, payload, options)
        values (
          'cron', new.jobid::text, new.schedule, coalesce(nullif(current_setting('cron.timezone', true), ''), 'GMT'),
          case when lower(new.schedule) ~ '@re(boot|start)' then 'once' else 'skip' end,
          'mainstay.cron', jsonb_build_object('jobid', new.jobid),
          jsonb_build_object('orderKey', new.jobid::text, 'maxAttempts', 2,
            'waitingMax', case when new.schedule ~* 'second' then 1 else 10 end)
        )
        on conflict (owner, name) do update set
          expression = excluded.expression, time_zone = excluded.time_zone, missed = excluded.missed, options = excluded.options,
          defined_at = excluded.defined_at, next_run_at = null
        where (s.expression, s.time_zone) is distinct from (excluded.expression, excluded.time_zone);
      end if;
      notify mainstay_schedules;
      return null;
    end $body$ $sql$;
  execute $sql$ revoke execute on function mainstay.keep_cron_schedule() from public $sql$;
  execute $sql$
    create trigger keep_schedule after insert or update or delete on cron.job
    for each row execute function mainstay.keep_cron_schedule() $sql$;

  execute $sql$
    create function cron.schedule(schedule text, command text) returns bigint language plpgsql set search_path = '' as $body$
    declare
      made bigint;
    begin
      if schedule.schedule is null or schedule.command is null then
        return null;
      end if;
      insert into cron.job (schedule, command) values (schedule.schedule, schedule.command) returning jobid into made;
      return made;
    end $body$ $sql$;
  execute $sql$
    create function cron.schedule_in_database(
      job_name text, schedule text, command text, database text, username text default null, active boolean default true
    ) returns bigint language plpgsql set search_path = '' as $body$
    #variable_conflict use_column
    declare
      made bigint;
    begin
      if job_name is null or schedule_in_database.schedule is null or schedule_in_database.command is null then
        raise sqlstate '22004' using message = format('%s can not be NULL',
          case when job_name is null then 'job_name' when schedule_in_database.schedule is null then 'schedule' else 'command' end);
      end if;
      insert into cron.job (jobname, schedule, command, database, username, active)
      values (job_name, schedule_in_database.schedule, schedule_in_database.command,
        coalesce(schedule_in_database.database, current_database()), coalesce(schedule_in_database.username, current_user),
        coalesce(schedule_in_database.active, true))
      on conflict on constraint jobname_username_uniq do update
        set schedule = excluded.schedule, command = excluded.command, database = excluded.database
      returning jobid into made;
      return made;
    end $body$ $sql$;
  execute $sql$
    create function cron.schedule(job_name text, schedule text, command text) returns bigint
    language plpgsql set search_path = '' as $body$
    declare
      made bigint;
    begin
      if job_name is null or schedule.schedule is null or schedule.command is null then
        raise sqlstate '22004' using message = format('%s can not be NULL',
          case when job_name is null then 'job_name' when schedule.schedule is null then 'schedule' else 'command' end);
      end if;
      insert into cron.job (jobname, schedule, command) values (job_name, schedule.schedule, schedule.command)
      on conflict on constraint jobname_username_uniq do update set schedule = excluded.schedule, command = excluded.command
      returning jobid into made;
      return made;
    end $body$ $sql$;
  execute $sql$
    create function cron.unschedule(job_id bigint) returns boolean language plpgsql strict set search_path = '' as $body$
    begin
      delete from cron.job where jobid = job_id;
      if not found then
        raise exception 'could not find valid entry for job %', job_id;
      end if;
      return true;
    end $body$ $sql$;
  execute $sql$
    create function cron.unschedule(job_name text) returns boolean language plpgsql set search_path = '' as $body$
    begin
      if job_name is null then
        raise sqlstate '22004' using message = 'job_name can not be NULL';
      end if;
      delete from cron.job where jobname = job_name and username = current_user;
      if not found then
        raise exception 'could not find valid entry for job ''%''', job_name;
      end if;
      return true;
    end $body$ $sql$;
  execute $sql$
    create function cron.alter_job(
      job_id bigint, schedule text default null, command text default null, database text default null,
      username text default null, active boolean default null
    ) returns void language plpgsql set search_path = '' as $body$
    #variable_conflict use_column
    begin
      if job_id is null then
        raise sqlstate '22004' using message = 'job_id can not be NULL';
      end if;
      if num_nonnulls(alter_job.schedule, alter_job.command, alter_job.database, alter_job.username, alter_job.active) = 0 then
        raise exception 'no updates specified'
          using hint = 'You must specify at least one job attribute to change when calling alter_job';
      end if;
      if alter_job.username is not null and not (select r.rolsuper from pg_catalog.pg_roles r where r.rolname = current_user) then
        raise sqlstate '42501' using message = 'must be superuser to alter username';
      end if;
      update cron.job j set
        schedule = coalesce(alter_job.schedule, j.schedule),
        command = coalesce(alter_job.command, j.command),
        database = coalesce(alter_job.database, j.database),
        username = coalesce(alter_job.username, j.username),
        active = coalesce(alter_job.active, j.active)
      where j.jobid = job_id
        and (j.username = current_user or (select r.rolsuper from pg_catalog.pg_roles r where r.rolname = current_user));
      if not found then
        raise exception 'Job % does not exist or you don''t own it', job_id;
      end if;
    end $body$ $sql$;

  -- Who may use the schema may schedule. As with pg_cron, an administrator decides who else may; here `postgres` is one.
  execute $sql$ revoke all on all functions in schema cron from public $sql$;
  execute $sql$
    grant execute on function cron.schedule(text, text), cron.schedule(text, text, text), cron.unschedule(bigint), cron.unschedule(text)
    to public $sql$;
  execute $sql$ grant execute on function mainstay.is_cron_schedule(text) to public $sql$;
  execute $sql$ grant select, insert, update, delete on cron.job to public $sql$;
  execute $sql$ grant select, delete on cron.job_run_details to public $sql$;
  execute $sql$ grant select, usage on sequence cron.jobid_seq to public $sql$;
  execute $sql$ grant select on sequence cron.runid_seq to public $sql$;
  execute $sql$ grant usage on schema cron to postgres with grant option $sql$;
  execute $sql$ grant execute on all functions in schema cron to postgres with grant option $sql$;
  execute $sql$ grant select, insert, update, delete on cron.job to postgres with grant option $sql$;
  execute $sql$ grant select, delete on cron.job_run_details to postgres with grant option $sql$;
end $cron$;

-- One table, and ten ways of not seeing all of it.
create role reader nologin;
create role moderator nologin;
create role guarded nologin;
grant reader, moderator, guarded to authenticator;
grant usage on schema public to reader, moderator, guarded;

create table public.members (team text, user_id uuid, primary key (team, user_id));
alter table public.members enable row level security;
create policy "own" on public.members for select to authenticated using (user_id = auth.uid());

create table public.notes (
  id int primary key, owner uuid, team text, kind text, level int, is_draft boolean, body text, secret text, extra jsonb
);
alter table public.notes replica identity full;
alter table public.notes enable row level security;
-- What new tables in `public` are granted by default.
revoke all on public.notes, public.members from anon, authenticated, service_role;
grant select (id, kind, body) on public.notes to anon;
grant select on public.notes to authenticated, service_role, moderator, guarded;
grant select (id, team, level) on public.notes to reader;

grant select on public.members to authenticated;
create policy "public ones" on public.notes for select to anon, authenticated using (kind = 'public');
create policy "own ones" on public.notes for select to authenticated using (owner = auth.uid());
create policy "the team's" on public.notes for select to authenticated
  using (exists (select from public.members m where m.team = notes.team and m.user_id = auth.uid()));
create policy "as the token says" on public.notes for select to authenticated
  using (team = (auth.jwt() -> 'app_metadata' ->> 'team'));
create policy "readers" on public.notes for select to reader using (true);
create policy "harmless ones" on public.notes for select to moderator using (level <= 5);
create policy "guarded" on public.notes for select to guarded using (true);
create policy "no drafts" on public.notes as restrictive for select to guarded using (not is_draft);
alter publication supabase_realtime add table public.notes;

-- What PostgreSQL itself shows of a row: to each caller, its role and claims set, with a SELECT of the columns that it may select.
create schema witness;
create table witness.callers (class text primary key, role text not null, claims text not null);

create function witness.sights(note int) returns jsonb language plpgsql as $$
declare
  caller record;
  columns text;
  seen jsonb;
  all_seen jsonb := '{}';
begin
  for caller in select * from witness.callers loop
    select string_agg(quote_ident(attname), ', ' order by attnum) into columns from pg_attribute
    where attrelid = 'public.notes'::regclass and attnum > 0 and not attisdropped
      and has_column_privilege(caller.role, attrelid, attnum, 'select');
    perform set_config('request.jwt.claims', caller.claims, true), set_config('role', caller.role, true);
    execute format('select to_jsonb(row) from (select %s from public.notes where id = $1) row', columns) into seen using note;
    perform set_config('role', 'none', true);
    all_seen := all_seen || jsonb_build_object(caller.class, seen);
  end loop;
  return all_seen;
end $$;

-- Makes changes one after the other, and tells what each caller sees before and after each.
create function witness.make(changes jsonb) returns jsonb language plpgsql as $$
declare
  change jsonb;
  before jsonb;
  told jsonb := '[]';
begin
  for change in select value from jsonb_array_elements(changes) loop
    before := witness.sights((change ->> 'id')::int);
    case change ->> 'type'
      when 'INSERT' then
        insert into public.notes select * from jsonb_populate_record(null::public.notes, change -> 'row');
      when 'UPDATE' then
        update public.notes n set (owner, team, kind, level, is_draft, body, secret, extra)
          = (select r.owner, r.team, r.kind, r.level, r.is_draft, r.body, r.secret, r.extra
             from jsonb_populate_record(n, change -> 'row') r)
        where id = (change ->> 'id')::int;
      else
        delete from public.notes where id = (change ->> 'id')::int;
    end case;
    told := told || jsonb_build_object('before', before, 'after', witness.sights((change ->> 'id')::int));
  end loop;
  return told;
end $$;

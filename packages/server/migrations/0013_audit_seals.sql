-- Seals over the audit log. Whoever owns a database can change whatever is in it, triggers or not: what they cannot do without the
-- server's keys is to make it look untouched. Entries are sealed a batch at a time, after they are written, so that nobody who
-- writes one waits for anybody else.
create table mainstay.audit_seals (
  number bigint primary key check (number > 0),
  kind text not null check (kind in ('entries', 'erasure')),
  sealed_at timestamptz not null,
  -- When its newest entry was written; for an erasure, when that was.
  through timestamptz not null,
  -- For an erasure, what the person is called from then on.
  note text not null,
  previous bytea not null,
  seal bytea not null
);
alter table mainstay.audit_seals enable row level security;
comment on table mainstay.audit_seals is
  'A chain: each seal is an HMAC over the one before and over what it seals. GET /auth/v1/admin/audit/verify checks it.';

create table mainstay.audit_sealed_entries (
  seal_number bigint not null references mainstay.audit_seals on delete cascade,
  position integer not null,
  entry_id uuid not null,
  written_at timestamptz not null,
  digest bytea not null,
  primary key (entry_id, seal_number)
);
alter table mainstay.audit_sealed_entries enable row level security;
create index audit_sealed_entries_seal_idx on mainstay.audit_sealed_entries (seal_number, position);

create function mainstay.guard_audit_seals() returns trigger
language plpgsql security definer set search_path = '' as $$
begin
  if tg_op = 'DELETE' then
    if tg_table_name = 'audit_seals' then
      -- One that is over stays before those that are not: it is where the chain begins then.
      if exists (
        select from mainstay.audit_seals s, mainstay.audit_policy p
        where s.number > old.number and s.through < now() - p.retention
      ) then
        return old;
      end if;
    elsif not exists (select from mainstay.audit_seals s where s.number = old.seal_number) then
      return old;
    end if;
  end if;
  raise exception 'Seals of the audit log are append-only.' using errcode = 'insufficient_privilege',
    hint = 'They go by themselves once what they seal is older than the retention (MAINSTAY_AUDIT_RETENTION_DAYS).';
end $$;
revoke execute on function mainstay.guard_audit_seals() from public;

create trigger guard_rows before update or delete on mainstay.audit_seals
  for each row execute function mainstay.guard_audit_seals();
create trigger guard_truncate before truncate on mainstay.audit_seals
  for each statement execute function mainstay.guard_audit_seals();
create trigger guard_rows before update or delete on mainstay.audit_sealed_entries
  for each row execute function mainstay.guard_audit_seals();
create trigger guard_truncate before truncate on mainstay.audit_sealed_entries
  for each statement execute function mainstay.guard_audit_seals();

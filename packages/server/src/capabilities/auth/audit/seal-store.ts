import { type SQL, sql } from "pg-sql2";
import type { Queryable } from "../../../platform/postgres/database.ts";
import { rfc3339 } from "../../../platform/postgres/sql-fragments.ts";

type Db = Pick<Queryable, "query">;

/** An entry of the log as it is sealed: everything of its row, as texts. Times are RFC 3339 UTC with microseconds. */
export interface EntryText {
  readonly id: string;
  readonly instanceId: string | null;
  readonly payload: string | null;
  readonly writtenAt: string;
  readonly ipAddress: string;
}

/** An entry's place in a seal. Digests and seals are in hexadecimal. */
export interface Sealed {
  readonly id: string;
  readonly writtenAt: string;
  readonly digest: string;
}

export interface Seal {
  readonly number: number;
  readonly kind: "entries" | "erasure";
  readonly sealedAt: string;
  readonly note: string;
  readonly previous: string;
  readonly seal: string;
}

/** What a seal says of an entry, and what there is. */
export interface Found extends Sealed {
  readonly sealNumber: number;
  /** No later seal says otherwise. */
  readonly isLatest: boolean;
  /** Old enough to have been deleted. */
  readonly isOver: boolean;
  readonly entry: EntryText | null;
}

/** How long after the newest sealed entry's time the transaction of an older one may end, for it to be sealed too, in seconds. */
const lateSeconds = 3_600;

const hex = (bytes: SQL): SQL => sql`encode(${bytes}, 'hex')`;
const entryText = sql`e.id, e.instance_id as "instanceId", e.payload::text as payload, ${rfc3339(sql`e.created_at`)} as "writtenAt",
  e.ip_address as "ipAddress"`;
const sealColumns = sql`s.number::float8 as number, s.kind, ${rfc3339(sql`s.sealed_at`)} as "sealedAt", s.note,
  ${hex(sql`s.previous`)} as previous, ${hex(sql`s.seal`)} as seal`;
const lock = sql`hashtextextended('mainstay audit seals', 7)`;

/** All SQL about the seals over the audit log. */
export const sealStore = {
  /** One hand at the chain, until the transaction ends. */
  async lock(tx: Db): Promise<void> {
    await tx.query(sql`select pg_advisory_xact_lock(${lock})`);
  },

  /** @returns false when another hand is at it */
  async tryLock(tx: Db): Promise<boolean> {
    const [row] = await tx.query<{ isMine: boolean }>(sql`select pg_try_advisory_xact_lock(${lock}) as "isMine"`);
    return row?.isMine ?? false;
  },

  async last(tx: Db): Promise<Seal | null> {
    const [row] = await tx.query<Seal>(sql`
      select ${sealColumns} from mainstay.audit_seals s order by s.number desc limit 1`);
    return row ?? null;
  },

  /** Entries in no seal, oldest first. Those before the last seal are looked for as far back as a transaction may take to end. */
  async unsealed(tx: Db, limit: number): Promise<readonly EntryText[]> {
    return tx.query<EntryText>(sql`
      select ${entryText} from auth.audit_log_entries e
      where ${isRecent} and ${isUnsealed} order by e.created_at, e.id limit ${sql.value(limit)}`);
  },

  /** The sealed entries about a user as they are, and the newest digest of each. */
  async about(tx: Db, userId: string): Promise<readonly (EntryText & { readonly digest: string })[]> {
    return tx.query<EntryText & { digest: string }>(sql`
      select ${entryText}, ${hex(sql`m.digest`)} as digest from auth.audit_log_entries e
      join lateral (
        select m.digest from mainstay.audit_sealed_entries m where m.entry_id = e.id order by m.seal_number desc limit 1
      ) m on true
      where e.payload ->> 'actor_id' = ${sql.value(userId)} or e.payload -> 'traits' ->> 'user_id' = ${sql.value(userId)}
      order by e.created_at, e.id`);
  },

  async byId(tx: Db, ids: readonly string[]): Promise<readonly EntryText[]> {
    return tx.query<EntryText>(sql`
      select ${entryText} from auth.audit_log_entries e where e.id = any (${sql.value([...ids])}::uuid[])
      order by e.created_at, e.id`);
  },

  /** The database's time, as a seal has it. */
  async now(tx: Db): Promise<string> {
    const [row] = await tx.query<{ now: string }>(sql`select ${rfc3339(sql`clock_timestamp()`)} as now`);
    return row!.now;
  },

  async add(tx: Db, seal: Seal, entries: readonly Sealed[]): Promise<void> {
    await tx.query(sql`
      with added as (
        insert into mainstay.audit_seals (number, kind, sealed_at, through, note, previous, seal)
        select ${sql.value(seal.number)}::bigint, ${sql.value(seal.kind)}::text, ${time(seal.sealedAt)},
          ${seal.kind === "erasure" ? time(seal.sealedAt) : sql`max(w)`}, ${sql.value(seal.note)}::text, decode(${sql.value(seal.previous)}, 'hex'), decode(${sql.value(seal.seal)}, 'hex')
        from unnest(${sql.value(entries.map((entry) => entry.writtenAt))}::timestamptz[]) w
      )
      insert into mainstay.audit_sealed_entries (seal_number, position, entry_id, written_at, digest)
      select ${sql.value(seal.number)}::bigint, n, id, w, decode(d, 'hex')
      from unnest(${sql.value(entries.map(({ id }) => id))}::uuid[],
        ${sql.value(entries.map((entry) => entry.writtenAt))}::timestamptz[],
        ${sql.value(entries.map(({ digest }) => digest))}::text[]) with ordinality as t (id, w, d, n)`);
  },

  /** The next seals after a number. `mayBegin`: it is the first of all, or what it seals is old enough for those before to be gone. */
  async after(db: Db, number: number, limit: number): Promise<readonly (Seal & { readonly mayBegin: boolean })[]> {
    return db.query<Seal & { mayBegin: boolean }>(sql`
      select ${sealColumns}, s.number = 1 or coalesce(s.through < now() - p.retention, false) as "mayBegin"
      from mainstay.audit_seals s left join mainstay.audit_policy p on true
      where s.number > ${sql.value(number)} order by s.number limit ${sql.value(limit)}`);
  },

  async found(db: Db, from: number, to: number): Promise<readonly Found[]> {
    return db.query<Found>(sql`
      select m.seal_number::float8 as "sealNumber", m.entry_id as id, ${rfc3339(sql`m.written_at`)} as "writtenAt",
        ${hex(sql`m.digest`)} as digest, coalesce(m.written_at < now() - p.retention, false) as "isOver",
        not exists (
          select from mainstay.audit_sealed_entries n where n.entry_id = m.entry_id and n.seal_number > m.seal_number
        ) as "isLatest",
        case when e.id is not null then json_build_object('id', e.id, 'instanceId', e.instance_id, 'payload', e.payload::text,
          'writtenAt', ${rfc3339(sql`e.created_at`)}, 'ipAddress', e.ip_address) end as entry
      from mainstay.audit_sealed_entries m left join mainstay.audit_policy p on true
      left join auth.audit_log_entries e on e.id = m.entry_id
      where m.seal_number between ${sql.value(from)} and ${sql.value(to)} order by m.seal_number, m.position`);
  },

  /** How many entries wait for their seal, and some of those that came too late for one. */
  async outside(db: Db, limit: number): Promise<{ readonly pending: number; readonly added: readonly string[] }> {
    const [row] = await db.query<{ pending: number; added: readonly string[] }>(sql`
      select (select count(*)::int from auth.audit_log_entries e where ${isRecent} and ${isUnsealed}) as pending,
        array(select e.id::text from auth.audit_log_entries e where (${isRecent}) is not true and ${isUnsealed}
          order by e.created_at limit ${sql.value(limit)}) as added`);
    return row!;
  },

  /** Deletes seals all of whose entries are older than the retention, but for the last of them. @returns how many */
  async sweep(db: Db): Promise<number> {
    const rows = await db.query(sql`
      delete from mainstay.audit_seals where number < (
        select max(s.number) from mainstay.audit_seals s, mainstay.audit_policy p where s.through < now() - p.retention
      ) returning 1`);
    return rows.length;
  },
};

const time = (text: string): SQL => sql`${sql.value(text)}::timestamptz`;
const isUnsealed = sql`not exists (select from mainstay.audit_sealed_entries m where m.entry_id = e.id)`;
const isRecent = sql`e.created_at >= coalesce((
  select least(s.through, s.sealed_at) - make_interval(secs => ${sql.literal(lateSeconds)}) from mainstay.audit_seals s
  where s.kind = 'entries' order by s.number desc limit 1), '-infinity')`;

import type { Lsn } from "../../kernel/change.ts";
import type { ReplicationConnection } from "../postgres/replication.ts";
import { formatLsn, parseLsn } from "./lsn.ts";
import { walLevelTooLow } from "./problems.ts";

/** The slot that keeps the log of this database for whoever comes back. One for all nodes. */
export const durableSlotName = (databaseOid: number): string => `mainstay_log_${databaseOid}`;

/** Which log it is. Another one is another history: places of one mean nothing in the other. */
export interface LogIdentity {
  readonly system: string;
  readonly timeline: string;
  readonly database: string;
}

export interface PreparedSlot {
  readonly identity: LogIdentity;
  /** `server_version_num` */
  readonly serverVersion: number;
  /** A slot of this connection only, gone with it. */
  readonly name: string;
  /** Everything that commits from here on can be streamed. */
  readonly from: Lsn;
  /** The durable slot had to be made: there was none, or PostgreSQL had given it up. */
  readonly isNew: boolean;
}

/** So that of nodes that start together one makes the slot: "mainstay.log" in 64 bits, hashed by PostgreSQL. */
const lock = "pg_catalog.hashtextextended('mainstay.log', 0)";

/**
 * Makes the slot this connection streams from, as a copy of the durable one: it begins where that one does, it is there in
 * milliseconds, and it needs no moment without transactions, as a new one would.
 */
export async function prepareSlot(connection: ReplicationConnection, suffix: string): Promise<PreparedSlot> {
  const [facts] = await connection.query(`
    select d.oid::text as database, current_setting('wal_level') as "walLevel",
      current_setting('server_version_num') as version
    from pg_catalog.pg_database d where d.datname = pg_catalog.current_database()`);
  const { database, walLevel, version } = facts!;
  if (walLevel !== "logical") throw walLevelTooLow(walLevel!);
  const [system] = await connection.query("IDENTIFY_SYSTEM");
  const durable = durableSlotName(Number(database));
  const isNew = await ensureDurableSlot(connection, durable);
  const name = `mainstay_live_${database}_${suffix}`;
  const [copy] = await connection.query(
    `select lsn::text as lsn from pg_catalog.pg_copy_logical_replication_slot('${durable}', '${name}', true, 'pgoutput')`,
  );
  return {
    identity: { system: system!.systemid!, timeline: String(system!.timeline), database: database! },
    serverVersion: Number(version),
    name,
    from: parseLsn(copy!.lsn!),
    isNew,
  };
}

/** Makes it where there is none that can be used. @returns whether it had to be made */
export async function ensureDurableSlot(
  connection: Pick<ReplicationConnection, "query">,
  name: string,
): Promise<boolean> {
  // While another node makes it, it is there and confirms nothing yet.
  const find = `select case when wal_status = 'lost' then 'lost' when confirmed_flush_lsn is null then 'begun' else 'good' end as state
    from pg_catalog.pg_replication_slots where slot_name = '${name}'`;
  const [found] = await connection.query(find);
  if (found?.state === "good") return false;
  await connection.query(`select pg_catalog.pg_advisory_lock(${lock})`);
  try {
    const [now] = await connection.query(find);
    if (now?.state === "good") return false;
    if (now !== undefined) await connection.query(`select pg_catalog.pg_drop_replication_slot('${name}')`);
    // Waits for the transactions that are running, wherever on this server: from there on it can tell what has committed.
    await connection.query(`select pg_catalog.pg_create_logical_replication_slot('${name}', 'pgoutput')`);
    return true;
  } finally {
    await connection.query(`select pg_catalog.pg_advisory_unlock(${lock})`);
  }
}

/** Streams what commits from `from` on, of the tables in these publications, and all messages. */
export function startCommand(slot: string, from: Lsn, publications: readonly string[]): string {
  const names = publications.map((name) => `"${name}"`).join(",");
  return `START_REPLICATION SLOT ${slot} LOGICAL ${formatLsn(from)} (proto_version '1', publication_names '${names}', messages 'true')`;
}

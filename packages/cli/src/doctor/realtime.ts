import type { Config, OpenProjectDatabase } from "@mainstay/server";
import type { PublishedFacts, RealtimeExamination } from "@mainstay/server/examine";
import { type Finding, ok, warn } from "./finding.ts";

/** The log, who may read what is told of it, and the days of messages: of a database that is open. */
export async function realtimeFindings(open: OpenProjectDatabase): Promise<readonly Finding[]> {
  if (!open.config.realtime.realtimeEnabled) return [ok("realtime", "switched off")];
  const { examineRealtime, rowsPublication } = await import("@mainstay/server/examine");
  const examined = await examineRealtime(open);
  return [
    logFinding(examined, open.config),
    ...publicationFindings(examined, rowsPublication),
    ...policyFindings(examined),
    messagesFinding(examined),
  ];
}

function logFinding({ log: { problem, slots } }: RealtimeExamination, { changes, embedded }: Config): Finding {
  if (problem !== null) return warn("log", trimmed(problem.message), problem.hint ?? "See docs/guide/realtime.md.");
  // Slots share the log they keep: the oldest says how much it is.
  const retainedBytes = Math.max(0, ...slots.map((slot) => slot.retainedBytes));
  const lost = slots.find(({ isLost }) => isLost);
  const followers = slots.filter(({ name, isActive }) => isActive && name.startsWith("mainstay_live_")).length;
  const kept = `followed by ${counted(followers, "server")}; PostgreSQL keeps ${megabytes(retainedBytes)} of it`;
  if (lost !== undefined) {
    return warn(
      "log",
      `PostgreSQL has given up the slot ${lost.name}, since more log had to be kept than is allowed`,
      `The next server that starts makes it anew. If it comes again, raise max_slot_wal_keep_size (embedded: MAINSTAY_POSTGRES_MAX_SLOT_WAL_KEEP_BYTES, ${megabytes(embedded.postgresMaxSlotWalKeepBytes)}).`,
    );
  }
  if (retainedBytes > changes.logRetainedBytes) {
    return warn(
      "log",
      `${kept}: more than the ${megabytes(changes.logRetainedBytes)} of MAINSTAY_LOG_RETAINED_BYTES`,
      "A transaction that stays open holds it: select pid, xact_start, query from pg_stat_activity order by xact_start limit 3. Or no server runs.",
    );
  }
  return ok("log", slots.length === 0 ? "can be followed; nobody does" : kept);
}

function publicationFindings({ log }: RealtimeExamination, rowsPublication: string): readonly Finding[] {
  if (!log.publications.includes(rowsPublication)) {
    return [
      warn(
        "publication",
        `there is no publication ${rowsPublication}: nobody is told of changes of rows`,
        `As the database's owner: create publication ${rowsPublication};`,
      ),
    ];
  }
  const findings: Finding[] = [];
  const tables = log.published.filter(({ publication }) => publication === rowsPublication);
  for (const { table } of distinct(log.published.filter(({ hasIdentity }) => !hasIdentity))) {
    findings.push(
      warn(
        "publication",
        `${table} has neither a primary key nor another replica identity: PostgreSQL refuses to update and delete its rows`,
        `alter table ${table} add primary key (…); or: alter table ${table} replica identity full;`,
      ),
    );
  }
  for (const { table } of distinct(log.published.filter(({ isAmbiguous }) => isAmbiguous))) {
    findings.push(
      warn(
        "publication",
        `${table} is published with other columns by another publication: PostgreSQL cannot decode its changes`,
        "Give it the same columns in each: alter publication … set table ….",
      ),
    );
  }
  for (const { table } of tables.filter(({ hasIdentity, hasPrimaryKey }) => hasIdentity && !hasPrimaryKey)) {
    findings.push(
      warn(
        "publication",
        `${table} has no primary key: under row level security, nobody is told which row was deleted`,
        `alter table ${table} add primary key (…);`,
      ),
    );
  }
  if (findings.length > 0) return findings;
  const names = tables.map(({ table }) => table);
  const found = names.length === 0 ? "no table" : `${counted(names.length, "table")}: ${abridged(names)}`;
  return [ok("publication", `${rowsPublication} has ${found}`)];
}

function policyFindings({ askedPolicies }: RealtimeExamination): readonly Finding[] {
  return askedPolicies.map(({ table, policy, reason }) =>
    warn(
      "policies",
      `"${policy}" on ${table} is not decided in memory (${reason})`,
      "It holds all the same: PostgreSQL is asked about each change, once for all alike. See docs/guide/realtime.md, Policies.",
    ),
  );
}

function messagesFinding({ messages }: RealtimeExamination): Finding {
  const remedy =
    "Start a server: it keeps them. If one runs, its log says why it cannot; realtime.messages is its owner's.";
  if (messages === null) {
    return warn("messages", "there is no partitioned table realtime.messages: nothing can be sent from SQL", remedy);
  }
  const { expired, hasExpiredRows, isUsed, missingDays } = messages;
  if (expired.length > 0 || hasExpiredRows) {
    return warn(
      "messages",
      `realtime.messages has days that are over: ${expired.join(", ") || "in its default"}`,
      remedy,
    );
  }
  return ok(
    "messages",
    !isUsed
      ? "nobody has sent one from SQL"
      : missingDays.length === 0
        ? "realtime.messages has room for the next days"
        : `realtime.messages has no partition of their own for ${missingDays.join(", ")}: its default takes them`,
  );
}

/** A table in two publications is one. */
const distinct = (published: readonly PublishedFacts[]): readonly PublishedFacts[] => [
  ...new Map(published.map((one) => [one.oid, one])).values(),
];

const shown = 5;
const abridged = (names: readonly string[]): string =>
  names.length <= shown ? names.join(", ") : `${names.slice(0, shown).join(", ")} and ${names.length - shown} more`;

const counted = (count: number, noun: string): string => `${count} ${noun}${count === 1 ? "" : "s"}`;
const megabytes = (bytes: number): string => `${Math.ceil(bytes / 1_048_576)} MiB`;
const trimmed = (sentence: string): string => sentence.replace(/\.$/, "");

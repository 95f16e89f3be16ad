import type { Observation } from "./observation.ts";
import type { LogLevel } from "./settings.ts";

type Level = Exclude<LogLevel, "silent">;

/** Kinds that say themselves how serious they are. */
type OwnLevel =
  | "request.finished"
  | "postgres.log"
  | "functions.log"
  | "functions.diagnostic"
  | "functions.run-finished";

/** How serious each kind is. `request.finished` has a setting of its own. */
const levels: Readonly<Record<Exclude<Observation["kind"], OwnLevel>, Level>> = {
  "server.listening": "info",
  "server.stopping": "info",
  "server.stopped": "info",
  "request.failed": "error",
  "postgres.starting": "info",
  "postgres.ready": "info",
  "postgres.recovering": "warn",
  "postgres.connection-lost": "warn",
  "postgres.reconnected": "info",
  "migration.applied": "info",
  "migration.history-differs": "warn",
  "seed.finished": "info",
  "seed.failed": "error",
  "catalog.loaded": "debug",
  "catalog.failed": "error",
  "log.leading": "info",
  "log.gap": "warn",
  "log.lagging": "warn",
  "log.slot-lost": "warn",
  "log.reader-failed": "error",
  "log.reader-recovered": "info",
  "functions.changes-missed": "error",
  "functions.built": "info",
  "functions.thread-ended": "warn",
  "functions.process-died": "error",
  "realtime.state": "info",
  "nodes.changed": "info",
  "auth.event": "info",
  "outbox.provider-down": "error",
  "outbox.provider-back": "info",
  "outbox.given-up": "error",
  "job.failed": "warn",
  "job.dead": "error",
  "job.lost": "warn",
  "job.turn-failed": "warn",
  "webhook.disabled": "error",
  "storage.swept": "debug",
  "storage.sweep-failed": "warn",
  "storage.damaged": "error",
  "storage.key-missing": "error",
  "storage.store-failed": "error",
  "storage.store-recovered": "info",
  warning: "warn",
};

export type LogRequests = "debug" | "info" | "off";

/** The level of an observation; `null` when it is not to be logged. */
export function levelOf(observation: Observation, logRequests: LogRequests): Level | null {
  switch (observation.kind) {
    case "request.finished":
      return logRequests === "off" ? null : logRequests;
    case "postgres.log":
      return postgresLevel(observation.level);
    case "functions.log":
      return observation.level;
    case "functions.diagnostic":
      return observation.severity === "error" ? "error" : "warn";
    case "functions.run-finished":
      // The caller is told nothing but that it failed. What jobs throw is told with the job, and who leaves has not failed.
      return observation.error !== null && (observation.status ?? 0) >= 500 ? "error" : "debug";
    default:
      return levels[observation.kind];
  }
}

/** The most serious level a kind can have: decides whether anybody reads it at all. */
export function highestLevelOf(kind: Observation["kind"], logRequests: LogRequests): Level | null {
  if (kind === "request.finished") return logRequests === "off" ? null : logRequests;
  switch (kind) {
    case "postgres.log":
    case "functions.log":
    case "functions.diagnostic":
      return "error";
    // Asked once for all of them: what it costs to measure every run is worth it to who reads every run. Failures are observed in any case.
    case "functions.run-finished":
      return "debug";
    default:
      return levels[kind];
  }
}

/** https://www.postgresql.org/docs/current/runtime-config-logging.html#RUNTIME-CONFIG-SEVERITY-LEVELS */
function postgresLevel(severity: string): Level {
  switch (severity.toUpperCase()) {
    case "PANIC":
    case "FATAL":
      return "error";
    // An ERROR of PostgreSQL's is mostly a statement some caller got refused: their error, answered to them.
    case "ERROR":
    case "WARNING":
      return "warn";
    default:
      return "debug";
  }
}

/** The sentence of a log line. What it leaves out follows as fields. */
export function sentenceOf(observation: Observation): string {
  switch (observation.kind) {
    case "server.listening":
      return `Listening on ${observation.url}`;
    case "server.stopping":
      return `Stopping: ${observation.reason}`;
    case "server.stopped":
      return "Stopped";
    case "request.finished":
      return `${observation.method} ${observation.path} ${observation.status}`;
    case "request.failed":
      return "A request failed because of a mistake of ours";
    case "postgres.starting":
      return `PostgreSQL is starting: ${observation.detail}`;
    case "postgres.ready":
      return `PostgreSQL ${observation.version} is ready`;
    case "postgres.log":
      return `PostgreSQL: ${observation.line}`;
    case "postgres.recovering":
      return `PostgreSQL is recovering: ${observation.detail}`;
    case "postgres.connection-lost":
      return `Lost a connection to PostgreSQL (${observation.lane})`;
    case "postgres.reconnected":
      return `Connected to PostgreSQL again (${observation.lane})`;
    case "migration.applied":
      return `Applied migration ${observation.version} ${observation.name}`;
    case "migration.history-differs":
      return `Migration ${observation.version} differs from what was applied: ${observation.detail}`;
    case "seed.finished":
      return "Seeded the database";
    case "seed.failed":
      return "The seed failed";
    case "catalog.loaded":
      return `Read the catalogue: ${observation.relations} relations, ${observation.functions} functions`;
    case "catalog.failed":
      return "Could not read the catalogue";
    case "log.leading":
      return `Reading the log for ${observation.readers.join(", ")}`;
    case "log.gap":
      return `A reader of the log has missed something and begins anew (${observation.reader}: ${observation.reason})`;
    case "log.lagging":
      return `A reader of the log is ${Math.round(observation.lagBytes / 1_048_576)} MB behind (${observation.reader})`;
    case "log.slot-lost":
      return `PostgreSQL has given up the slot ${observation.slot}, which kept the log (${observation.reason ?? "it is not there"}): it is made anew`;
    case "log.reader-failed":
      return `A reader of the log failed and is tried again (${observation.reader})`;
    case "log.reader-recovered":
      return `A reader of the log goes on (${observation.reader})`;
    case "functions.changes-missed":
      return `Functions could not be told of changes (${observation.handlers.join(", ")}: ${observation.reason}): see mainstay.change_gaps`;
    case "functions.run-finished":
      return `${observation.functionName} ${observation.status ?? (observation.error === null ? "done" : "failed")}`;
    case "functions.log":
      return `${observation.functionName}: ${observation.message}`;
    case "functions.thread-ended":
      return `A thread of the function ${observation.functionName} ended (${observation.reason}) ${observation.message}`;
    case "functions.process-died":
      return `The process that runs functions died (${observation.signal ?? observation.code}) and is started anew`;
    case "realtime.state":
      return `Realtime: ${observation.connections} connections, ${observation.channels} channels in ${observation.rooms} rooms`;
    case "nodes.changed": {
      const { came, gone, others } = observation;
      const news = [
        ...(came.length > 0 ? [`${came.length} came`] : []),
        ...(gone.length > 0 ? [`${gone.length} gone`] : []),
      ];
      return `Other servers of this database: ${others} (${news.join(", ")})`;
    }
    case "auth.event":
      return `Sign-in: ${observation.event}`;
    case "outbox.provider-down":
      return `Messages wait, since what delivers them fails (${observation.channel})`;
    case "outbox.provider-back":
      return `Messages are delivered again (${observation.channel})`;
    case "outbox.given-up":
      return `A message could not be delivered (${observation.channel})`;
    case "job.failed":
      return `A job failed and is tried again in ${waitOf(observation.waitMs)} (${observation.name} ${observation.id}, attempt ${observation.attempt})`;
    case "job.dead":
      return `A job failed for good (${observation.name} ${observation.id}, attempts: ${observation.attempts})`;
    case "job.lost":
      return `Jobs of this server are run again, since it could not say in time that it lives: ${observation.count}`;
    case "job.turn-failed":
      return "PostgreSQL refused what was to be written about jobs, and is asked again";
    case "webhook.disabled":
      return `The webhook "${observation.webhook}" was turned off: ${observation.reason}`;
    case "functions.built":
      return `Functions: ${observation.functions.join(", ") || "none"}`;
    case "functions.diagnostic": {
      const { file, line, column, message, hint } = observation;
      const place = [file, line, column].filter((part) => part !== null).join(":");
      return `${place === "" ? "Functions" : place}: ${message}${hint === null ? "" : ` ${hint}`}`;
    }
    case "storage.swept":
      return `Removed what nobody needs of files: ${observation.blobs} blobs, ${observation.uploads} broken uploads`;
    case "storage.sweep-failed":
      return "What nobody needs of files could not be removed, and is tried again";
    case "storage.damaged":
      return `A file is damaged (blob ${observation.blob})`;
    case "storage.key-missing":
      return `Files cannot be read: they are encrypted with the key ${observation.keyId}, which is not set`;
    case "storage.store-failed":
      return `The store of files fails (${observation.store})`;
    case "storage.store-recovered":
      return `The store of files works again (${observation.store})`;
    case "warning":
      return `${observation.area}: ${observation.message}`;
  }
}

/** As exact as a person wants it. */
const waitOf = (ms: number): string => (ms < 1_000 ? `${Math.round(ms)} ms` : `${Math.round(ms / 1_000)} s`);

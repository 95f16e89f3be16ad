/** Everything we can report about ourselves, in one union. Logger, metrics and traces are readers of it. */
export type Observation =
  | { readonly kind: "server.listening"; readonly url: string }
  | { readonly kind: "server.stopping"; readonly reason: string }
  | { readonly kind: "server.stopped" }
  | {
      readonly kind: "request.finished";
      readonly id: string;
      readonly method: string;
      readonly path: string;
      readonly status: number;
      readonly durationMs: number;
      readonly role: string;
    }
  | { readonly kind: "request.failed"; readonly id: string; readonly error: unknown }
  | { readonly kind: "postgres.starting"; readonly detail: string }
  | { readonly kind: "postgres.ready"; readonly version: string }
  | { readonly kind: "postgres.log"; readonly level: string; readonly line: string }
  | { readonly kind: "postgres.recovering"; readonly elapsedMs: number; readonly detail: string }
  | { readonly kind: "postgres.connection-lost"; readonly lane: string; readonly error: unknown }
  | { readonly kind: "postgres.reconnected"; readonly lane: string; readonly attempts: number }
  | { readonly kind: "migration.applied"; readonly version: string; readonly name: string; readonly durationMs: number }
  | { readonly kind: "migration.history-differs"; readonly version: string; readonly detail: string }
  | { readonly kind: "seed.finished"; readonly durationMs: number }
  | { readonly kind: "seed.failed"; readonly error: unknown }
  | {
      readonly kind: "catalog.loaded";
      readonly relations: number;
      readonly functions: number;
      readonly durationMs: number;
    }
  | { readonly kind: "catalog.failed"; readonly error: unknown }
  /** This server reads the log for those with a memory in the database. */
  | { readonly kind: "log.leading"; readonly readers: readonly string[] }
  /** A reader of the log has missed something and begins anew. */
  | { readonly kind: "log.gap"; readonly reader: string; readonly reason: string }
  /** A durable reader is more than half as far behind as log is kept. */
  | { readonly kind: "log.lagging"; readonly reader: string; readonly lagBytes: number }
  /** PostgreSQL has given up the slot that keeps the log for whoever comes back; it is made anew. */
  | { readonly kind: "log.slot-lost"; readonly slot: string; readonly reason: string | null }
  | { readonly kind: "log.reader-failed"; readonly reader: string; readonly error: unknown }
  | { readonly kind: "log.reader-recovered"; readonly reader: string; readonly attempts: number }
  /** Functions could not be told of changes; it is written down in `mainstay.change_gaps`. */
  | {
      readonly kind: "functions.changes-missed";
      readonly handlers: readonly string[];
      readonly reason: string;
      readonly detail: string | null;
    }
  /** How many are here, when that has changed. `refused` and `cut…` are counts since the start. */
  | {
      readonly kind: "realtime.state";
      readonly connections: number;
      readonly channels: number;
      readonly privateChannels: number;
      readonly rooms: number;
      /** What waits for readers. */
      readonly queuedBytes: number;
      readonly refused: number;
      readonly cutAsSlow: number;
      readonly cutAsFlood: number;
      /** `following`, or why nothing of the log comes. */
      readonly log: string;
      /** Log that this server has not read yet. */
      readonly lagBytes: number;
      /** Log that PostgreSQL keeps for this database's servers. */
      readonly retainedBytes: number;
    }
  /** Servers of the same database have come or gone; `others` is how many there are now, without this one. */
  | {
      readonly kind: "nodes.changed";
      readonly came: readonly { readonly id: string }[];
      readonly gone: readonly { readonly id: string }[];
      readonly others: number;
    }
  | { readonly kind: "auth.event"; readonly event: string; readonly subject: string | null; readonly address: string }
  | { readonly kind: "outbox.provider-down"; readonly channel: string; readonly error: unknown }
  | { readonly kind: "outbox.provider-back"; readonly channel: string }
  | {
      readonly kind: "outbox.given-up";
      readonly channel: string;
      readonly id: string;
      readonly attempts: number;
      readonly error: unknown;
    }
  /** An attempt of a job failed, and there will be another. */
  | {
      readonly kind: "job.failed";
      readonly name: string;
      readonly id: string;
      readonly attempt: number;
      readonly waitMs: number;
      readonly error: unknown;
    }
  /** A job has no attempts left, or none would be of use. */
  | {
      readonly kind: "job.dead";
      readonly name: string;
      readonly id: string;
      readonly attempts: number;
      readonly error: unknown;
    }
  /** Jobs that this server had are another's, or will be. */
  | { readonly kind: "job.lost"; readonly count: number }
  /** PostgreSQL refuses what is said about jobs; it is tried again. */
  | { readonly kind: "job.turn-failed"; readonly error: unknown }
  /** A webhook was turned off: its endpoint is gone or has failed for long, or its filter cannot be decided. */
  | { readonly kind: "webhook.disabled"; readonly webhook: string; readonly reason: string }
  /** Bytes of files that nobody needs any more are gone. */
  | {
      readonly kind: "storage.swept";
      /** That nobody went on with. */
      readonly uploads: number;
      readonly blobs: number;
      readonly versions: number;
    }
  /** What nobody needs could not be removed. It stays known, and is tried again. Said once until it succeeds. */
  | { readonly kind: "storage.sweep-failed"; readonly error: unknown }
  /** Bytes of a blob are not those that were stored, or are not there. */
  | { readonly kind: "storage.damaged"; readonly blob: string; readonly error: unknown }
  /** Files were asked for that are encrypted with this key, and it is not set. Said once for each key. */
  | { readonly kind: "storage.key-missing"; readonly keyId: string }
  /** Where bytes of files are does not answer, or has no room. Said once, until it is over. */
  | { readonly kind: "storage.store-failed"; readonly store: string; readonly error: unknown }
  | { readonly kind: "storage.store-recovered"; readonly store: string }
  /** Files of functions have changed (or were looked at for the first time), and these run from now on. */
  | {
      readonly kind: "functions.built";
      readonly functions: readonly string[];
      /** Of them and of those that are gone or broken: what is not as it was. */
      readonly changed: readonly string[];
      readonly durationMs: number;
    }
  /** Something to tell the author of a function about a file. Said once, until it is something else. */
  | {
      readonly kind: "functions.diagnostic";
      /** An `error` keeps the function from running. */
      readonly severity: "error" | "warning";
      readonly functionName: string | null;
      /** Relative to the project, with the line and column from 1, as far as it is about one. */
      readonly file: string | null;
      readonly line: number | null;
      readonly column: number | null;
      readonly message: string;
      readonly hint: string | null;
      readonly source: string | null;
    }
  /** An invocation of an app's function is over. */
  | {
      readonly kind: "functions.run-finished";
      readonly id: string;
      readonly functionName: string;
      /** Of the answer; `null` of what is no endpoint. */
      readonly status: number | null;
      readonly durationMs: number;
      /** Of its thread, from the handler's beginning to its end. */
      readonly cpuMs: number;
      /** The most its thread was seen to have; 0 when nobody looked meanwhile. */
      readonly memoryBytes: number;
      /** What it threw, or why it was ended; `null` when it came to its end. */
      readonly error: unknown;
    }
  /** A line that a function wrote. */
  | {
      readonly kind: "functions.log";
      readonly id: string;
      readonly functionName: string;
      readonly level: "debug" | "info" | "warn" | "error";
      readonly message: string;
      readonly fields: Readonly<Record<string, unknown>>;
    }
  /** A thread that runs a function has ended by itself, or was ended for what it did. */
  | {
      readonly kind: "functions.thread-ended";
      readonly functionName: string;
      readonly reason: string;
      /** Its last words; empty when it had none. */
      readonly message: string;
    }
  /** The process that runs functions has died, and is started anew. */
  | {
      readonly kind: "functions.process-died";
      readonly code: number | null;
      readonly signal: string | null;
      readonly lastWords: string;
    }
  | { readonly kind: "warning"; readonly area: string; readonly message: string };

/** Where observations go. Must not throw and must not wait. */
export type Observe = ((observation: Observation) => void) & {
  /** Whether anybody would read this kind; left out: yes. Asked once, at start, by those for whom building one costs. */
  readonly wants?: (kind: Observation["kind"]) => boolean;
};

import type { GoTrueAdminApi } from "@supabase/auth-js";
import type { PostgrestClient } from "@supabase/postgrest-js";
import type { StorageClient } from "@supabase/storage-js";
import type { HttpClient } from "./http-client.ts";
import type { Jobs } from "./jobs.ts";
import type { Mails } from "./mail.ts";
import type { Database } from "./register.ts";
import type { Transaction } from "./transaction.ts";

/** Who called. */
export interface User {
  readonly id: string;
  /** The database role statements run as: `authenticated`, or the app's own. */
  readonly role: string;
  readonly email: string | null;
  readonly phone: string | null;
  readonly isAnonymous: boolean;
  /** All claims of the verified token. */
  readonly claims: Readonly<Record<string, unknown>>;
}

/** Writes into the log of this invocation, and into the server's. Fields are kept as JSON; secrets by their usual names are struck out. */
export interface Log {
  debug(message: string, fields?: Readonly<Record<string, unknown>>): void;
  info(message: string, fields?: Readonly<Record<string, unknown>>): void;
  warn(message: string, fields?: Readonly<Record<string, unknown>>): void;
  error(message: string, fields?: Readonly<Record<string, unknown>>): void;
}

/** Tables and functions of the schemas the API serves, by the builder of supabase-js. */
export type Db = PostgrestClient<Database>;

/** As the service role, which row level security does not bind. */
export type Admin = Db & { readonly storage: StorageClient; readonly auth: { readonly admin: GoTrueAdminApi } };

/** What a function has besides what it was called with. */
export interface Context {
  /** Of the request, or of the run of a job: in every log line, and in the `X-Request-Id` of the answer. */
  readonly requestId: string;
  /** `null` when nobody is signed in, and in what runs on time or on a change. */
  readonly user: User | null;
  /** As the caller: row level security decides. Without a caller (jobs, schedules, changes) as the service role. */
  readonly db: Db;
  /** Files, as the caller. */
  readonly storage: StorageClient;
  readonly admin: Admin;
  /** Statements of one transaction. As the caller unless told otherwise; commits when `work` resolves, rolls back when it throws. */
  transaction<T>(work: (tx: Transaction) => Promise<T>, options?: { readonly as?: "caller" | "admin" }): Promise<T>;
  /** What the project has given its functions: what is in `functions/.env`, and the variables that `MAINSTAY_FUNCTIONS_SECRETS` names. */
  readonly secrets: Readonly<Record<string, string | undefined>>;
  readonly jobs: Jobs;
  readonly mail: Mails;
  readonly log: Log;
  /** The global `fetch`: reaches the public internet, the project itself and the hosts that `MAINSTAY_FUNCTIONS_ALLOWED_HOSTS` names, never another private address. */
  readonly fetch: typeof globalThis.fetch;
  /** For data that others publish: cached, retried, and still there when they are not. */
  readonly http: HttpClient;
  /** Aborted when the caller leaves or the time limit has passed. */
  readonly signal: AbortSignal;
  /** Lets the answer go out while `work` goes on, within the time limit. What it rejects with is logged. */
  waitUntil(work: Promise<unknown>): void;
}

import type { Admin, Context, Db, HttpClient, JobContext, Jobs, Log, Mails, User } from "@mainstay/functions";
import type { StorageClient } from "@supabase/storage-js";
import type { ThreadInit, ThreadInvocation, Wire } from "../wire.ts";
import { createAdmin, createDb, createStorage } from "./clients.ts";
import { createHttpClient } from "./http-client.ts";
import { createJobContext, hasJob } from "./job-context.ts";
import { createJobs } from "./jobs.ts";
import { createLog } from "./log.ts";
import { createMails } from "./mail.ts";
import { inTransaction } from "./transaction.ts";
import { userOf } from "./user.ts";

/** What all invocations of a thread share. */
export interface Shared {
  readonly projectUrl: string;
  readonly secrets: Readonly<Record<string, string | undefined>>;
}

export function sharedOf({ environment, projectUrl, secretNames }: ThreadInit): Shared {
  const secrets: Record<string, string | undefined> = Object.create(null);
  for (const name of secretNames) secrets[name] = environment[name];
  return { projectUrl: projectUrl.replace(/\/+$/, ""), secrets: Object.freeze(secrets) };
}

/** What a handler gets besides. Each part is made when it is first looked at: most handlers look at few. */
export function createContext(shared: Shared, invocation: ThreadInvocation, wire: Wire): Context | JobContext {
  return hasJob(invocation) ? createJobContext(shared, invocation, wire) : createBase(shared, invocation, wire);
}

export const createBase = (shared: Shared, invocation: ThreadInvocation, wire: Wire): Context =>
  new FunctionContext(shared, invocation, wire);

/** Handlers take it apart: nothing of it needs `this`. Accessors are the class's, since ones of each object's own cost more than all the rest. */
class FunctionContext implements Context {
  readonly #shared: Shared;
  readonly #invocation: ThreadInvocation;
  readonly #wire: Wire;
  #db: Db | undefined;
  #storage: StorageClient | undefined;
  #admin: Admin | undefined;
  #jobs: Jobs | undefined;
  #mail: Mails | undefined;
  #http: HttpClient | undefined;
  #log: Log | undefined;
  #user: User | null | undefined;

  constructor(shared: Shared, invocation: ThreadInvocation, wire: Wire) {
    this.#shared = shared;
    this.#invocation = invocation;
    this.#wire = wire;
  }

  get requestId(): string {
    return this.#invocation.id;
  }

  get secrets(): Context["secrets"] {
    return this.#shared.secrets;
  }

  get user(): User | null {
    if (this.#user === undefined) this.#user = userOf(this.#invocation);
    return this.#user;
  }

  get db(): Db {
    this.#db ??= createDb(this.#shared.projectUrl, this.#wire, "caller");
    return this.#db;
  }

  get storage(): StorageClient {
    this.#storage ??= createStorage(this.#shared.projectUrl, this.#wire, "caller");
    return this.#storage;
  }

  get admin(): Admin {
    this.#admin ??= createAdmin(this.#shared.projectUrl, this.#wire);
    return this.#admin;
  }

  get jobs(): Jobs {
    this.#jobs ??= createJobs(this.#wire);
    return this.#jobs;
  }

  get mail(): Mails {
    this.#mail ??= createMails((mail) => this.#wire.call("mail.send", [mail]));
    return this.#mail;
  }

  get http(): HttpClient {
    this.#http ??= createHttpClient(this.#wire);
    return this.#http;
  }

  get log(): Log {
    this.#log ??= createLog(this.#wire);
    return this.#log;
  }

  get signal(): AbortSignal {
    return this.#invocation.signal;
  }

  get fetch(): typeof globalThis.fetch {
    return globalThis.fetch;
  }

  get transaction(): Context["transaction"] {
    return (work, options = {}) => inTransaction(this.#wire, options.as ?? "caller", work);
  }

  get waitUntil(): Context["waitUntil"] {
    return (work) => this.#invocation.waitUntil(work);
  }
}

import type { Admin, Context, Db, HttpClient, JobContext, Jobs, Log, User } from "@mainstay/functions";
import type { StorageClient } from "@supabase/storage-js";
import type { ThreadInit, ThreadInvocation, Wire } from "../wire.ts";
import { createAdmin, createDb, createStorage } from "./clients.ts";
import { createHttpClient } from "./http-client.ts";
import { createJobContext, hasJob } from "./job-context.ts";
import { createJobs } from "./jobs.ts";
import { createLog } from "./log.ts";
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

/** An object of its own, with own properties: handlers take it apart, and copy it with `...`. */
export function createBase({ projectUrl, secrets }: Shared, invocation: ThreadInvocation, wire: Wire): Context {
  let db: Db | undefined;
  let storage: StorageClient | undefined;
  let admin: Admin | undefined;
  let jobs: Jobs | undefined;
  let http: HttpClient | undefined;
  let log: Log | undefined;
  let user: User | null | undefined;
  return {
    requestId: invocation.id,
    secrets,
    get user() {
      if (user === undefined) user = userOf(invocation);
      return user;
    },
    get db() {
      db ??= createDb(projectUrl, wire, "caller");
      return db;
    },
    get storage() {
      storage ??= createStorage(projectUrl, wire, "caller");
      return storage;
    },
    get admin() {
      admin ??= createAdmin(projectUrl, wire);
      return admin;
    },
    get jobs() {
      jobs ??= createJobs(wire);
      return jobs;
    },
    get http() {
      http ??= createHttpClient(wire);
      return http;
    },
    get log() {
      log ??= createLog(wire);
      return log;
    },
    get signal() {
      return invocation.signal;
    },
    get fetch() {
      return globalThis.fetch;
    },
    transaction: (work, options = {}) => inTransaction(wire, options.as ?? "caller", work),
    waitUntil: (work) => invocation.waitUntil(work),
  };
}

import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { type Accounts, createAuth } from "./capabilities/auth/index.ts";
import {
  createFunctions,
  type Definitions,
  type FunctionLogs,
  planOf,
  readFunctionLogs,
} from "./capabilities/functions/index.ts";
import type { DefinitionSummary, Diagnostic, FunctionSet } from "./capabilities/functions/types.ts";
import {
  type AccessKeys,
  createAccessKeys,
  createStorageTools,
  type StorageTools,
} from "./capabilities/storage/index.ts";
import { createWebhookSecrets, createWebhookTools, type WebhookTools } from "./capabilities/webhooks/index.ts";
import type { ServerOptions } from "./compose.ts";
import { type Config, loadConfig } from "./config.ts";
import { systemClock } from "./kernel/clock.ts";
import { localUrl } from "./kernel/local-url.ts";
import { openIdentity } from "./platform/identity/index.ts";
import type { ApiKeys } from "./platform/identity/types.ts";
import { jobsStore } from "./platform/jobs/store.ts";
import { createJobTools, type JobTools } from "./platform/jobs/tools.ts";
import type { Observe } from "./platform/observe/observation.ts";
import { createOutbox } from "./platform/outbox/index.ts";
import type { Database } from "./platform/postgres/database.ts";
import { pgConfigOf } from "./platform/postgres/external/index.ts";
import { type MigrationReport, migrate } from "./platform/postgres/migrate/index.ts";
import { type OpenPostgres, openPostgres } from "./platform/postgres/open.ts";
import { type ConnectReplication, connectReplication } from "./platform/postgres/replication.ts";
import { authSettingsOf } from "./preflight.ts";
import type { Project } from "./project.ts";
import { migrationNeeds, openProjectBlobs, postgresNeeds } from "./project-parts.ts";

/** The database without the server: for commands that look or change something and leave. */
export interface OpenProjectDatabase {
  readonly config: Config;
  readonly project: Project;
  readonly database: Database;
  /** The administrator's way in. A secret. */
  readonly url: string;
  /** A connection to the same database that can stream its log. */
  readonly connectReplication: ConnectReplication;
  /** True when the embedded PostgreSQL was already running for another process of this project, and stays. */
  readonly isShared: boolean;
  migrate(): Promise<MigrationReport>;
  close(): Promise<void>;
}

type Open = Pick<OpenProjectDatabase, "config" | "database">;

/** The project's keys as its files have them; a command is over before they are others. */
const readKeys = ({ project, identity }: Config, observe: Observe) =>
  openIdentity({
    keysDir: join(project.dataDir, "keys"),
    settings: { ...identity, keyPollMs: 0 },
    observe,
    clock: systemClock,
  });

/** The same, for what is sealed with them: with a master key it is the database that has the keys. */
async function openSharedKeys({ config, database }: Open, observe: Observe) {
  const keys = await readKeys(config, observe);
  const sharing = config.identity.masterKey === null ? null : await keys.share({ database });
  return {
    keys,
    async close(): Promise<void> {
      await sharing?.close();
      keys.close();
    },
  };
}

/** The project's accounts without the server: for commands. */
export interface OpenProjectAccounts {
  readonly accounts: Accounts;
  close(): Promise<void>;
}

/** What sign-in does with accounts, on a database that is open and migrated. To be closed before the database. */
export async function openProjectAccounts({ config, database }: Open, observe: Observe): Promise<OpenProjectAccounts> {
  const keys = await readKeys(config, observe);
  const auth = createAuth({
    db: database,
    identity: keys.identity,
    signer: keys.signer,
    settings: authSettingsOf(config),
    clock: systemClock,
    observe,
    // Never started here: what is put into it leaves with the next server.
    outbox: createOutbox({ db: database, key: keys.signer.deriveKey("outbox"), settings: config.outbox, observe }),
  });
  return {
    accounts: auth.accounts,
    async close() {
      await auth.stop?.(AbortSignal.timeout(5_000));
      keys.close();
    },
  };
}

/** The project's files without the server: for commands. */
export interface OpenProjectStorage {
  readonly tools: StorageTools;
  close(): Promise<void>;
}

/** What can be done with files on a database that is open and migrated. To be closed before the database. */
export async function openProjectStorage({ config, database }: Open, observe: Observe): Promise<OpenProjectStorage> {
  const settings = config.storage;
  const blobs = await openProjectBlobs(config, database, observe);
  return { tools: createStorageTools({ db: database, blobs, settings, observe }), close: () => blobs.close() };
}

/** The access keys of the S3 endpoint without the server: for commands. */
export interface OpenProjectS3Keys {
  readonly accessKeys: AccessKeys;
  close(): Promise<void>;
}

/** Access keys, on a database that is open and migrated. To be closed before the database. */
export async function openProjectS3Keys({ config, database }: Open, observe: Observe): Promise<OpenProjectS3Keys> {
  const { keys, close } = await openSharedKeys({ config, database }, observe);
  return {
    accessKeys: createAccessKeys(database, keys.signer),
    close,
  };
}

/** A project's webhooks without the server: for commands. */
export interface OpenProjectWebhooks {
  readonly tools: WebhookTools;
  close(): Promise<void>;
}

/** Webhooks, on a database that is open and migrated. What is to be sent leaves with the next server. To be closed before the database. */
export async function openProjectWebhooks({ config, database }: Open, observe: Observe): Promise<OpenProjectWebhooks> {
  const { keys, close } = await openSharedKeys({ config, database }, observe);
  const secrets = createWebhookSecrets(keys.signer.deriveKey("webhooks"));
  return {
    tools: createWebhookTools({ db: database, jobs: jobsStore, secrets }),
    close,
  };
}

/** Ways to call a project as somebody: for commands. */
export interface ProjectCallers {
  readonly keys: ApiKeys;
  /** A token of a few minutes, in no session, for whom this id, address or number names; `null` when nobody. */
  tokenOf(name: string): Promise<string | null>;
  close(): Promise<void>;
}

/** Long enough to call something and look at it. */
const callSeconds = 300;

/** The keys of a project, on a database that is open and migrated. To be closed before the database. */
export async function openProjectCallers(open: Open, observe: Observe): Promise<ProjectCallers> {
  const { keys, close: closeKeys } = await openSharedKeys(open, observe);
  return {
    keys: keys.keys,
    async tokenOf(name) {
      const { accounts, close } = await openProjectAccounts(open, observe);
      const user = await accounts.find(name).finally(close);
      if (user === null) return null;
      const iat = Math.floor(systemClock.nowMs() / 1_000);
      return keys.signer.sign({
        sub: user.id,
        aud: user.aud,
        role: user.role,
        iat,
        exp: iat + callSeconds,
        email: user.email,
        phone: user.phone,
        app_metadata: user.appMetadata,
        user_metadata: user.userMetadata,
        aal: "aal1",
        is_anonymous: user.isAnonymous,
      });
    },
    close: closeKeys,
  };
}

/** A project's jobs, queues and schedules without the server: for commands, on a database that is open and migrated. */
export const openProjectJobs = ({ database }: Pick<OpenProjectDatabase, "database">): JobTools =>
  createJobTools(database);

/** What a project's functions have logged, on a database that is open and migrated. */
export const openProjectLogs = ({ database }: Pick<OpenProjectDatabase, "database">): FunctionLogs =>
  readFunctionLogs(database);

/** The project's functions as they are now. */
export interface ProjectFunctions {
  readonly functions: readonly {
    readonly name: string;
    /** Relative to the project. */
    readonly file: string;
    readonly definitions: readonly DefinitionSummary[];
  }[];
  readonly diagnostics: readonly Diagnostic[];
}

/**
 * Builds the functions of a project and loads each as the server would, to say what they define. Nothing of them runs but their modules, and
 * what these ask the server for meanwhile is refused. Works beside a server that runs.
 */
export async function inspectProjectFunctions(options: ServerOptions): Promise<ProjectFunctions> {
  const config = await loadConfig(options);
  const { project } = config;
  if (project.functionsDir === null) return { functions: [], diagnostics: [] };
  mkdirSync(project.dataDir, { recursive: true, mode: 0o700 });
  const keys = await readKeys(config, options.observe);
  const functions = createFunctions({
    projectDir: project.dir,
    functionsDir: project.functionsDir,
    supabaseConfigFile: project.supabaseConfigFile,
    cacheFolder: join(project.dataDir, "cache"),
    mode: "look",
    identity: keys.identity,
    apiKeys: () => keys.keys,
    jwks: () => keys.signer.jwks(),
    secrets: config.functionSecrets,
    // Nobody waits for an answer: on a busy machine it may take its time.
    settings: { ...config.functions, functionsBootMs: Math.max(config.functions.functionsBootMs, 20_000) },
    observe: options.observe,
    projectUrl: () => localUrl(config.http.host, config.http.port),
    listening: Promise.resolve(),
    services: {},
    internalFetch: () => Promise.reject(new Error("Nobody serves this project now.")),
    receive: null,
    logs: null,
  });
  const loaded: { set: FunctionSet; defined: Definitions }[] = [];
  functions.onLoaded(async (set, defined) => {
    loaded.push({ set, defined });
    return planOf(set.functions, defined).diagnostics;
  });
  // A server has its port to live for; here nothing else would keep the process while functions load.
  const alive = setInterval(() => {}, 60_000);
  try {
    await functions.start?.();
    await functions.ready();
    const found = loaded.flatMap(({ set, defined }) =>
      set.functions.map(({ name, file }) => {
        const definitions = defined.get(name) ?? [];
        return { name, file, definitions: "severity" in definitions ? [] : definitions };
      }),
    );
    return { functions: found, diagnostics: functions.diagnostics() };
  } finally {
    await functions.stop?.(AbortSignal.timeout(5_000));
    clearInterval(alive);
    keys.close();
  }
}

/** Opens a project's database: joins the running one, or starts the embedded one for as long as it is needed. */
export async function openProjectDatabase(options: ServerOptions): Promise<OpenProjectDatabase> {
  const config = await loadConfig(options);
  mkdirSync(config.project.dataDir, { recursive: true, mode: 0o700 });
  const postgres: OpenPostgres = await openPostgres({ ...postgresNeeds(config, options), joins: true });
  return {
    config,
    project: config.project,
    database: postgres.database,
    url: postgres.url,
    connectReplication: () => connectReplication(pgConfigOf(postgres.administrator)),
    isShared: postgres.isShared,
    migrate: () => migrate(migrationNeeds(config, postgres.database, options)),
    close: () => postgres.stop(),
  };
}

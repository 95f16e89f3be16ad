import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { openScanner } from "./adapters/scanner/index.ts";
import { smsGateway } from "./adapters/sms/index.ts";
import { smtpTransport } from "./adapters/smtp/index.ts";
import { createAppMails, createAuth, hasInbox, openMailTemplates } from "./capabilities/auth/index.ts";
import { createCallerContext, createData, searchPathOf } from "./capabilities/data/index.ts";
import {
  createFunctions,
  createFunctionWork,
  createInternalFetch,
  createLogKeeper,
  createServices,
  functionsMount,
  withDefaults,
} from "./capabilities/functions/index.ts";
import { createRealtime } from "./capabilities/realtime/index.ts";
import { createStorage } from "./capabilities/storage/index.ts";
import { createWebhooks } from "./capabilities/webhooks/index.ts";
import { type Config, type GivenSettings, loadConfig } from "./config.ts";
import type { Capability } from "./kernel/capability.ts";
import { systemClock } from "./kernel/clock.ts";
import { localUrl } from "./kernel/local-url.ts";
import { type LogState, openChangeLog } from "./platform/changes/index.ts";
import { createInternal, type HttpServer, openHttpServer, type PartState } from "./platform/http/index.ts";
import { openIdentity, weakSecretProblem } from "./platform/identity/index.ts";
import { servicePrincipal } from "./platform/identity/service.ts";
import type { ApiKeys } from "./platform/identity/types.ts";
import { openJobs } from "./platform/jobs/index.ts";
import { createJobTime } from "./platform/jobs/time.ts";
import { openNodes } from "./platform/nodes/index.ts";
import type { Observe } from "./platform/observe/observation.ts";
import { createOutbox } from "./platform/outbox/index.ts";
import { openPolicies } from "./platform/policies/index.ts";
import { openCatalog } from "./platform/postgres/catalog/index.ts";
import type { Database } from "./platform/postgres/database.ts";
import { pgConfigOf } from "./platform/postgres/external/index.ts";
import { type MigrationReport, migrate, seed } from "./platform/postgres/migrate/index.ts";
import { openPostgres } from "./platform/postgres/open.ts";
import { connectReplication } from "./platform/postgres/replication.ts";
import { createRoleLogins } from "./platform/postgres/role-login.ts";
import { openSession } from "./platform/postgres/session/index.ts";
import { watchDatabase } from "./platform/postgres/watch.ts";
import { openRevocations } from "./platform/revocation/index.ts";
import { authSettingsOf, settingErrors } from "./preflight.ts";
import type { Project } from "./project.ts";
import { migrationNeeds, openProjectBlobs, postgresNeeds } from "./project-parts.ts";

export interface ServerOptions {
  readonly projectDir: string;
  readonly flags?: GivenSettings;
  readonly env?: Readonly<Record<string, string | undefined>>;
  readonly observe: Observe;
  /** `dev` is for a person who works on the project, and has what must not be in production; `start` when left out. */
  readonly mode?: "dev" | "start";
  /** `requests`: answers them and does nothing else: jobs, schedules, mails and webhooks wait for a server that does `all`, which is what is left out. */
  readonly serves?: "all" | "requests";
  /** Told how far a seed has come: what it is doing, how much is done, of how much (0 when unknown). */
  readonly onProgress?: (text: string, done: number, total: number) => void;
  /** Gives up the start. */
  readonly signal?: AbortSignal;
}

export interface RunningServer {
  /** `http://127.0.0.1:54321` */
  readonly url: string;
  /** Where mails and text messages of development are shown; `null` where there is no inbox. */
  readonly inboxUrl: string | null;
  readonly keys: ApiKeys;
  /** The administrator's way in, for psql and tools. A secret. */
  readonly databaseUrl: string;
  readonly project: Project;
  readonly config: Config;
  readonly migrations: MigrationReport;
  readonly database: Database;
  /** Applies migrations that have appeared since the start, as `dev` does while one edits. */
  migrate(): Promise<MigrationReport>;
  /** Finishes what is in flight and stops everything, in reverse. Bounded by the settings, or sooner by the signal. */
  stop(signal?: AbortSignal): Promise<void>;
}

/** What `/health` says of the log. Nobody has to follow it yet. */
const logPart = (state: LogState): PartState =>
  state === "unavailable" ? "unavailable" : state === "connecting" ? "starting" : "ok";

/** Something that was opened, to be closed in reverse. */
type Closer = (signal?: AbortSignal) => Promise<void> | void;

/**
 * Starts the whole server. Read top to bottom, this is the system.
 * Rejects with a Problem or SettingError that says what to do; whatever was already open is closed by then.
 */
export async function startServer(options: ServerOptions): Promise<RunningServer> {
  const { observe, serves = "all" } = options;
  const servesAll = serves === "all";
  const config = await loadConfig(options);
  const { project } = config;
  const [unusable] = settingErrors(config, { isDevelopment: options.mode === "dev" });
  if (unusable !== undefined) throw unusable;
  const opened: Closer[] = [];
  const stop = async (signal?: AbortSignal): Promise<void> => {
    for (const close of opened.splice(0).reverse()) await close(signal);
  };
  try {
    mkdirSync(project.dataDir, { recursive: true, mode: 0o700 });

    const keys = await openIdentity({
      keysDir: join(project.dataDir, "keys"),
      settings: config.identity,
      observe,
      clock: systemClock,
    });
    opened.push(() => keys.close());
    const weak = weakSecretProblem(keys.keys, config.http.host);
    if (weak !== null) throw weak;

    const postgres = await openPostgres(postgresNeeds(config, options));
    opened.push((signal) => postgres.stop(signal));
    const { database } = postgres;

    const applyMigrations = () => migrate(migrationNeeds(config, database, options));
    const migrations = await applyMigrations();
    await seed({
      database,
      files: project.seedFiles,
      observe,
      onProgress: options.onProgress,
      settings: config.migrations,
      signal: options.signal,
    });

    const revocations = await openRevocations({
      database,
      settings: config.identity,
      tokenSeconds: config.auth.accessTokenSeconds,
    });
    opened.push(() => revocations.close());
    if (config.identity.refuseEndedSessions) keys.refuseEnded(revocations);
    const nodes = await openNodes({ database, settings: config.nodes, observe });
    opened.push(() => nodes.close());
    const sharing = await keys.share({ database, among: { news: revocations, nodes } });
    opened.push(() => sharing.close());

    const login = await postgres.apiLogin(keys.signer.deriveKey("database login"));
    const session = await openSession({
      target: login,
      settings: config.postgres,
      observe,
      defaults: {
        search_path: searchPathOf(config.data.schemas[0] ?? "public", config.data.extraSearchPath),
        statement_timeout: `${config.postgres.statementTimeoutMs}ms`,
      },
    });
    opened.push((signal) => session.close(signal));
    const catalog = await openCatalog({
      database,
      schemas: () => config.data.schemas,
      observe,
      settings: config.catalog,
    });
    opened.push(() => catalog.close());

    const log = openChangeLog({
      database,
      connect: () => connectReplication(pgConfigOf(postgres.administrator)),
      settings: config.changes,
      observe,
      messageKey: keys.signer.deriveKey("log messages"),
    });
    opened.push(() => log.close());
    const policies = await openPolicies({ database, session, log, settings: config.policies, observe });
    opened.push(() => policies.close());

    const outbox = createOutbox({
      db: database,
      key: keys.signer.deriveKey("outbox"),
      settings: config.outbox,
      observe,
    });
    const jobs = openJobs({ db: database, nodes, settings: config.jobs, observe });
    const time = createJobTime({
      db: database,
      jobs,
      logins: createRoleLogins({
        db: database,
        administrator: postgres.administrator,
        secret: keys.signer.deriveKey("logins of roles"),
      }),
      settings: config.jobs,
      observe,
    });
    const authSettings = authSettingsOf(config);
    const transport = smtpTransport(authSettings);
    if (transport !== null) opened.push(() => transport.close());
    const isInboxOpen = hasInbox({
      settings: authSettings,
      isDevelopment: options.mode === "dev",
      host: config.http.host,
    });
    const waysOut = {
      templates: await openMailTemplates({
        settings: authSettings,
        places: { projectDir: project.dir, templatesDir: project.templatesDir },
        observe,
        followsFiles: options.mode === "dev",
      }),
      transport,
      gateway: smsGateway(authSettings),
      hasInbox: isInboxOpen,
    };

    // Known once it listens, which it does last.
    let listensAt: string | null = null;

    let url = localUrl(config.http.host, config.http.port);
    const projectUrl = () => url;
    const listening = Promise.withResolvers<void>();
    const internal = createInternal({
      identity: keys.identity,
      observe,
      settings: config.http,
      depthLimits: new Map([[functionsMount, config.functions.functionsDepthLimit]]),
    });
    const unknownJob = (name: string): void => {
      if (options.mode !== "dev") return;
      observe({
        kind: "warning",
        area: "functions",
        message: `No function defines the job "${name}": it waits for one.`,
      });
    };
    const services = createServices({
      db: database,
      mails: createAppMails({ db: database, outbox, settings: authSettings, transport, hasInbox: isInboxOpen }),
      jobs: { ...jobs, ...withDefaults(jobs, (name) => work.defaultsOf(name), unknownJob) },
      login,
      contextOf: createCallerContext({ catalog, settings: config.data }),
      service: servicePrincipal(),
      nodeId: nodes.id,
      statementTimeoutMs: config.postgres.statementTimeoutMs,
      settings: config.functions,
    });
    opened.push(() => services.close());
    const functions = createFunctions({
      projectDir: project.dir,
      functionsDir: project.functionsDir,
      supabaseConfigFile: project.supabaseConfigFile,
      cacheFolder: join(project.dataDir, "cache"),
      mode: options.mode ?? "start",
      identity: keys.identity,
      jwks: () => keys.signer.jwks(),
      apiKeys: () => keys.keys,
      secrets: config.functionSecrets,
      settings: config.functions,
      observe,
      projectUrl,
      listening: listening.promise,
      services: services.services,
      onOver: services.onOver,
      internalFetch: createInternalFetch({ internal, service: servicePrincipal(), projectUrl }),
      receive: (...given) => work.receive(...given),
      logs: createLogKeeper({ db: database, settings: config.functions, observe, clock: systemClock }),
    });
    const work = createFunctionWork({
      functions,
      db: database,
      session,
      log,
      jobs,
      schedules: time.schedules,
      steps: time.steps,
      transactions: services.transactions,
      isIdle: !servesAll,
      node: nodes.id,
      settings: { ...config.functions, jobsPayloadMaxBytes: config.jobs.jobsPayloadMaxBytes },
      observe,
      clock: systemClock,
    });

    const capabilities: readonly Capability[] = [
      work,
      functions,
      createData({ session, catalog, settings: { ...config.data, ...config.queries }, observe }),
      createAuth({
        db: database,
        identity: keys.identity,
        signer: keys.signer,
        settings: authSettings,
        clock: systemClock,
        observe,
        outbox,
        waysOut,
      }),
      createRealtime({
        db: database,
        session,
        identity: keys.identity,
        revocations,
        log,
        policies,
        nodes,
        settings: config.realtime,
        observe,
        clock: systemClock,
      }),
      createStorage(
        {
          db: database,
          session,
          identity: keys.identity,
          signer: keys.signer,
          apiKeys: () => keys.keys,
          blobs: await openProjectBlobs(config, database, observe),
          scanner: openScanner(config.storage),
          settings: config.storage,
          observe,
          clock: systemClock,
          siteFolder: project.siteDir,
          cacheFolder: join(project.dataDir, "cache"),
        },
        { buckets: config.buckets, isKeptUp: options.mode === "dev", onProgress: options.onProgress },
      ),
      ...(servesAll
        ? [
            createWebhooks({
              db: database,
              jobs,
              log,
              key: keys.signer.deriveKey("webhooks"),
              places: { listensAt: () => listensAt, publicUrl: authSettings.publicUrl },
              settings: config.webhooks,
              observe,
            }),
          ]
        : []),
    ];
    for (const capability of capabilities) {
      await capability.start?.();
      const stopIt = capability.stop?.bind(capability);
      if (stopIt) opened.push((signal) => stopIt(signal ?? new AbortController().signal));
    }

    if (servesAll) {
      await outbox.start();
      opened.push((signal) => outbox.stop(signal));
      await jobs.start();
      opened.push((signal) => jobs.stop(signal));
      await time.start();
      opened.push(() => time.stop());
    }

    const watch = watchDatabase(session);
    opened.push(() => watch.stop());
    const http: HttpServer = await openHttpServer({
      groups: capabilities.flatMap((capability) => capability.routes),
      identity: keys.identity,
      observe,
      settings: config.http,
      // A node that cannot follow the log serves everything but realtime.
      internal,
      isReady: () => ({
        parts: { database: watch.state() },
        optional: { log: logPart(log.stats().state), ...functions.parts() },
      }),
    });
    url = http.url;
    listening.resolve();
    for (const { path, accept } of capabilities.flatMap(({ upgrades = [] }) => upgrades)) http.onUpgrade(path, accept);
    listensAt = http.url;
    opened.push((signal) => {
      listensAt = null;
      const stopped = http.stop(signal);
      for (const capability of capabilities) capability.drain?.();
      return stopped;
    });

    return {
      url: http.url,
      inboxUrl: isInboxOpen ? `${http.url}/inbox` : null,
      get keys() {
        return keys.keys;
      },
      databaseUrl: postgres.url,
      project,
      config,
      migrations,
      database,
      migrate: applyMigrations,
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

import { realpathSync } from "node:fs";
import { createServer } from "node:net";
import type { Observe } from "../../observe/observation.ts";
import { askServer, type Entrance, type ServerFacts } from "./administer.ts";
import { type Binaries, prepareBinaries } from "./binaries.ts";
import { commandLine, configurationFile, defaultPort, fingerprintOf } from "./configuration.ts";
import { admitServiceUser, giveDataTo, type Home, handBack, inspectData, openHome, ownerOfData } from "./home.ts";
import { initialize, readPassword, resetPassword, superuserName, writeConfiguration } from "./initialize.ts";
import { lockFolder } from "./lock.ts";
import { LogTail } from "./log-tail.ts";
import { refuseBusyPort } from "./port-owner.ts";
import { adoptPostmaster, type Postmaster, spawnPostmaster, stopPostmaster } from "./postmaster.ts";
import { explainSystemError, problems } from "./problems.ts";
import { waitUntilReady } from "./readiness.ts";
import { ask, findRunningServer } from "./running.ts";
import { throughBatchScheduling } from "./scheduling.ts";
import { blockedAt, chooseServiceUser, type ServiceUser } from "./service-user.ts";
import { type EmbeddedPostgresSettings, withDefaults } from "./settings.ts";
import { currentSocketDirectory, prepareSocketDirectory } from "./socket-directory.ts";
import { supervise } from "./supervise.ts";

/** Our own PostgreSQL, running. Whoever opened it stops it. */
export interface EmbeddedPostgres {
  /** How the superuser comes in; `host` is the socket's folder (an address on Windows). */
  readonly connection: {
    readonly host: string;
    readonly port: number;
    readonly database: string;
    readonly superuser: { readonly user: string; readonly password: string };
  };
  /** The same as a URL that `psql` and `pg` take. Holds the password. */
  readonly url: string;
  /** `18.4` */
  readonly version: string;
  /** The postmaster's process now; another one after it had to be started again. */
  readonly pid: () => number;
  /** True when this start made the database. */
  readonly isFirstStart: boolean;
  /** True when it was found running, left by a process of ours that was killed. */
  readonly wasAdopted: boolean;
  /**
   * Stops PostgreSQL and gives the folder free. A fast shutdown, then an immediate one; bounded by the stop timeout and ten seconds,
   * and by `signal`, which ends the patience with the fast one. May be called again.
   */
  stop(signal?: AbortSignal): Promise<void>;
}

export interface EmbeddedPostgresOptions {
  /** Folder of everything: `.mainstay/postgres`. Made when missing. */
  readonly dataDir: string;
  readonly observe: Observe;
  readonly settings?: Partial<EmbeddedPostgresSettings>;
  /** Gives the start up, and stops what it has started. */
  readonly signal?: AbortSignal;
}

/**
 * Starts PostgreSQL on `dataDir`, or takes over the one a killed process of ours left running there. Waits as long as its crash
 * recovery takes, reporting it.
 * @throws Problem `postgres/…`: problems.ts has them all, each with what to do
 */
export async function openEmbeddedPostgres(options: EmbeddedPostgresOptions): Promise<EmbeddedPostgres> {
  const settings = withDefaults(options.settings);
  try {
    options.signal?.throwIfAborted();
    const home = openHome(options.dataDir);
    const lock = await lockFolder(home.dir, settings.postgresLockPatienceMs, options.signal);
    try {
      return await openLocked(home, settings, options, lock.release);
    } catch (error) {
      lock.release();
      throw error;
    }
  } catch (error) {
    throw explainSystemError(error, options.dataDir);
  }
}

async function openLocked(
  home: Home,
  settings: EmbeddedPostgresSettings,
  options: EmbeddedPostgresOptions,
  unlock: () => void,
): Promise<EmbeddedPostgres> {
  const { observe, signal } = options;
  const user = chooseServiceUser(settings.postgresUser, ownerOfData(home));
  if (user !== null) admitServiceUser(home, user);
  const isReachable = reachability(home, user);
  const binaries = await prepareBinaries({
    installation: settings.postgresInstallation,
    user,
    cacheDir: settings.postgresCacheDir,
    linksDir: home.links,
  });
  const isFirstStart = !inspectData(home, binaries.major, binaries.version);
  const log = new LogTail(home.log, settings.postgresLogLimitBytes, ({ level, message }) =>
    observe({ kind: "postgres.log", level, line: message }),
  );
  const needs: Needs = { home, settings, observe, signal, user, isReachable, binaries, log };
  try {
    const adopted = isFirstStart ? null : await adopt(needs);
    const server = adopted ?? (await startFresh(needs, isFirstStart));
    handBack(home);
    observe({ kind: "postgres.ready", version: server.facts.version });
    const supervised = supervise({
      postmaster: server.postmaster,
      observe,
      lastLines: () => log.lastLines(),
      restart: (restartSignal) => startPostmaster({ ...needs, signal: restartSignal }, server.entrance.port),
      stop: (postmaster, stopSignal) =>
        stopPostmaster(postmaster, home.data, settings.postgresStopTimeoutMs, stopSignal),
    });
    const { user: name, password, host, port, database } = server.entrance;
    return {
      connection: { host, port, database, superuser: { user: name, password } },
      url: urlOf(server.entrance),
      version: server.facts.version,
      pid: () => supervised.pid(),
      isFirstStart,
      wasAdopted: adopted !== null,
      async stop(stopSignal) {
        if (!(await supervised.stop(stopSignal))) return;
        log.close();
        unlock();
        handBack(home);
      },
    };
  } catch (error) {
    log.close();
    throw error;
  }
}

interface Needs {
  readonly home: Home;
  readonly settings: EmbeddedPostgresSettings;
  readonly observe: Observe;
  readonly signal: AbortSignal | undefined;
  readonly user: ServiceUser | null;
  readonly isReachable: boolean;
  readonly binaries: Binaries;
  readonly log: LogTail;
}

interface Server {
  readonly postmaster: Postmaster;
  readonly entrance: Entrance;
  readonly facts: ServerFacts;
}

/**
 * Whether PostgreSQL's user can name the data folder. When not (a project under root's home, and `.mainstay` itself, which is
 * private), PostgreSQL is started *in* the folder and told that it is `/proc/self/cwd`: a folder one is in needs no
 * passage. So nothing moves, and nothing above has to be opened to others.
 */
function reachability(home: Home, user: ServiceUser | null): boolean {
  const blocked = user === null ? null : blockedAt(realpathSync(home.dir), user);
  if (blocked === null) return true;
  if (process.platform !== "linux") throw problems.folderUnreachable(home.dir, blocked, user!.name);
  return false;
}

/** Takes over the server found running, when it is what we would start; stops it when not. */
async function adopt(needs: Needs): Promise<Server | null> {
  const { home, settings, observe, signal } = needs;
  const entranceAt = (port: number): Entrance | null => {
    const password = readPassword(home);
    return password === null ? null : entrance(currentSocketDirectory(home), port, password);
  };
  const found = await findRunningServer(home.data, entranceAt, signal);
  if (found === null) return null;
  const postmaster = adoptPostmaster(found.identity);
  observe({ kind: "postgres.starting", detail: `found running as process ${found.identity.pid}` });
  const door = entranceAt(found.file.port);
  if (door !== null && found.file.status !== "stopping") {
    try {
      await untilReady(needs, postmaster);
      const facts = await ask(door);
      const wanted = fingerprint(needs, found.file.port);
      if (facts !== null && facts.fingerprint === wanted) return { postmaster, entrance: door, facts };
    } catch (error) {
      if (signal?.aborted) {
        await stopPostmaster(postmaster, home.data, settings.postgresStopTimeoutMs);
        throw error;
      }
    }
  }
  observe({
    kind: "postgres.starting",
    detail: `stopping process ${found.identity.pid}, which was started differently`,
  });
  await stopPostmaster(postmaster, home.data, settings.postgresStopTimeoutMs, signal);
  // Its children may take a moment longer.
  await findRunningServer(home.data, entranceAt, signal);
  return null;
}

async function startFresh(needs: Needs, isFirstStart: boolean): Promise<Server> {
  const { home, settings, observe, user, isReachable, binaries, signal } = needs;
  if (settings.postgresPort !== null) await refuseBusyPort(settings.postgresPort);
  if (isFirstStart) {
    observe({ kind: "postgres.starting", detail: `making a new database in ${home.data}` });
    await initialize({ home, binaries, user, isReachable, settings, signal });
  } else {
    if (user !== null) giveDataTo(home, user);
    if (readPassword(home) === null) await resetPassword({ home, binaries, user, isReachable });
  }
  const port = settings.postgresPort ?? (process.platform === "win32" ? await freePort() : defaultPort);
  const postmaster = await startPostmaster(needs, port);
  const door = entrance(currentSocketDirectory(home), port, readPassword(home)!);
  try {
    return { postmaster, entrance: door, facts: await askServer(door) };
  } catch (error) {
    await stopPostmaster(postmaster, home.data, settings.postgresStopTimeoutMs);
    if ((error as { code?: string }).code === "28P01") throw problems.passwordRefused(home.passwordFile);
    throw error;
  }
}

/** Starts the postmaster on an existing data folder and waits until it is ready. The way must be free. */
async function startPostmaster(needs: Needs, port: number): Promise<Postmaster> {
  const { home, settings, observe, user, isReachable, binaries, log } = needs;
  writeConfiguration(home.data, settings, user);
  const isOnTcp = settings.postgresPort !== null || process.platform === "win32";
  const socketDir = process.platform === "win32" ? null : await prepareSocketDirectory(home, port, user);
  observe({ kind: "postgres.starting", detail: `PostgreSQL ${binaries.version} in ${home.data}` });
  const postmaster = await spawnPostmaster({
    binaries,
    data: home.data,
    dataArgument: isReachable ? home.data : "/proc/self/cwd",
    // Beside the data, its folder is named from within for the same reason.
    args: commandLine({
      port,
      isOnTcp,
      socketDir: socketDir === home.run && !isReachable ? "../run" : socketDir,
      fingerprint: fingerprint(needs, port),
    }),
    user,
    logFd: log.fd,
    through: throughBatchScheduling(settings.postgresBatchScheduling),
  });
  try {
    await untilReady(needs, postmaster);
    return postmaster;
  } catch (error) {
    if (!postmaster.hasEnded()) await stopPostmaster(postmaster, home.data, settings.postgresStopTimeoutMs);
    throw error;
  }
}

const untilReady = ({ home, log, observe, settings, signal }: Needs, postmaster: Postmaster): Promise<void> =>
  waitUntilReady({ postmaster, data: home.data, log, observe, reportMs: settings.postgresRecoveryReportMs, signal });

function fingerprint({ binaries, settings }: Needs, port: number): string {
  return fingerprintOf([
    binaries.version,
    binaries.postgres,
    port,
    settings.postgresPort ?? 0,
    configurationFile(settings),
  ]);
}

function entrance(socketDir: string, port: number, password: string): Entrance {
  const host = process.platform === "win32" ? "127.0.0.1" : socketDir;
  return { host, port, user: superuserName, password, database: "postgres" };
}

function urlOf({ host, port, user, password, database }: Entrance): string {
  const place = host.startsWith("/") ? `?host=${encodeURIComponent(host)}&port=${port}` : "";
  const authority = place === "" ? `${host}:${port}` : "";
  return `postgres://${user}:${encodeURIComponent(password)}@${authority}/${database}${place}`;
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer().once("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const { port } = server.address() as { port: number };
      server.close(() => resolve(port));
    });
  });
}

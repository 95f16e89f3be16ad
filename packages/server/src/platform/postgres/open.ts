import { join } from "node:path";
import type { Values } from "../../kernel/settings.ts";
import type { Observe } from "../observe/observation.ts";
import { embeddedApiLogin, externalApiLogin } from "./api-login.ts";
import { type Database, openDatabase } from "./database.ts";
import { type EmbeddedPostgresSettings, openEmbeddedPostgres } from "./embedded/index.ts";
import { joinEmbeddedPostgres } from "./embedded/join.ts";
import { openExternalPostgres, parseConnectionUrl, pgConfigOf } from "./external/index.ts";
import { openHotSession } from "./hot-session.ts";
import type { ConnectionTarget, SessionSettings } from "./session/index.ts";
import type { postgresSettings } from "./settings.ts";

/** The database the server works on, wherever it runs. */
export interface OpenPostgres {
  readonly database: Database;
  /** The administrator's way in, as `psql` and `pg` take it. A secret. */
  readonly url: string;
  /** How the administrator connects. */
  readonly administrator: ConnectionTarget;
  /** True when it was already running for another process, and stays when we go. */
  readonly isShared: boolean;
  /** How the API connects: as `authenticator` wherever possible. `secret` is what its password on an embedded server is derived from. */
  apiLogin(secret: Buffer): Promise<ConnectionTarget>;
  /** Closes the pool; stops the embedded server when it is ours. */
  stop(signal?: AbortSignal): Promise<void>;
}

export interface OpenPostgresNeeds {
  readonly dataDir: string;
  readonly databaseUrl: string | null;
  readonly apiDatabaseUrl: string | null;
  readonly embedded: EmbeddedPostgresSettings;
  readonly session: SessionSettings &
    Pick<Values<typeof postgresSettings>, "listenerHeartbeatMs" | "statementTimeoutMs">;
  readonly observe: Observe;
  readonly signal?: AbortSignal | undefined;
  /** Use the embedded server another process is running, if there is one. */
  readonly joins?: boolean;
}

/** Opens the external database when a URL is given, the embedded one otherwise. */
export function openPostgres(needs: OpenPostgresNeeds): Promise<OpenPostgres> {
  return needs.databaseUrl === null ? openOwn(needs) : openOther(needs, needs.databaseUrl);
}

async function openOwn(needs: OpenPostgresNeeds): Promise<OpenPostgres> {
  const { dataDir, embedded, observe, signal, joins } = needs;
  const folder = join(dataDir, "postgres");
  const joined = joins ? await joinEmbeddedPostgres(folder) : null;
  const own =
    joined === null
      ? await openEmbeddedPostgres({ dataDir: folder, observe, settings: embedded, ...(signal && { signal }) })
      : null;
  const { connection } = joined ?? own!;
  const administrator: ConnectionTarget = {
    host: connection.host,
    port: connection.port,
    user: connection.superuser.user,
    password: connection.superuser.password,
    database: connection.database,
    tls: { mode: "disable", rootCertificatePath: null },
    applicationName: "mainstay",
  };
  const database = await openDatabaseAs(administrator, needs);
  return {
    database,
    url: urlOf(administrator),
    administrator,
    isShared: joined !== null,
    apiLogin: (secret) => embeddedApiLogin(administrator, secret, own?.isFirstStart === true),
    async stop(stopSignal) {
      await database.close();
      await own?.stop(stopSignal);
    },
  };
}

async function openOther(needs: OpenPostgresNeeds, databaseUrl: string): Promise<OpenPostgres> {
  const { observe, apiDatabaseUrl } = needs;
  const { target: administrator } = await openExternalPostgres({ url: databaseUrl, observe });
  const database = await openDatabaseAs(administrator, needs);
  return {
    database,
    url: databaseUrl,
    administrator,
    isShared: true,
    apiLogin: async () =>
      apiDatabaseUrl === null ? externalApiLogin(administrator, observe) : parseConnectionUrl(apiDatabaseUrl),
    stop: () => database.close(),
  };
}

async function openDatabaseAs(administrator: ConnectionTarget, needs: OpenPostgresNeeds): Promise<Database> {
  const { session, observe } = needs;
  return openDatabase(pgConfigOf(administrator), {
    hot: await openHotSession(administrator, needs),
    preparesStatements: session.preparedStatements,
    listenerHeartbeatMs: session.listenerHeartbeatMs,
    observe,
  });
}

function urlOf({ host, port, user, password, database }: ConnectionTarget): string {
  const secret = password === null ? "" : `:${encodeURIComponent(password)}`;
  const isSocket = host.startsWith("/");
  const place = isSocket ? "" : `${host}:${port}`;
  return `postgres://${user}${secret}@${place}/${database}${isSocket ? `?host=${encodeURIComponent(host)}&port=${port}` : ""}`;
}

import { readFileSync } from "node:fs";
import type { ConnectionOptions } from "node:tls";
import pg from "pg";
import type { ConnectionTarget } from "../session/target.ts";

const CONNECT_TIMEOUT_MS = 10_000;

/** What `pg` (client or pool) needs to go to `target`. `prefer` is not in it: settle that first with `settleTls`. */
export function pgConfigOf(target: ConnectionTarget): pg.ClientConfig {
  const { host, port, user, database, password, applicationName } = target;
  return {
    host,
    port,
    user,
    database,
    ...(password === null ? {} : { password }),
    ...(applicationName === null ? {} : { application_name: applicationName }),
    ssl: tlsOptionsOf(target),
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    keepAlive: true,
  };
}

/** libpq's modes in Node's words. https://www.postgresql.org/docs/current/libpq-ssl.html#LIBPQ-SSL-SSLMODE-STATEMENTS */
function tlsOptionsOf({ host, tls }: ConnectionTarget): false | ConnectionOptions {
  if (tls.mode === "disable" || host.startsWith("/")) return false;
  const isVerified = tls.mode === "verify-ca" || tls.mode === "verify-full";
  return {
    rejectUnauthorized: isVerified,
    ...(tls.rootCertificatePath === null ? {} : { ca: readFileSync(tls.rootCertificatePath) }),
    ...(tls.mode === "verify-ca" ? { checkServerIdentity: () => undefined } : {}),
  };
}

/** Connects, and says how: a target with `prefer` comes back with `require` or `disable`. The caller ends the client. */
export async function connectTo(
  target: ConnectionTarget,
): Promise<{ readonly client: pg.Client; readonly target: ConnectionTarget }> {
  if (target.tls.mode !== "prefer") return { client: await connect(target), target };
  const encrypted: ConnectionTarget = { ...target, tls: { ...target.tls, mode: "require" } };
  try {
    return { client: await connect(encrypted), target: encrypted };
  } catch (error) {
    // The words of `pg`: the server answered, and has no TLS.
    if (!/does not support SSL/.test((error as Error).message)) throw error;
    const plain: ConnectionTarget = { ...target, tls: { ...target.tls, mode: "disable" } };
    return { client: await connect(plain), target: plain };
  }
}

async function connect(target: ConnectionTarget): Promise<pg.Client> {
  const client = new pg.Client(pgConfigOf(target));
  client.on("error", () => {});
  await client.connect();
  return client;
}

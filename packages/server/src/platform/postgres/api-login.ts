import { createHmac } from "node:crypto";
import pg from "pg";
import type { Observe } from "../observe/observation.ts";
import { pgConfigOf } from "./external/index.ts";
import type { ConnectionTarget } from "./session/index.ts";

/** The role the API connects as: it owns nothing, inherits nothing, and may only become one of the API's roles. */
const role = "authenticator";

/**
 * Lets the API's login into the embedded server, where nobody else uses it: its password is derived from a key of the project,
 * and set when the server knows another (on a first start, and after the keys were replaced).
 */
export async function embeddedApiLogin(
  administrator: ConnectionTarget,
  secret: Buffer,
  isFirstStart: boolean,
): Promise<ConnectionTarget> {
  const login = { ...administrator, user: role, password: secret.toString("base64url") };
  if (isFirstStart || (await refusalOf(login)) !== null) await setPassword(administrator, login);
  return login;
}

/**
 * The API's login on a server of somebody's own. Its password is derived from the administrator's, so that every node with the same
 * URL has the same. It is only set on a role that has none: one that has is in use elsewhere (PostgREST, a Supabase project). Where it
 * cannot be had, the API connects as the URL says, and a warning tells what to do.
 */
export async function externalApiLogin(administrator: ConnectionTarget, observe: Observe): Promise<ConnectionTarget> {
  if (administrator.password !== null) {
    const password = createHmac("sha256", administrator.password).update("mainstay api login").digest("base64url");
    const login = { ...administrator, user: role, password };
    if ((await refusalOf(login)) === null) return login;
    if (await setPasswordIfNone(administrator, login)) {
      if ((await refusalOf(login)) === null) return login;
    }
  }
  observe({
    kind: "warning",
    area: "postgres",
    message: `The API connects as "${administrator.user}". Better a login that owns nothing: set MAINSTAY_API_DATABASE_URL to one of the role "${role}".`,
  });
  return administrator;
}

/** Why the server does not let this login in; `null` when it does. Throws when the server itself is the trouble. */
async function refusalOf(login: ConnectionTarget): Promise<string | null> {
  const client = new pg.Client(pgConfigOf(login));
  client.on("error", () => {});
  try {
    await client.connect();
    await client.end();
    return null;
  } catch (error) {
    const code = (error as { code?: string }).code ?? "";
    // Class 28: invalid authorization (wrong password, no entry in pg_hba.conf, no such role). 42501: may not connect here.
    if (code.startsWith("28") || code === "42501") return code;
    throw error;
  }
}

async function setPassword(administrator: ConnectionTarget, login: ConnectionTarget): Promise<void> {
  const client = new pg.Client(pgConfigOf(administrator));
  await client.connect();
  try {
    // base64url: nothing in it needs escaping, and `alter role` takes no parameters.
    await client.query(`alter role ${role} with login password '${login.password}'`);
  } finally {
    await client.end();
  }
}

/** Only a superuser may see whether a role has a password; anybody else leaves it alone. */
async function setPasswordIfNone(administrator: ConnectionTarget, login: ConnectionTarget): Promise<boolean> {
  const client = new pg.Client(pgConfigOf(administrator));
  await client.connect();
  try {
    const { rows } = await client.query<{ free: boolean }>(
      "select rolpassword is null as free from pg_catalog.pg_authid where rolname = $1",
      [role],
    );
    if (rows[0]?.free !== true) return rows.length > 0;
    await client.query(`alter role ${role} with login password '${login.password}'`);
    return true;
  } catch {
    // Not allowed, or another node is doing the same right now: the next try to log in tells.
    return true;
  } finally {
    await client.end();
  }
}

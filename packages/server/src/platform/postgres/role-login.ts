import { createHmac } from "node:crypto";
import pg from "pg";
import { sql } from "pg-sql2";
import type { Database } from "./database.ts";
import { pgConfigOf } from "./external/index.ts";
import type { ConnectionTarget } from "./session/index.ts";
import { sqlStateOf } from "./sql-state.ts";

export interface RoleLoginNeeds {
  readonly db: Pick<Database, "query" | "connect">;
  readonly administrator: ConnectionTarget;
  /** What names and passwords of logins are derived from: the same on every node of a project, and of nobody else. */
  readonly secret: Buffer;
}

/** Connections that can do what one role can and nothing more, for SQL that is the role's own. */
export interface RoleLogins {
  /**
   * A connection as the role, with its settings. The caller ends it. Rejects with pg's error when the role cannot be had: it is no more, or the
   * administrator may not make logins.
   */
  connect(role: string, applicationName: string): Promise<pg.Client>;
}

interface RoleFacts {
  readonly is_superuser: boolean;
  readonly administers_all: boolean;
  readonly database: string;
  readonly server_version: number;
  readonly settings: readonly string[] | null;
}

/**
 * `set role` on the administrator's connection would not do: whatever runs there can say `reset role`. So each role has a login of its
 * own, which inherits nothing and is a member of that role only: going back leads nowhere. The administrator's own role, and
 * superusers, who can do everything anyway, need none.
 */
export function createRoleLogins({ db, administrator, secret }: RoleLoginNeeds): RoleLogins {
  return {
    async connect(role, applicationName) {
      const facts = await readFacts(db, role);
      const isOwn = role === administrator.user;
      const needsLogin = !isOwn && !(facts.is_superuser && facts.administers_all);
      const target = needsLogin ? loginOf(role, facts.database) : administrator;
      const client = await open(target, isOwn ? null : role, applicationName).catch(async (error: unknown) => {
        if (!needsLogin || !isRefused(error)) throw error;
        await letIn(db, target, role, facts);
        return open(target, role, applicationName);
      });
      try {
        await applySettings(client, facts.settings ?? []);
        return client;
      } catch (error) {
        await client.end().catch(() => {});
        throw error;
      }
    },
  };

  function loginOf(role: string, database: string): ConnectionTarget {
    const derive = (what: string) => createHmac("sha256", secret).update(`${what}\0${database}\0${role}`).digest();
    const user = `mainstay_as_${derive("login").toString("hex").slice(0, 24)}`;
    return { ...administrator, user, password: derive("password").toString("base64url") };
  }
}

async function open(target: ConnectionTarget, role: string | null, applicationName: string): Promise<pg.Client> {
  const options = role === null ? {} : { options: `-c role=${role.replaceAll(/[\\\s]/g, "\\$&")}` };
  const client = new pg.Client({ ...pgConfigOf(target), ...options, application_name: applicationName });
  // Told to whoever waits for a statement; with none, nobody needs to know.
  client.on("error", () => {});
  await client.connect();
  return client;
}

async function readFacts(db: RoleLoginNeeds["db"], role: string): Promise<RoleFacts> {
  const [facts] = await db.query<RoleFacts>(sql`
    select r.rolsuper as is_superuser, (select a.rolsuper from pg_catalog.pg_roles a where a.rolname = current_user) as administers_all,
      current_database() as database, current_setting('server_version_num')::int as server_version,
      (select array_agg(setting order by s.setdatabase, at)
       from pg_catalog.pg_db_role_setting s, unnest(s.setconfig) with ordinality as c (setting, at)
       where s.setrole = r.oid
         and s.setdatabase in (0, (select d.oid from pg_catalog.pg_database d where d.datname = current_database()))) as settings
    from pg_catalog.pg_roles r where r.rolname = ${sql.value(role)}`);
  if (facts === undefined) throw new Error(`role "${role}" does not exist`);
  return facts;
}

/** Class 28: no such login, or another password. 42501: it may not connect, or not become the role (22023 where that is set at once). */
function isRefused(error: unknown): boolean {
  const state = sqlStateOf(error) ?? "";
  return state.startsWith("28") || state === "42501" || state === "22023";
}

/** Makes the login, or what is missing of it. Several nodes may come here at once. */
async function letIn(db: RoleLoginNeeds["db"], login: ConnectionTarget, role: string, facts: RoleFacts): Promise<void> {
  const [user, target, database] = [login.user, role, facts.database].map((name) => pg.escapeIdentifier(name));
  const client = await db.connect();
  client.on("error", () => {});
  try {
    const { rowCount } = await client.query("select from pg_catalog.pg_roles where rolname = $1", [login.user]);
    if (rowCount === 0) {
      await client.query(`create role ${user} noinherit`).catch((error: unknown) => {
        // Made by another node in this moment.
        if (!["42710", "23505"].includes(sqlStateOf(error) ?? "")) throw error;
      });
    }
    // base64url: nothing in it needs escaping, and `alter role` takes no parameters.
    await client.query(`alter role ${user} with login noinherit password '${login.password}'`);
    const membership = facts.server_version >= 160_000 ? " with inherit false, set true" : "";
    await client.query(`grant ${target} to ${user}${membership}`);
    await client.query(`grant connect on database ${database} to ${user}`);
  } finally {
    await client.end().catch(() => {});
  }
}

/** What `alter role … set` says comes with a login only; `set role` leaves it out. What the role may not set itself is left as it is. */
async function applySettings(client: pg.Client, settings: readonly string[]): Promise<void> {
  for (const setting of settings) {
    const at = setting.indexOf("=");
    const given = [setting.slice(0, at), setting.slice(at + 1)];
    await client.query("select pg_catalog.set_config($1, $2, false)", given).catch((error: unknown) => {
      if (sqlStateOf(error) === null) throw error;
    });
  }
}

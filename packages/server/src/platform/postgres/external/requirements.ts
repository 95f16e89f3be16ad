import { oldestMajor, patchLevelOf } from "./patch-level.ts";

/** One thing the server needs of a PostgreSQL that is not its own. */
export interface Requirement {
  readonly name: string;
  /** `missing` keeps us from starting; `warning` takes something away. */
  readonly state: "met" | "warning" | "missing";
  /** What was found, in a sentence. */
  readonly found: string;
  /** What to do; `null` when met. */
  readonly remedy: string | null;
}

/** What a PostgreSQL says of itself and of the user we are. */
export interface ExternalFacts {
  readonly version: string;
  readonly user: string;
  readonly database: string;
  readonly encoding: string;
  readonly walLevel: string;
  readonly maxSlotWalKeepSize: string;
  readonly isReplica: boolean;
  readonly isSuperuser: boolean;
  readonly canCreateRoles: boolean;
  readonly canReplicate: boolean;
  readonly bypassesRowSecurity: boolean;
  readonly canCreateSchemas: boolean;
  /** Of those the API needs. */
  readonly existingRoles: readonly string[];
  /** Existing ones that we may act as: SET ROLE. */
  readonly usableRoles: readonly string[];
  readonly availableExtensions: readonly string[];
  readonly connections: number;
}

export const neededRoles = ["anon", "authenticated", "service_role", "authenticator"] as const;

/** Fewer leave no room beside the server's own lanes. */
const FEWEST_CONNECTIONS = 30;

/** Judges the facts; every requirement is in the answer, met or not, in the order a person would look. */
export function judge(facts: ExternalFacts): Requirement[] {
  return [
    version(facts),
    requirement("primary", !facts.isReplica, "missing", {
      found: facts.isReplica ? "this server is a read-only replica" : "this server takes writes",
      remedy: "Use the URL of the primary.",
    }),
    requirement("encoding", facts.encoding === "UTF8", "missing", {
      found: `database "${facts.database}" is ${facts.encoding}`,
      remedy: `Make a database with: create database … encoding 'UTF8' template template0`,
    }),
    requirement("create schemas", facts.canCreateSchemas || facts.isSuperuser, "missing", {
      found: `user "${facts.user}" ${facts.canCreateSchemas ? "may" : "may not"} create schemas in "${facts.database}"`,
      remedy: `As the database's owner: grant create on database ${quote(facts.database)} to ${quote(facts.user)}`,
    }),
    roles(facts),
    actAsRoles(facts),
    serviceRole(facts),
    requirement("wal_level", facts.walLevel === "logical", "warning", {
      found: `wal_level is ${facts.walLevel}`,
      remedy:
        "For realtime, sync and webhooks set wal_level = logical (managed services: their switch for logical replication) and restart.",
    }),
    requirement("replication", facts.canReplicate || facts.isSuperuser, "warning", {
      found: `user "${facts.user}" ${facts.canReplicate || facts.isSuperuser ? "may" : "may not"} read the change stream`,
      remedy: `For realtime, sync and webhooks, as a superuser: alter role ${quote(facts.user)} replication`,
    }),
    requirement("wal retention", facts.maxSlotWalKeepSize !== "-1", "warning", {
      found: `max_slot_wal_keep_size is ${facts.maxSlotWalKeepSize === "-1" ? "unlimited" : facts.maxSlotWalKeepSize}`,
      remedy: "Set max_slot_wal_keep_size (2GB, say), or a change reader that stops fills the disk.",
    }),
    requirement("event triggers", facts.isSuperuser, "warning", {
      found: `user "${facts.user}" is ${facts.isSuperuser ? "a" : "no"} superuser`,
      remedy: "Where event triggers are refused, say after changing tables: notify pgrst, 'reload schema'",
    }),
    extensions(facts),
    requirement("connections", facts.connections >= FEWEST_CONNECTIONS, "warning", {
      found: `max_connections is ${facts.connections}`,
      remedy: `Raise it to ${FEWEST_CONNECTIONS} or more, or lower MAINSTAY_WRITE_CONNECTIONS and MAINSTAY_SLOW_CONNECTIONS.`,
    }),
  ];
}

function version({ version }: ExternalFacts): Requirement {
  const level = patchLevelOf(version);
  const found = `PostgreSQL ${version}`;
  switch (level.kind) {
    case "current":
      return { name: "version", state: "met", found, remedy: null };
    case "behind":
      return {
        name: "version",
        state: "warning",
        found: `${found}, without the security fixes up to ${level.newest}`,
        remedy: `Update to ${level.newest} or newer; no dump is needed within a major version.`,
      };
    case "unsupported":
      return { name: "version", state: "missing", found, remedy: `Use PostgreSQL ${oldestMajor} or newer.` };
  }
}

function roles(facts: ExternalFacts): Requirement {
  const absent = neededRoles.filter((role) => !facts.existingRoles.includes(role));
  const canCreate = facts.isSuperuser || facts.canCreateRoles;
  return requirement("roles", absent.length === 0 || canCreate, "missing", {
    found:
      absent.length === 0
        ? "all roles are there"
        : `${absent.join(", ")} ${canCreate ? "will be created" : `not there, and user "${facts.user}" may not create roles`}`,
    remedy: `As a superuser: alter role ${quote(facts.user)} createrole, or create them: ${absent.map(creation).join("; ")}`,
  });
}

function creation(role: (typeof neededRoles)[number]): string {
  switch (role) {
    case "authenticator":
      return "create role authenticator login noinherit password '…'";
    case "service_role":
      return "create role service_role nologin bypassrls";
    case "anon":
    case "authenticated":
      return `create role ${role} nologin`;
  }
}

function actAsRoles(facts: ExternalFacts): Requirement {
  const barred = facts.existingRoles.filter((role) => role !== "authenticator" && !facts.usableRoles.includes(role));
  return requirement("act as roles", facts.isSuperuser || barred.length === 0, "missing", {
    found:
      barred.length === 0 || facts.isSuperuser
        ? "requests can run as every role that exists"
        : `user "${facts.user}" is no member of ${barred.join(", ")}`,
    remedy: `As a superuser: grant ${barred.join(", ")} to ${quote(facts.user)}`,
  });
}

/** Creating a role that passes row level security takes one that does so itself (PostgreSQL 16 and newer). */
function serviceRole(facts: ExternalFacts): Requirement {
  const isThere = facts.existingRoles.includes("service_role");
  const can = isThere || facts.isSuperuser || facts.bypassesRowSecurity;
  return requirement("service role", can, "missing", {
    found: isThere
      ? "service_role is there"
      : can
        ? "service_role can be created"
        : `service_role has to pass row level security, and user "${facts.user}" may not create such a role`,
    remedy: `As a superuser: create role service_role nologin bypassrls; grant service_role to ${quote(facts.user)}`,
  });
}

/** What projects made for Supabase expect in their first migration. */
const usualExtensions = ["pgcrypto", "uuid-ossp"];

function extensions(facts: ExternalFacts): Requirement {
  const absent = usualExtensions.filter((name) => !facts.availableExtensions.includes(name));
  return requirement("extensions", absent.length === 0, "warning", {
    found: absent.length === 0 ? `${usualExtensions.join(", ")} can be created` : `${absent.join(", ")} not installed`,
    remedy: "Install PostgreSQL's contrib package (Debian: postgresql-contrib), if the project's migrations use them.",
  });
}

function requirement(
  name: string,
  isMet: boolean,
  otherwise: "warning" | "missing",
  words: { readonly found: string; readonly remedy: string },
): Requirement {
  return isMet
    ? { name, state: "met", found: words.found, remedy: null }
    : { name, state: otherwise, found: words.found, remedy: words.remedy };
}

const quote = (name: string): string => (/^[a-z_][a-z0-9_]*$/.test(name) ? name : `"${name.replaceAll('"', '""')}"`);

import { accessSync, constants, existsSync, readFileSync, statfsSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { type Check, type Finding, fail, ok, warn } from "./finding.ts";
import { bundledPostgres } from "./postgres-bundle.ts";

const megabyte = 1024 * 1024;
/** A new database takes some 100 MB, and PostgreSQL stops where it cannot write its log. */
const freeNeededBytes = 256 * megabyte;
const freeWantedBytes = 2048 * megabyte;

export const checkProject: Check = ({ projectDir, config }) => {
  if (!existsSync(projectDir))
    return [fail("project", `${projectDir} does not exist`, "Make it: mainstay init <folder>")];
  if (config === null) return [];
  const { configFile, migrationsDir, layout } = config.project;
  if (configFile === null && migrationsDir === null) {
    return [
      warn(
        "project",
        `${projectDir} has neither a config file nor migrations`,
        "Is --dir right? `mainstay init` makes a project.",
      ),
    ];
  }
  return [ok("project", `${projectDir}${layout === "supabase" ? ", with its files in supabase/" : ""}`)];
};

export const checkDisk: Check = ({ projectDir }) => {
  const { bavail, bsize } = statfsSync(nearestExisting(projectDir));
  const freeBytes = bavail * bsize;
  const found = `${Math.floor(freeBytes / megabyte).toLocaleString("en")} MB free on the project's disk`;
  if (freeBytes < freeNeededBytes)
    return [fail("disk", found, "Free some space: PostgreSQL stops when it cannot write its log.")];
  if (freeBytes < freeWantedBytes) return [warn("disk", found, "Free some space before it runs out.")];
  return [ok("disk", found)];
};

/** The data folder is private, writable, and of this user; as root, PostgreSQL's own user must get to it. */
export const checkFolder: Check = ({ projectDir, config }) => {
  const dir = config?.project.dataDir ?? join(projectDir, ".mainstay");
  const findings: Finding[] = [];
  const base = nearestExisting(dir);
  try {
    accessSync(base, constants.W_OK | constants.X_OK);
  } catch {
    findings.push(
      fail("folder", `${base} is not writable for this user`, "Run as its owner, or change its permissions."),
    );
  }
  if (existsSync(dir)) findings.push(...ownership(dir));
  if (process.getuid?.() === 0 && !config?.postgres.databaseUrl) findings.push(passage(dir));
  return findings.length > 0
    ? findings
    : [ok("folder", `${dir} ${existsSync(dir) ? "is private" : "will be made, private"}`)];
};

function ownership(dir: string): Finding[] {
  if (process.platform === "win32") return [];
  const { mode, uid } = statSync(dir);
  const findings: Finding[] = [];
  // Passable by others (0711) is right: as root, PostgreSQL's user walks through it. Readable is not.
  if ((mode & 0o066) !== 0) {
    const shown = (mode & 0o777).toString(8);
    findings.push(warn("folder", `${dir} can be read by other users (mode ${shown})`, `Run: chmod 700 ${dir}`));
  }
  const self = process.getuid?.();
  if (self !== 0 && uid !== self) {
    findings.push(
      fail(
        "folder",
        `${dir} belongs to uid ${uid}, and this is uid ${self}`,
        `Run as that user, or: sudo chown -R ${self} ${dir}`,
      ),
    );
  }
  return findings;
}

/** PostgreSQL refuses to run as root, so another user must reach its files. The supervisor knows a way around; it is said. */
function passage(dir: string): Finding {
  for (let at = dirname(dir); at !== dirname(at); at = dirname(at)) {
    if (existsSync(at) && (statSync(at).mode & 0o001) === 0) {
      return ok("folder", `as root under ${at}, which others may not enter: PostgreSQL is started inside its folder`);
    }
  }
  return ok("folder", `as root: PostgreSQL runs as an unprivileged user`);
}

/** The major version the data was written by. */
export const checkDataVersion: Check = ({ config }) => {
  if (config === null || config.postgres.databaseUrl) return [];
  const file = join(config.project.dataDir, "postgres", "data", "PG_VERSION");
  if (!existsSync(file)) return [ok("data", "no data yet: the first start makes it")];
  const written = readFileSync(file, "utf8").trim();
  const bundled = bundledPostgres()?.version.split(".")[0];
  if (config.embedded.postgresInstallation || bundled === undefined || bundled === written) {
    return [ok("data", `written by PostgreSQL ${written}`)];
  }
  return [
    fail(
      "data",
      `written by PostgreSQL ${written}, and ${bundled} is installed: files cannot be read across major versions`,
      `Set MAINSTAY_POSTGRES_INSTALLATION to a PostgreSQL ${written}, or dump there and restore into a new folder.`,
    ),
  ];
};

export function nearestExisting(path: string): string {
  let at = path;
  while (!existsSync(at) && dirname(at) !== at) at = dirname(at);
  return at;
}

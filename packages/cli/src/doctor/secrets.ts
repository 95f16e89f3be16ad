import { execFile } from "node:child_process";
import { existsSync, statSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { type Check, type Finding, fail, ok, warn } from "./finding.ts";

/** What the server itself would refuse on a public address (threat A29), told before it is put there. */
export const checkSecrets: Check = async ({ config }) => {
  if (config === null) return [];
  const findings: Finding[] = [...readableKeys(config.project.dataDir)];
  const { jwtSecret, anonKey, serviceRoleKey, publishableKey, secretKey } = config.identity;
  // Those that are generated are strong; only what the settings give can be weak.
  const { weakSecretProblem } = await import("@mainstay/server/identity");
  const given = {
    jwtSecret,
    anonKey: anonKey ?? "",
    serviceRoleKey: serviceRoleKey ?? generated,
    publishableKey: publishableKey ?? "",
    secretKey: secretKey ?? generated,
  };
  const weak = weakSecretProblem(given, "0.0.0.0");
  if (weak !== null) {
    findings.push(
      warn(
        "secrets",
        weak.message.replace(/ Refusing.*$/, ""),
        "Serving beyond this machine will be refused with it: remove it to have one generated.",
      ),
    );
  }
  return findings.length > 0 ? findings : [ok("secrets", "keys are strong, and private to this user")];
};

/** Keys of one machine alone do not go with a database that outlives it, or is others' too. */
export const checkSharedKeys: Check = ({ config }) => {
  if (config === null || !config.postgres.databaseUrl) return [];
  const { masterKey, jwtSecret, publishableKey, secretKey, jwtAlgorithm } = config.identity;
  if (masterKey !== null) return [ok("keys", "all servers of this database share their keys in it, encrypted")];
  const isGiven = jwtSecret !== null && jwtAlgorithm !== "ES256" && publishableKey !== null && secretKey !== null;
  if (isGiven) return [ok("keys", "they are given by the settings")];
  return [
    warn(
      "keys",
      `the database is elsewhere, and the keys are in ${join(config.project.dataDir, "keys")} alone: without them nobody's token is good`,
      "Set MAINSTAY_MASTER_KEY on every server, to what `openssl rand -base64 32` prints. Keep it with your backups.",
    ),
  ];
};

/** Stands for a key that the server makes: as random as that one. */
const generated = `sb_secret_${crypto.randomUUID()}${crypto.randomUUID()}`;

function readableKeys(dataDir: string): Finding[] {
  const file = join(dataDir, "keys", "keys.json");
  if (process.platform === "win32" || !existsSync(file) || (statSync(file).mode & 0o077) === 0) return [];
  return [
    warn(
      "secrets",
      `${file} can be read by other users of this machine`,
      `Run: chmod 600 ${file}; then mainstay keys rotate --api-keys`,
    ),
  ];
}

/** Secrets in git stay there for ever, for everybody who clones. */
export const checkGit: Check = async ({ projectDir }) => {
  const files = [".env", ".env.local", ".mainstay"];
  try {
    const { stdout } = await promisify(execFile)("git", ["ls-files", "-z", "--", ...files], { cwd: projectDir });
    const committed = stdout.split("\0").filter((file) => file !== "");
    if (committed.length > 0) {
      const [first] = committed;
      return [
        fail(
          "git",
          `${first}${committed.length > 1 ? ` and ${committed.length - 1} more` : ""} is in git, with what is secret in it`,
          "Run: git rm -r --cached .env .env.local .mainstay; add them to .gitignore; then change the secrets, which everybody with the history has.",
        ),
      ];
    }
    return [ok("git", "no secret file is in git")];
  } catch {
    return [ok("git", "not a git repository")];
  }
};

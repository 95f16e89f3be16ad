import { execFile } from "node:child_process";
import { randomBytes } from "node:crypto";
import {
  chmodSync,
  chownSync,
  closeSync,
  existsSync,
  fchownSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  statfsSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import type { Binaries } from "./binaries.ts";
import { configurationFile, userConfigurationFile } from "./configuration.ts";
import type { Home } from "./home.ts";
import { explainStartFailure, problems } from "./problems.ts";
import type { ServiceUser } from "./service-user.ts";
import type { EmbeddedPostgresSettings } from "./settings.ts";

const run = promisify(execFile);

export const superuserName = "postgres";

/** A fresh cluster with its first log segments is 55 MB; the rest is room to start in. */
const NEEDED_BYTES = 128 * 1024 * 1024;

/**
 * Makes a new cluster: builtin C.UTF-8 (no index depends on the machine's libc or ICU), checksums, SCRAM, one superuser with a
 * generated password. Built aside, put on disk once, then renamed: there is a whole data folder or none.
 * @throws Problem `postgres/disk-full`, `postgres/start-failed`
 */
export async function initialize(options: {
  readonly home: Home;
  readonly binaries: Binaries;
  readonly user: ServiceUser | null;
  /** Whether the user can name the folder by its path. */
  readonly isReachable: boolean;
  readonly settings: EmbeddedPostgresSettings;
  readonly signal?: AbortSignal | undefined;
}): Promise<void> {
  const { home, binaries, user } = options;
  const { bavail, bsize } = statfsSync(home.dir);
  if (bavail * bsize < NEEDED_BYTES) throw problems.diskFull(home.dir, bavail * bsize);
  const passwordCopy = join(home.dir, "initdb-password");
  rmSync(home.unfinished, { recursive: true, force: true });
  try {
    const password = readPassword(home) ?? createPassword(home);
    mkdirSync(home.unfinished, { mode: 0o700 });
    writeFileSync(passwordCopy, `${password}\n`, { mode: 0o600 });
    if (user !== null) for (const path of [home.unfinished, passwordCopy]) chownSync(path, user.uid, user.gid);
    const call = (args: readonly string[]) => runInitdb(options, args);
    await call([
      `--username=${superuserName}`,
      "--pwfile=../initdb-password",
      "--auth=scram-sha-256",
      "--encoding=UTF8",
      ...localeArguments(binaries.major),
      "--data-checksums",
      "--no-instructions",
      "--no-sync",
    ]);
    writeFileSync(join(home.unfinished, "postgresql.conf"), userConfigurationFile);
    writeConfiguration(home.unfinished, options.settings, user);
    await call(["--sync-only"]);
    renameSync(home.unfinished, home.data);
    syncFolder(home.dir);
  } catch (error) {
    // Retried: Ctrl-C in a terminal reaches initdb too, and its children may take a moment longer than it.
    rmSync(home.unfinished, { recursive: true, force: true, maxRetries: 10 });
    throw error;
  } finally {
    rmSync(passwordCopy, { force: true });
  }
}

/** Writes our defaults into a data folder, if they differ from what is there. */
export function writeConfiguration(data: string, settings: EmbeddedPostgresSettings, user: ServiceUser | null): void {
  const path = join(data, "mainstay.conf");
  const text = configurationFile(settings);
  if (existsSync(path) && readFileSync(path, "utf8") === text) return;
  // Renamed into place, so that a full disk or a crash leaves the old one.
  // The folder is the service user's: `wx` so that a link planted there is not followed by root.
  rmSync(`${path}.new`, { force: true });
  const fd = openSync(`${path}.new`, "wx", 0o600);
  try {
    writeFileSync(fd, text);
    if (user !== null) fchownSync(fd, user.uid, user.gid);
  } finally {
    closeSync(fd);
  }
  renameSync(`${path}.new`, path);
}

/** The superuser's password, or `null` when the file is gone. */
export function readPassword(home: Home): string | null {
  if (!existsSync(home.passwordFile)) return null;
  chmodSync(home.passwordFile, 0o600);
  return readFileSync(home.passwordFile, "utf8").trim() || null;
}

/**
 * Sets a new superuser password without the old one, through a stand-alone backend: for a data folder whose password file was
 * lost. No server may be running on it.
 */
export async function resetPassword(options: {
  readonly home: Home;
  readonly binaries: Binaries;
  readonly user: ServiceUser | null;
  readonly isReachable: boolean;
}): Promise<void> {
  const { home, binaries, user } = options;
  // base64url needs no quoting. Kept only once PostgreSQL has it.
  const password = randomBytes(32).toString("base64url");
  const work = run(
    binaries.postgres,
    ["--single", "-D", options.isReachable ? home.data : "/proc/self/cwd", "-c", "log_statement=none", "postgres"],
    { cwd: home.data, env: binaries.env, ...(user === null ? {} : { uid: user.uid, gid: user.gid }) },
  );
  work.child.stdin?.end(`alter role ${superuserName} password '${password}'\n`);
  const { stdout, stderr } = await work.catch((error: { stdout?: string; stderr?: string }) => ({
    stdout: "",
    stderr: `FATAL: ${error.stderr}`,
  }));
  const output = `${stdout}${stderr}`.replaceAll(password, "…").split("\n").filter(Boolean);
  if (/ERROR|FATAL|PANIC/.test(stderr))
    throw explainStartFailure("The superuser's password could not be set", home.data, output);
  keepPassword(home, password);
}

function createPassword(home: Home): string {
  return keepPassword(home, randomBytes(32).toString("base64url"));
}

function keepPassword(home: Home, password: string): string {
  const fd = openSync(`${home.passwordFile}.new`, "w", 0o600);
  try {
    writeFileSync(fd, `${password}\n`);
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
  renameSync(`${home.passwordFile}.new`, home.passwordFile);
  return password;
}

/** `--builtin-locale` beside a plain C where the C library may not know C.UTF-8. */
function localeArguments(major: number): string[] {
  // Another installation may be configured, and the builtin provider came with 17.
  if (major < 17) return ["--locale=C.UTF-8"];
  return process.platform === "linux"
    ? ["--locale-provider=builtin", "--locale=C.UTF-8"]
    : ["--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C"];
}

async function runInitdb(options: Parameters<typeof initialize>[0], args: readonly string[]): Promise<void> {
  const { home, binaries, user, isReachable, signal } = options;
  try {
    // Not killed by the signal: it takes a second, and what it has started would go on writing while we clear away.
    await run(binaries.initdb, ["-D", isReachable ? home.unfinished : "/proc/self/cwd", ...args], {
      cwd: home.unfinished,
      env: binaries.env,
      ...(user === null ? {} : { uid: user.uid, gid: user.gid }),
    });
    signal?.throwIfAborted();
  } catch (error) {
    signal?.throwIfAborted();
    const { stdout = "", stderr = "", message } = error as { stdout?: string; stderr?: string; message: string };
    const lines = `${stdout}\n${stderr || message}`.split("\n").filter((line) => line.trim() !== "");
    throw explainStartFailure("A new PostgreSQL database could not be made", home.dir, lines.slice(-20));
  }
}

function syncFolder(dir: string): void {
  // A rename is on disk when its folder is. Windows has no such thing, and does not let a folder be opened.
  if (process.platform === "win32") return;
  for (const path of [dir, dirname(dir)]) {
    const fd = openSync(path, "r");
    try {
      fsyncSync(fd);
    } finally {
      closeSync(fd);
    }
  }
}

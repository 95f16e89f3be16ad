import {
  chmodSync,
  chownSync,
  existsSync,
  lchownSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  realpathSync,
  statSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { problems } from "./problems.ts";
import type { ServiceUser } from "./service-user.ts";

/** What lies in the embedded server's folder, `.mainstay/postgres`. All paths absolute and without symbolic links above. */
export interface Home {
  readonly dir: string;
  /** PostgreSQL's own data folder. */
  readonly data: string;
  /** Where a first start builds it; renamed to `data` when complete and on disk. */
  readonly unfinished: string;
  /** The socket's folder, or a link to where it had to go. */
  readonly run: string;
  /** Library links for an installation whose install script did not run. */
  readonly links: string;
  readonly log: string;
  readonly passwordFile: string;
}

/** Makes the folder, private to this user, if there is none. */
export function openHome(dir: string): Home {
  mkdirSync(dirname(dir), { recursive: true, mode: 0o700 });
  if (!existsSync(dir)) mkdirSync(dir, { mode: 0o700 });
  const real = realpathSync(dir);
  return {
    dir: real,
    data: join(real, "data"),
    unfinished: join(real, "data.unfinished"),
    run: join(real, "run"),
    links: join(real, "libraries"),
    log: join(real, "postgres.log"),
    passwordFile: join(real, "superuser-password"),
  };
}

/** Whom the data folder belongs to; `null` when there is none yet. */
export function ownerOfData(home: Home): { readonly uid: number; readonly gid: number } | null {
  const stats = lstatSync(home.data, { throwIfNoEntry: false });
  return stats === undefined ? null : { uid: stats.uid, gid: stats.gid };
}

/**
 * Whether there is a data folder, of a version these programs can read and of an owner we can act for.
 * @throws Problem `postgres/not-a-data-folder`, `postgres/other-major-version`, `postgres/folder-not-ours`
 */
export function inspectData(home: Home, major: number, version: string): boolean {
  const stats = statSync(home.data, { throwIfNoEntry: false });
  if (stats === undefined) return false;
  const self = process.getuid?.();
  if (self !== undefined && self !== 0 && stats.uid !== self) throw problems.notOurs(home.data, stats.uid, self);
  const versionFile = join(home.data, "PG_VERSION");
  if (!existsSync(versionFile)) throw problems.notADataFolder(home.data);
  const found = readFileSync(versionFile, "utf8").trim();
  if (found !== String(major)) throw problems.otherMajorVersion(home.data, found, version);
  return true;
}

/**
 * Lets the service user into this folder, but not write in it: the password and the locks stay root's, and PostgreSQL
 * cannot replace them by links to something else. A folder that is the user's own stays so: root only came by.
 */
export function admitServiceUser(home: Home, user: ServiceUser): void {
  if (statSync(home.dir).uid === user.uid) return;
  chownSync(home.dir, 0, 0);
  chmodSync(home.dir, 0o711);
}

/** Gives what root has written into another user's folder to that user, who could not start there again otherwise. */
export function handBack(home: Home): void {
  const { uid, gid } = statSync(home.dir);
  if (uid === 0 || process.getuid?.() !== 0) return;
  for (const name of readdirSync(home.dir)) lchownSync(join(home.dir, name), uid, gid);
}

/** Gives the data folder to `user` with all that is in it, links not followed; itself last, so that a cut-off run is repeated. */
export function giveDataTo(home: Home, user: ServiceUser): void {
  const { uid, gid } = lstatSync(home.data);
  if (uid !== user.uid || gid !== user.gid) giveTo(home.data, user);
}

function giveTo(path: string, user: ServiceUser): void {
  if (lstatSync(path).isDirectory()) for (const name of readdirSync(path)) giveTo(join(path, name), user);
  lchownSync(path, user.uid, user.gid);
}

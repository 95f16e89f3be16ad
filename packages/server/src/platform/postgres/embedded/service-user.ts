import { execFileSync } from "node:child_process";
import { readFileSync, type Stats, statSync } from "node:fs";
import { dirname } from "node:path";
import { problems } from "./problems.ts";

/** The unprivileged user PostgreSQL runs as when we are root, which it refuses to be. */
export interface ServiceUser {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
}

/**
 * Who PostgreSQL runs as; `null` means as ourselves, because we are not root. `owner` is whom the data folder belongs to
 * already, so that a project used by an ordinary user stays that user's when root starts it once.
 * @throws Problem `postgres/no-such-user`
 */
export function chooseServiceUser(
  configured: string | null,
  owner: { readonly uid: number; readonly gid: number } | null,
  self: number | null = process.getuid?.() ?? null,
): ServiceUser | null {
  if (self !== 0) {
    if (configured === null || self === null) return null;
    const wanted = findUser(configured);
    if (wanted?.uid === self) return null;
    throw problems.noSuchUser(configured, `only root can become another user, and this process runs as uid ${self}`);
  }
  if (configured !== null) {
    const user = findUser(configured);
    if (user === null) throw problems.noSuchUser(configured, "there is no such user");
    if (user.uid === 0) throw problems.noSuchUser(configured, "PostgreSQL refuses to run as root");
    return user;
  }
  if (owner !== null && owner.uid !== 0) return { name: `uid ${owner.uid}`, ...owner };
  const user = findUser("postgres") ?? findUser("nobody");
  if (user === null) throw problems.noSuchUser("nobody", "there is no such user, nor one named postgres");
  return user;
}

/** Looks a name or `uid:gid` up, in /etc/passwd first and by `id` then, for directories of users (LDAP). */
export function findUser(nameOrIds: string, passwd: string = readPasswd()): ServiceUser | null {
  const ids = /^(\d+):(\d+)$/.exec(nameOrIds);
  if (ids !== null) return { name: nameOrIds, uid: Number(ids[1]), gid: Number(ids[2]) };
  for (const line of passwd.split("\n")) {
    const [name, , uid, gid] = line.split(":");
    if (name === nameOrIds || uid === nameOrIds) return { name: name!, uid: Number(uid), gid: Number(gid) };
  }
  if (!/^[A-Za-z_][\w.-]*\$?$/.test(nameOrIds)) return null;
  try {
    const id = (flag: string) =>
      Number(execFileSync("id", [flag, nameOrIds], { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] }));
    return { name: nameOrIds, uid: id("-u"), gid: id("-g") };
  } catch {
    return null;
  }
}

/**
 * The folder that keeps `user` from reaching `path` (an absolute path without symbolic links), or `null` when every one
 * on the way may be passed. Judged by mode bits; the user has no further groups once we have dropped to it.
 */
export function blockedAt(path: string, user: ServiceUser): string | null {
  const stats = statSync(path);
  const blocked = stats.isDirectory() && !mayPass(stats, user) ? path : null;
  const parent = dirname(path);
  return parent === path ? blocked : (blockedAt(parent, user) ?? blocked);
}

function mayPass(stats: Stats, user: ServiceUser): boolean {
  if (stats.uid === user.uid) return (stats.mode & 0o100) !== 0;
  if (stats.gid === user.gid) return (stats.mode & 0o010) !== 0;
  return (stats.mode & 0o001) !== 0;
}

function readPasswd(): string {
  try {
    return readFileSync("/etc/passwd", "utf8");
  } catch {
    return "";
  }
}

import {
  chmodSync,
  constants,
  copyFileSync,
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  realpathSync,
  renameSync,
  rmSync,
  symlinkSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import { problems } from "./problems.ts";
import { blockedAt, type ServiceUser } from "./service-user.ts";

/** As `pg-symlinks.json` has them; both paths begin with the installation's own folder name. */
export interface MissingLink {
  readonly source: string;
  readonly target: string;
}

/** Makes the links under `dir`, as `dir/lib/libicui18n.so.60` → the real file in the installation. */
export function linkLibraries(installation: string, links: readonly MissingLink[], dir: string): void {
  const above = dirname(installation);
  for (const { source, target } of links) {
    const path = join(dir, target.slice(basename(installation).length + 1));
    mkdirSync(dirname(path), { recursive: true, mode: 0o755 });
    // Replaced rather than kept: the package may have moved since.
    rmSync(path, { force: true });
    symlinkSync(join(above, source), path);
  }
}

/**
 * A copy of the installation that `user` can reach, made once: hard links where the file system allows, so that it takes
 * no room. It belongs to root and nobody else may write it, or it is not used.
 * @returns the copy's folder
 */
export function copyInstallation(
  installation: string,
  links: readonly MissingLink[],
  name: string,
  user: ServiceUser,
  cacheDir: string | null,
): string {
  const parent = usableCache(user, cacheDir);
  const target = join(parent, name);
  if (isTrusted(target)) return target;
  const work = mkdtempSync(join(parent, `${name}.`));
  try {
    copyTree(installation, work);
    chmodSync(work, 0o755);
    linkRelative(installation, links, work);
    placeCopy(work, target);
  } catch (error) {
    rmSync(work, { recursive: true, force: true });
    throw error;
  }
  return target;
}

function placeCopy(work: string, target: string): void {
  try {
    renameSync(work, target);
  } catch (error) {
    // Another process was faster, and what it made is just as good.
    if (!isTrusted(target)) throw error;
    rmSync(work, { recursive: true, force: true });
  }
}

function usableCache(user: ServiceUser, configured: string | null): string {
  const candidates = configured === null ? ["/var/cache/mainstay", join(tmpdir(), "mainstay")] : [configured];
  let blocked = candidates[0]!;
  for (const dir of candidates) {
    try {
      mkdirSync(dir, { recursive: true, mode: 0o755 });
    } catch {
      continue;
    }
    const real = realpathSync(dir);
    const at = blockedAt(real, user);
    if (at === null && isTrusted(real)) return real;
    blocked = at ?? real;
  }
  throw problems.folderUnreachable(candidates[0]!, blocked, user.name);
}

/** Ours, a real folder, and writable by nobody else: programs are started from it. */
function isTrusted(dir: string): boolean {
  if (!existsSync(dir)) return false;
  const stats = lstatSync(dir);
  return stats.isDirectory() && stats.uid === process.getuid?.() && (stats.mode & 0o022) === 0;
}

function copyTree(from: string, to: string): void {
  mkdirSync(to, { recursive: true, mode: 0o755 });
  for (const entry of readdirSync(from, { withFileTypes: true })) {
    const source = join(from, entry.name);
    const target = join(to, entry.name);
    if (entry.isDirectory()) copyTree(source, target);
    else if (entry.isSymbolicLink()) copyFileSync(realpathSync(source), target, constants.COPYFILE_FICLONE);
    else linkOrCopy(source, target);
  }
}

function linkOrCopy(source: string, target: string): void {
  // A hard link shares its mode: only files that the user could read and nobody else can write may be shared.
  const { mode, uid } = lstatSync(source);
  const isShareable = (mode & 0o044) === 0o044 && (mode & 0o022) === 0 && uid === process.getuid?.();
  try {
    if (isShareable) return linkSync(source, target);
  } catch {
    // Another file system, or one without hard links.
  }
  copyFileSync(source, target, constants.COPYFILE_FICLONE);
  chmodSync(target, mode & 0o100 ? 0o755 : 0o644);
}

function linkRelative(installation: string, links: readonly MissingLink[], copy: string): void {
  for (const { source, target } of links) {
    const path = join(copy, target.slice(basename(installation).length + 1));
    if (!existsSync(path)) symlinkSync(basename(source), path);
  }
}

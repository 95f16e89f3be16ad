import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/**
 * What node_modules was made for. Written last, inside node_modules: an install that was interrupted, or npm wiping the
 * folder to begin anew, leaves none behind.
 *
 * @param {string} root
 */
export const stampPath = (root) => join(root, "node_modules", ".mainstay-installed");

/** True when node_modules is what package-lock.json asks for on this platform. @param {string} root */
export function isInstalled(root) {
  return read(stampPath(root)) === fingerprint(root) || adopt(root);
}

/**
 * The lock file's hash with the platform, since native packages differ between them (a folder shared with a container).
 *
 * @param {string} root
 */
export function fingerprint(root) {
  const lock = read(join(root, "package-lock.json")) ?? "";
  const libc = process.platform === "linux" && existsSync("/etc/alpine-release") ? "-musl" : "";
  return `${createHash("sha256").update(lock).digest("hex")} ${process.platform}-${process.arch}${libc}\n`;
}

/** @param {string} root */
export function writeStamp(root) {
  mkdirSync(join(root, "node_modules"), { recursive: true });
  writeFileSync(stampPath(root), fingerprint(root));
}

/**
 * Someone may have run `npm ci` by hand. npm writes its hidden lock file when all is done, so when that one names every
 * package we want, in the version we want, and each is on disk, there is nothing to install.
 *
 * @param {string} root
 */
function adopt(root) {
  const wanted = packagesOf(join(root, "package-lock.json"));
  const present = packagesOf(join(root, "node_modules", ".package-lock.json"));
  if (wanted === null || present === null) return false;
  for (const [path, entry] of Object.entries(wanted)) {
    if (path === "") continue;
    const isElsewhere = !fits(entry.os, process.platform) || !fits(entry.cpu, process.arch);
    const found = present[path];
    if (entry.link === true || !path.includes("node_modules/")) {
      if (entry.link === true && !existsSync(join(root, path))) return false;
      continue;
    }
    if (found === undefined && (isElsewhere || entry.optional === true)) continue;
    if (found === undefined || found.version !== entry.version) return false;
    if (!existsSync(join(root, path, "package.json"))) return false;
  }
  try {
    writeStamp(root);
  } catch {
    // Not ours to write: as good as it is, we look again next time.
  }
  return true;
}

/** @param {readonly string[] | undefined} list @param {string} value */
function fits(list, value) {
  if (list === undefined || list.length === 0) return true;
  if (list.includes(`!${value}`)) return false;
  return list.every((item) => item.startsWith("!")) || list.includes(value);
}

/**
 * @typedef {{ version?: string, link?: boolean, optional?: boolean, os?: string[], cpu?: string[] }} LockEntry
 * @param {string} path
 * @returns {Record<string, LockEntry> | null} `null` when there is no readable lock file
 */
export function packagesOf(path) {
  const text = read(path);
  if (text === null) return null;
  try {
    return JSON.parse(text).packages ?? null;
  } catch {
    return null;
  }
}

/** @param {string} path */
function read(path) {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return null;
  }
}

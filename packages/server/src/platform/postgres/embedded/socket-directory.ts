import {
  chmodSync,
  chownSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
} from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { reasonOf } from "../../../kernel/reason.ts";
import type { Home } from "./home.ts";
import { problems } from "./problems.ts";
import { identify } from "./process-identity.ts";
import type { ServiceUser } from "./service-user.ts";

/** Longest socket path: `sun_path` is 108 bytes on Linux and 104 on the BSDs and macOS, the final NUL included. */
export const socketPathLimitBytes = process.platform === "linux" ? 107 : 103;

/**
 * Makes the private folder of the Unix socket: `run` beside the data, or, where its path is too long or its disk knows
 * no sockets (shared folders of virtual machines), a short one in the temporary folder, with `run` a link to it. Leftovers of an earlier
 * server are removed: the caller has made sure that none runs.
 * @returns the folder to connect to
 * @throws Problem `postgres/socket-unusable`
 */
export async function prepareSocketDirectory(home: Home, port: number, user: ServiceUser | null): Promise<string> {
  const earlier = takeEarlierPlace(home, port, user);
  if (earlier !== null) return earlier;
  let why: string | null = "the path is too long";
  if (fits(home.run, port)) {
    makePrivate(home.run, user);
    clear(home.run);
    why = await whyUnusable(home.run);
    if (why === null) return home.run;
  }
  // Also when the project was moved to where the path is too long.
  rmSync(home.run, { recursive: true, force: true });
  for (const base of new Set([tmpdir(), "/tmp"])) {
    if (!fits(join(base, "mainstay-XXXXXX"), port)) continue;
    let dir: string;
    try {
      dir = mkdtempSync(join(base, "mainstay-"));
    } catch (error) {
      why = reasonOf(error);
      continue;
    }
    makePrivate(dir, user);
    why = await whyUnusable(dir);
    if (why === null) {
      symlinkSync(dir, home.run);
      return dir;
    }
    rmSync(dir, { recursive: true });
  }
  throw problems.socketUnusable(home.run, why);
}

/** The folder that `run` links to since an earlier start, when it is still ours and free; the link goes when it is not. */
function takeEarlierPlace(home: Home, port: number, user: ServiceUser | null): string | null {
  if (!lstatSync(home.run, { throwIfNoEntry: false })?.isSymbolicLink()) return null;
  const dir = readlinkSync(home.run);
  const stats = lstatSync(dir, { throwIfNoEntry: false });
  const owner = user?.uid ?? process.getuid?.();
  const isOurs = stats?.isDirectory() && stats.uid === owner && (stats.mode & 0o777) === 0o700;
  // A copied project has a copied link: the folder it names may serve the original now.
  if (isOurs && fits(dir, port) && !isInUse(dir)) {
    clear(dir);
    return dir;
  }
  rmSync(home.run);
  return null;
}

/** Where the server now running has its socket. */
export function currentSocketDirectory(home: Home): string {
  return lstatSync(home.run, { throwIfNoEntry: false })?.isSymbolicLink() ? readlinkSync(home.run) : home.run;
}

export const socketPath = (dir: string, port: number): string => join(dir, `.s.PGSQL.${port}`);

// The lock file beside the socket has the longer name, but is a file, and no limit holds for it.
const fits = (dir: string, port: number): boolean => Buffer.byteLength(socketPath(dir, port)) <= socketPathLimitBytes;

function makePrivate(dir: string, user: ServiceUser | null): void {
  mkdirSync(dir, { recursive: true, mode: 0o700 });
  chmodSync(dir, 0o700);
  if (user !== null) chownSync(dir, user.uid, user.gid);
}

function clear(dir: string): void {
  for (const name of readdirSync(dir)) if (name.startsWith(".s.PGSQL.")) rmSync(join(dir, name), { force: true });
}

function isInUse(dir: string): boolean {
  return readdirSync(dir).some((name) => {
    if (!name.endsWith(".lock")) return name !== "probe" && !name.startsWith(".s.PGSQL.");
    const pid = Number.parseInt(readFileSync(join(dir, name), "utf8"), 10);
    return !(pid > 0) || identify(pid) !== null;
  });
}

/** Why no socket can be bound in `dir`, or `null`. */
function whyUnusable(dir: string): Promise<string | null> {
  const path = join(dir, "probe");
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", (error) => resolve(error.message));
    server.listen(path, () => server.close(() => resolve(null)));
  });
}

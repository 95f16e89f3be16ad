import { rmSync } from "node:fs";
import { join } from "node:path";
import { askServer, type Entrance, type ServerFacts, systemIdentifierOf } from "./administer.ts";
import { waitForSurvivors } from "./postmaster.ts";
import { type PostmasterFile, readPostmasterFile } from "./postmaster-file.ts";
import { problems } from "./problems.ts";
import { identify, isPostgres, type ProcessIdentity, worksIn } from "./process-identity.ts";

/** How long children of a dead postmaster may take to leave. They notice at once unless a long system call holds them. */
const SURVIVORS_MS = 30_000;

/** A server found running on a data folder. */
export interface RunningServer {
  readonly identity: ProcessIdentity;
  readonly file: PostmasterFile;
}

/**
 * The postmaster that runs on `data`, or `null` after making sure that the way is free. `postmaster.pid` is only a claim:
 * its process must be PostgreSQL and work in this very folder, by inode. A pid that has passed to another process, or a
 * file copied along with the folder, would keep PostgreSQL from starting, so such a file is removed (threat X16).
 * @throws Problem `postgres/folder-in-use` when it cannot be settled
 */
export async function findRunningServer(
  data: string,
  entranceAt: (port: number) => Entrance | null,
  signal?: AbortSignal,
): Promise<RunningServer | null> {
  const file = readPostmasterFile(data);
  const identity = file === null || file.pid === 0 ? null : identify(file.pid);
  if (file !== null && identity !== null && (await isPostmasterOf(data, file, entranceAt))) return { identity, file };
  const [survivor] = await waitForSurvivors(data, SURVIVORS_MS, signal);
  if (survivor !== undefined) throw problems.postmasterUnknown(data, survivor);
  // PostgreSQL itself settles a file whose process is gone, and checks shared memory besides; it is misled only by a pid
  // that still answers (another process, a zombie nobody has buried yet) and by an empty file.
  if (file !== null && (file.pid === 0 || answers(file.pid))) rmSync(join(data, "postmaster.pid"), { force: true });
  return null;
}

async function isPostmasterOf(
  data: string,
  file: PostmasterFile,
  entranceAt: (port: number) => Entrance | null,
): Promise<boolean> {
  if (process.platform === "linux") {
    // Unseen means another user's process, and this folder's server is of the folder's owner: ours, or we are root.
    return worksIn(file.pid, data) === true && isPostgres(file.pid);
  }
  const entrance = entranceAt(file.port);
  const facts = entrance === null ? null : await ask(entrance);
  if (facts !== null) return facts.systemIdentifier === systemIdentifierOf(data);
  if (process.platform !== "win32" && !isPostgres(file.pid)) return false;
  throw problems.postmasterUnknown(data, file.pid);
}

/** What the server says, or `null` when it lets nobody in. */
export async function ask(entrance: Entrance): Promise<ServerFacts | null> {
  try {
    return await askServer(entrance);
  } catch {
    return null;
  }
}

function answers(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}

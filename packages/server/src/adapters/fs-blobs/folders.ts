import { mkdir, open } from "node:fs/promises";
import { codeOf } from "./failure.ts";
import type { Layout } from "./layout.ts";

/** Readable and writable by this user alone. */
export const folderMode = 0o700;

/**
 * Makes the names in a folder survive the loss of power: a file that is on disk under a name that is not is lost. A file system that cannot do it
 * for folders (some of Windows and of networks) keeps them in its own way.
 */
export async function syncFolder(path: string): Promise<void> {
  let handle: Awaited<ReturnType<typeof open>>;
  try {
    handle = await open(path, "r");
  } catch (error) {
    if (codeOf(error) === "EISDIR" || codeOf(error) === "EPERM") return;
    throw error;
  }
  try {
    await handle.sync();
  } catch (error) {
    if (codeOf(error) !== "EINVAL" && codeOf(error) !== "EPERM") throw error;
  } finally {
    await handle.close();
  }
}

/** The folders of a store that are known to be there, and to be there after a loss of power. */
export interface Folders {
  /** Makes the folder, durably. The first time in a process it is made sure of: a process that died may have made it and not told the disk. */
  make(folderNumber: number): Promise<void>;
  /** It has turned out not to be there. */
  forget(folderNumber: number): void;
}

export function createFolders(layout: Layout): Folders {
  // One byte each for 65,536 folders; names in a set would take some megabytes.
  const isDurable = new Uint8Array(0x1_0000);
  const isOuterDurable = new Uint8Array(0x100);
  const pending = new Map<number, Promise<void>>();
  const makeNow = async (folderNumber: number): Promise<void> => {
    await mkdir(layout.inner(folderNumber), { recursive: true, mode: folderMode });
    await syncFolder(layout.outer(folderNumber));
    const outer = folderNumber >> 8;
    if (isOuterDurable[outer] === 0) {
      await syncFolder(layout.root);
      isOuterDurable[outer] = 1;
    }
    isDurable[folderNumber] = 1;
  };
  return {
    make(folderNumber) {
      if (isDurable[folderNumber] === 1) return Promise.resolve();
      const running = pending.get(folderNumber);
      if (running) return running;
      const made = makeNow(folderNumber).finally(() => pending.delete(folderNumber));
      pending.set(folderNumber, made);
      return made;
    },
    forget(folderNumber) {
      isDurable[folderNumber] = 0;
      isOuterDurable[folderNumber >> 8] = 0;
    },
  };
}

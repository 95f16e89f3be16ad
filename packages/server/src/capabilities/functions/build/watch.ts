import { type FSWatcher, watch } from "node:fs";

export interface Watching {
  /** From now on these folders, each without what is below it. Those that are not there are left out. Nothing once it is closed. */
  follow(folders: Iterable<string>): void;
  close(): void;
}

/** Editors write a file in several steps: what changes within this time is one change. Part of what a save takes until it answers. */
const settleMs = 30;

/**
 * Calls `onChange` some time after the last of several changes, with the time of the first. A folder each, rather than a whole tree by one:
 * trees hold `node_modules`, and watching those costs more than building.
 */
export function watchFolders(
  onChange: (sinceMs: number, files: ReadonlySet<string>) => void,
  ignores: (name: string) => boolean,
): Watching {
  const watchers = new Map<string, FSWatcher>();
  let timer: NodeJS.Timeout | null = null;
  let isClosed = false;
  let sinceMs = 0;
  let files = new Set<string>();
  const notice = (name: string | null): void => {
    if (name !== null && ignores(name)) return;
    if (timer === null) sinceMs = performance.now();
    else clearTimeout(timer);
    if (name !== null) files.add(name);
    timer = setTimeout(() => {
      timer = null;
      const changed = files;
      files = new Set();
      onChange(sinceMs, changed);
    }, settleMs);
  };
  const drop = (folder: string): void => {
    watchers.get(folder)?.close();
    watchers.delete(folder);
  };
  return {
    follow(folders) {
      // A build that was under way comes to it late, and nobody would close what is opened now.
      if (isClosed) return;
      const wanted = new Set(folders);
      for (const folder of watchers.keys()) if (!wanted.has(folder)) drop(folder);
      for (const folder of wanted) {
        if (watchers.has(folder)) continue;
        try {
          const watcher = watch(folder, (_, name) => notice(name));
          // Removed under us, as a branch is switched: the folder above tells of it.
          watcher.on("error", () => drop(folder));
          watchers.set(folder, watcher);
        } catch {
          // Gone again already, or no more watches to be had: what is noticed by others is built all the same.
        }
      }
    },
    close() {
      isClosed = true;
      if (timer !== null) clearTimeout(timer);
      for (const folder of watchers.keys()) drop(folder);
    },
  };
}

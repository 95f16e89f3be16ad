import { opendir, readdir, stat, unlink } from "node:fs/promises";
import { join } from "node:path";
import type { BlobStore, StoredBlob } from "../../capabilities/storage/ports.ts";
import { isBlobId } from "../blobs/blob-id.ts";
import { codeOf, failureOf } from "./failure.ts";
import { createFolders, syncFolder } from "./folders.ts";
import { createLayout } from "./layout.ts";
import { openMarker } from "./marker.ts";
import { createPace, isLocalFolder } from "./pace.ts";
import { openBlob, readAll, streamOf } from "./read.ts";
import { createWriter } from "./write.ts";

export interface FsBlobStoreOptions {
  readonly folder: string;
  /** Asked before a folder that was never used is taken for a new one; false keeps the store from being opened. Left out: it may. */
  readonly mayBeNew?: () => Promise<boolean>;
}

/** Names taken away at once: each costs a thread of the pool that reads and hashes share. */
const removals = 2;

/**
 * Blobs in a folder of this machine (see README.md). Makes the folder when it is not there.
 * @throws SettingError in words for whoever runs the server: the folder cannot be used, is another's, or should have files and has none
 */
export async function openFsBlobStore({ folder, mayBeNew }: FsBlobStoreOptions): Promise<BlobStore> {
  const layout = createLayout(folder);
  const marker = await openMarker(layout, mayBeNew ?? (async () => true));
  const pace = createPace(await isLocalFolder(folder));
  const folders = createFolders(layout);
  const writer = createWriter(layout, folders, marker);

  /** A blob that is not there is nowhere only if its folder is. */
  const found = async <T>(value: T | null): Promise<T | null> => {
    if (value === null) await marker.check();
    return value;
  };

  return {
    description: `folder ${folder}`,
    write: (id, source, options) => writer.write(id, source, options?.signal),
    copy: writer.copy,
    removeLeftovers: writer.removeLeftovers,
    async read(id, range, options) {
      options?.signal?.throwIfAborted();
      const blob = await found(await openBlob(layout.place(id).path, range, pace));
      return blob === null ? null : streamOf(blob, pace, options?.signal);
    },
    async readWhole(id, range) {
      const blob = await found(await openBlob(layout.place(id).path, range, pace));
      return blob === null ? null : readAll(blob, pace);
    },
    async sizeOf(id) {
      try {
        return (await stat(layout.place(id).path)).size;
      } catch (error) {
        if (codeOf(error) !== "ENOENT") throw failureOf(error);
        return found(null);
      }
    },
    async remove(ids) {
      const places = ids.map((id) => layout.place(id));
      await marker.check();
      try {
        await unlinkAll(places.map(({ path }) => path));
        const wanted = new Set(ids);
        const halves = (await readdir(layout.writing)).filter((name) => wanted.has(name.slice(0, 36)));
        await unlinkAll(halves.map((name) => join(layout.writing, name)));
        // Also where nothing was: a process that died may have taken it away and not told the disk.
        const changed = new Set(places.map((place) => place.folder));
        if (halves.length > 0) changed.add(layout.writing);
        await inTurn([...changed], async (each) => {
          await syncFolder(each).catch(unlessGone);
        });
      } catch (error) {
        throw failureOf(error);
      }
    },
    async *list(options) {
      await marker.check();
      try {
        for (const outer of await hexFolders(layout.root)) {
          for (const inner of await hexFolders(join(layout.root, outer))) {
            yield* blobsOf(join(layout.root, outer, inner), options?.signal);
          }
        }
      } catch (error) {
        throw failureOf(error);
      }
    },
    async close() {},
  };
}

function unlessGone(error: unknown): null {
  if (codeOf(error) !== "ENOENT") throw error;
  return null;
}

const unlinkAll = (paths: readonly string[]): Promise<void> =>
  inTurn(paths, async (path) => {
    await unlink(path).catch(unlessGone);
  });

async function inTurn<T>(items: readonly T[], work: (item: T) => Promise<void>): Promise<void> {
  const left = items.values();
  const lane = async (): Promise<void> => {
    for (const item of left) await work(item);
  };
  await Promise.all(Array.from({ length: Math.min(removals, items.length) }, lane));
}

const hexFolders = async (path: string): Promise<string[]> =>
  (await readdir(path)).filter((name) => /^[0-9a-f]{2}$/.test(name));

async function* blobsOf(folder: string, signal?: AbortSignal): AsyncGenerator<StoredBlob> {
  for await (const { name } of await opendir(folder)) {
    signal?.throwIfAborted();
    if (!isBlobId(name)) continue;
    const facts = await stat(join(folder, name)).catch(unlessGone);
    if (facts !== null) yield { id: name, sizeBytes: facts.size, modifiedAtMs: facts.mtimeMs };
  }
}

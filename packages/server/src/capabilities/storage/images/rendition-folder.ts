import { randomUUID } from "node:crypto";
import { type FileHandle, mkdir, open, readdir, rename, rm, rmdir, stat, unlink, utimes } from "node:fs/promises";
import { basename, join } from "node:path";
import type { Cipher } from "../encryption/types.ts";
import { fromFile, toFile } from "./rendition-file.ts";
import type { RenditionKey } from "./renditions.ts";
import type { Rendition } from "./types.ts";

/**
 * Pictures in a folder, `<2 hex>/<version>/<made>`, for any number of processes at once: files appear whole by being renamed, and prove themselves
 * when read. Nobody remembers what is there. Whatever goes wrong, a picture is not there; it may be made again.
 */
export interface RenditionFolder {
  read(key: RenditionKey): Promise<Rendition | null>;
  /** @returns whether it was kept */
  write(key: RenditionKey, rendition: Rendition): Promise<boolean>;
  /** All of a version's. @returns whether there were any */
  remove(version: string): Promise<boolean>;
  versions(): AsyncIterable<readonly string[]>;
  /** Removes those that were used longest ago, until `mostBytes` less a tenth are left. */
  trim(mostBytes: number): Promise<void>;
}

/** That a picture is used is written down when the last time is so long ago, in ms. */
const usedAgainMs = 3_600_000;
/** A file of a writer that died is removed when it is so old, in ms. */
const leftoverMs = 600_000;
const batch = 500;
const isUuid = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
const isHex = /^[0-9a-f]{32,64}$/;

interface Found {
  readonly path: string;
  readonly sizeBytes: number;
  readonly usedAtMs: number;
}

export function createRenditionFolder({
  folder,
  cipher,
}: {
  readonly folder: string;
  readonly cipher: Cipher | null;
}): RenditionFolder {
  const folderOf = (version: string): string | null =>
    isUuid.test(version) ? join(folder, version.slice(0, 2), version) : null;
  const pathOf = ({ version, made }: RenditionKey): string | null => {
    const parent = folderOf(version);
    return parent === null || !isHex.test(made) ? null : join(parent, made);
  };

  async function* versions(): AsyncGenerator<string> {
    for (const prefix of await namesIn(folder)) {
      for (const version of await namesIn(join(folder, prefix))) if (isUuid.test(version)) yield version;
    }
  }

  async function* files(): AsyncGenerator<Found> {
    for await (const version of versions()) {
      const parent = folderOf(version)!;
      for (const name of await namesIn(parent)) {
        const path = join(parent, name);
        const found = await stat(path).catch(() => null);
        if (found?.isFile()) yield { path, sizeBytes: found.size, usedAtMs: found.mtimeMs };
      }
    }
  }

  return {
    async read(key) {
      const path = pathOf(key);
      if (path === null) return null;
      let handle: FileHandle | null = null;
      try {
        handle = await open(path, "r");
        const rendition = await fromFile(key, await handle.readFile(), cipher);
        if (rendition === null) await unlink(path);
        else if ((await handle.stat()).mtimeMs < Date.now() - usedAgainMs) await utimes(path, new Date(), new Date());
        return rendition;
      } catch {
        return null;
      } finally {
        await handle?.close().catch(() => {});
      }
    },

    async write(key, rendition) {
      const path = pathOf(key);
      if (path === null) return false;
      const half = `${path}.${randomUUID()}`;
      try {
        await mkdir(folderOf(key.version)!, { recursive: true, mode: 0o700 });
        const handle = await open(half, "wx", 0o600);
        try {
          await handle.writeFile(await toFile(key, rendition, cipher));
        } finally {
          await handle.close();
        }
        // Not flushed: a file that the loss of power leaves empty does not prove itself.
        await rename(half, path);
        return true;
      } catch {
        await unlink(half).catch(() => {});
        return false;
      }
    },

    async remove(version) {
      const parent = folderOf(version);
      if (parent === null) return false;
      return rm(parent, { recursive: true }).then(
        () => true,
        () => false,
      );
    },

    async *versions() {
      let some: string[] = [];
      for await (const version of versions()) {
        some.push(version);
        if (some.length < batch) continue;
        yield some;
        some = [];
      }
      if (some.length > 0) yield some;
    },

    async trim(mostBytes) {
      const found: Found[] = [];
      for await (const file of files()) {
        if (isHex.test(basename(file.path))) found.push(file);
        else if (file.usedAtMs < Date.now() - leftoverMs) await unlink(file.path).catch(() => {});
      }
      let totalBytes = found.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
      if (totalBytes <= mostBytes) return;
      for (const { path, sizeBytes } of found.sort((one, other) => one.usedAtMs - other.usedAtMs)) {
        if (totalBytes <= mostBytes * 0.9) return;
        await unlink(path).catch(() => {});
        // Only where it was the last one.
        await rmdir(join(path, "..")).catch(() => {});
        totalBytes -= sizeBytes;
      }
    },
  };
}

async function namesIn(folder: string): Promise<readonly string[]> {
  return readdir(folder).catch(() => []);
}

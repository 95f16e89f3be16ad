import { WeightedLru } from "../content/weighted-lru.ts";
import type { Cipher } from "../encryption/types.ts";
import { createRenditionFolder, type RenditionFolder } from "./rendition-folder.ts";
import type { Rendition } from "./types.ts";

/** Which picture of which bytes. Neither ever changes, so nothing that is kept is ever wrong. */
export interface RenditionKey {
  /** Of the object: a UUID. */
  readonly version: string;
  /** What was done: hex digits. */
  readonly made: string;
}

/** Pictures that were made, in memory and on this machine's disk. Losing any of them costs the work of making it again. */
export interface Renditions {
  find(key: RenditionKey): Promise<Rendition | null>;
  /** In memory at once; on disk when the promise resolves, if at all. Never rejects. */
  keep(key: RenditionKey, rendition: Rendition): Promise<void>;
  /** Takes away all pictures of these versions. @returns of how many there were any on disk */
  forget(versions: readonly string[]): Promise<number>;
  /** Versions of which there are pictures on disk, a batch at a time. */
  versions(): AsyncIterable<readonly string[]>;
  /** Removes what was not used for longest until the rest is as large as it may be. */
  trim(): Promise<void>;
}

/** What a picture in memory costs beside its bytes. */
const overheadBytes = 300;

export function createRenditions(needs: {
  /** `null` keeps none on disk. */
  readonly folder: string | null;
  readonly folderBytes: number;
  readonly memoryBytes: number;
  readonly cipher: Cipher | null;
}): Renditions {
  const { folderBytes, memoryBytes, cipher } = needs;
  const folder: RenditionFolder | null =
    needs.folder === null || folderBytes === 0 ? null : createRenditionFolder({ folder: needs.folder, cipher });
  let memory = new WeightedLru<string, Rendition>(memoryBytes);
  const remember = ({ version, made }: RenditionKey, rendition: Rendition): void =>
    memory.set(`${version}/${made}`, rendition, rendition.bytes.length + overheadBytes);
  /** Since the folder was last looked at as a whole. Other processes have their own. */
  let writtenBytes = 0;

  const trim = async (): Promise<void> => {
    writtenBytes = 0;
    await folder?.trim(folderBytes);
  };

  return {
    async find(key) {
      const known = memory.get(`${key.version}/${key.made}`);
      if (known !== undefined) return known;
      const found = (await folder?.read(key)) ?? null;
      if (found !== null) remember(key, found);
      return found;
    },

    async keep(key, rendition) {
      remember(key, rendition);
      // One alone may not push out most of the others.
      if (folder === null || rendition.bytes.length > folderBytes / 4) return;
      if (!(await folder.write(key, rendition))) return;
      writtenBytes += rendition.bytes.length;
      if (writtenBytes > folderBytes / 8) await trim();
    },

    async forget(versions) {
      memory = new WeightedLru(memoryBytes);
      let count = 0;
      for (const version of versions) if (await folder?.remove(version)) count++;
      return count;
    },

    async *versions() {
      if (folder !== null) yield* folder.versions();
    },
    trim,
  };
}

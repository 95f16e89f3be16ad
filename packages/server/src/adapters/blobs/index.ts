import type { BlobStore } from "../../capabilities/storage/index.ts";
import type { storageSettings } from "../../capabilities/storage/settings.ts";
import type { Values } from "../../kernel/settings.ts";
import type { Observe } from "../../platform/observe/observation.ts";
import { openFsBlobStore } from "../fs-blobs/index.ts";

/** Where bytes are, as it is set. Adapters are loaded when they are used. */
export async function openBlobStore(
  settings: Values<typeof storageSettings>,
  { defaultFolder }: { readonly defaultFolder: string; readonly observe: Observe },
): Promise<BlobStore> {
  return openFsBlobStore({ folder: settings.storageFolder ?? defaultFolder });
}

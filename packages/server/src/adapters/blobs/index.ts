import type { BlobStore } from "../../capabilities/storage/index.ts";
import type { storageSettings } from "../../capabilities/storage/settings.ts";
import type { Values } from "../../kernel/settings.ts";
import type { Observe } from "../../platform/observe/observation.ts";
import { openFsBlobStore } from "../fs-blobs/index.ts";
import { checkS3, openS3BlobStore, s3OptionsOf } from "../s3-blobs/index.ts";
import { watched } from "./watched.ts";

export interface BlobStorePlaces {
  /** The folder where none is set. */
  readonly defaultFolder: string;
  readonly observe: Observe;
  /** Asked before a folder that was never used is taken for a new one. Left out: it may be. */
  readonly mayBeNew?: () => Promise<boolean>;
}

/**
 * Where bytes are, as it is set. The library for S3 is loaded when it is used. Failures of the store are reported besides being thrown.
 * @throws SettingError for what is missing, and for a folder that cannot be used
 */
export async function openBlobStore(
  settings: Values<typeof storageSettings>,
  { defaultFolder, observe, mayBeNew }: BlobStorePlaces,
): Promise<BlobStore> {
  if (settings.storageBackend === "s3") return watched(await openS3BlobStore(s3OptionsOf(settings)), observe);
  const folder = settings.storageFolder ?? defaultFolder;
  return watched(await openFsBlobStore({ folder, ...(mayBeNew === undefined ? {} : { mayBeNew }) }), observe);
}

/** What can be said against the settings without asking anybody. @throws SettingError */
export function assertBlobStore(settings: Values<typeof storageSettings>): void {
  if (settings.storageEnabled && settings.storageBackend === "s3") s3OptionsOf(settings);
}

/**
 * Whether the bucket can be written and read, where files are in one.
 * @returns what is wrong, in a sentence; `null` when nothing is, or there is no bucket to ask
 */
export async function checkBlobStore(settings: Values<typeof storageSettings>): Promise<string | null> {
  if (!settings.storageEnabled || settings.storageBackend !== "s3") return null;
  return checkS3(s3OptionsOf(settings));
}

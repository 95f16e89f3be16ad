import { join } from "node:path";
import { openCipher } from "../encryption/index.ts";
import type { StorageCore, StoragePart } from "../part.ts";
import { createServing } from "../serving/index.ts";
import { urlTokensOf } from "../signed/index.ts";
import { createImages } from "./images.ts";
import { createRenderers } from "./renderers.ts";
import { RenditionKeeper } from "./rendition-keeper.ts";
import { createRenditions } from "./renditions.ts";
import { imageRoutes } from "./routes.ts";
import { createPictures } from "./serve.ts";

/** Images in other sizes and formats. Nothing runs until the first one is asked for. */
export function imagesPart(core: StorageCore): StoragePart {
  const { db, content, settings, clock, cacheFolder = null } = core;
  if (!settings.storageImagesEnabled) return {};
  const renderers = createRenderers({
    processes: settings.storageImageProcesses,
    queue: settings.storageImageQueue,
    idleMs: settings.storageImageIdleMs,
    timeoutMs: settings.storageImageTimeoutMs,
    memoryBytes: settings.storageImageMemoryBytes,
    inputPixels: settings.storageImageInputPixels,
    frames: settings.storageImageFrames,
    outputBytes: settings.storageImageOutputBytes,
  });
  const renditions = createRenditions({
    folder: cacheFolder === null ? null : join(cacheFolder, "renditions"),
    folderBytes: settings.storageRenditionsBytes,
    memoryBytes: settings.storageRenditionsMemoryBytes,
    // Pictures of files that are encrypted are encrypted.
    cipher: openCipher(settings),
  });
  const keeper = new RenditionKeeper({ db, renditions, sweepMs: settings.storageRenditionsSweepMs });
  const images = createImages({ content, renderers, renditions, settings, clock });
  const pictures = createPictures({
    images,
    serving: createServing(core),
    isAvifOffered: settings.storageImageAvifDetection,
  });
  return {
    routes: imageRoutes(core, { pictures, keeper, tokens: urlTokensOf(core) }),
    async start() {
      keeper.start();
    },
    async stop() {
      await keeper.stop();
      await renderers.close();
    },
  };
}

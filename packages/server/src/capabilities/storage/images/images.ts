import { createHash } from "node:crypto";
import { Lru } from "../../../kernel/lru.ts";
import { Problem } from "../../../kernel/problem.ts";
import type { Values } from "../../../kernel/settings.ts";
import type { Content, ContentReader } from "../content/types.ts";
import { problems } from "../problems.ts";
import type { StoredObject } from "../types.ts";
import { imageProblems } from "./problems.ts";
import type { Renderers } from "./renderers.ts";
import type { RenditionKey, Renditions } from "./renditions.ts";
import type { imagesSettings } from "./settings.ts";
import { SharedWork } from "./shared-work.ts";
import type { RenderOrder, Rendition } from "./types.ts";

/** Pictures of objects, made when they are asked for first. It knows nothing of rights: whoever asks has seen to them. */
export interface Images {
  /** What a picture is called in caches, before it is made: `ETag` with its quotes. */
  etagOf(object: Pick<StoredObject, "version">, order: RenderOrder): string;
  /**
   * @throws Problem `NoSuchKey` when the object's bytes are not there (any more), `InvalidImage`, `ImageTooLarge`, `SlowDown`,
   * `ImagesUnavailable`, `ImagesStopped`
   */
  render(object: Pick<StoredObject, "version">, order: RenderOrder, signal: AbortSignal): Promise<Rendition>;
}

/** Part of every name, so that pictures made in another way are others. Raise it with any change of what `picture.ts` gives. */
const recipe = 1;
const rememberedRefusals = 10_000;
/**
 * How long it is remembered that an image cannot be made, in ms. One that was too slow may be quick when the server has less to do; the others stay what
 * they are, until a server with other limits is started.
 */
const refusedForMs: Readonly<Record<string, number>> = {
  InvalidImage: 600_000,
  ImageTooLarge: 600_000,
  ImageTimeout: 60_000,
};

export function createImages(needs: {
  readonly content: Pick<Content, "open">;
  readonly renderers: Pick<Renderers, "render">;
  readonly renditions: Pick<Renditions, "find" | "keep">;
  readonly settings: Pick<Values<typeof imagesSettings>, "storageImageInputBytes">;
  readonly clock: { nowMs(): number };
}): Images {
  const { content, renderers, renditions, settings, clock } = needs;
  const work = new SharedWork<Rendition>();
  const refused = new Lru<string, { readonly problem: Problem; readonly untilMs: number }>(rememberedRefusals);

  const readerOf = async (version: string): Promise<ContentReader> => {
    const reader = await content.open(version);
    if (reader === null) throw problems.noSuchKey();
    if (reader.sizeBytes > settings.storageImageInputBytes) throw imageProblems.tooLarge();
    if (reader.sizeBytes === 0) throw imageProblems.notAnImage();
    return reader;
  };
  const make = async (key: RenditionKey, order: RenderOrder, signal: AbortSignal): Promise<Rendition> => {
    const kept = await renditions.find(key);
    if (kept !== null) return kept;
    // Before it takes a place in the queue, and again when its turn comes: it may have been deleted meanwhile.
    await readerOf(key.version);
    const made = await renderers.render(() => readerOf(key.version), order, signal);
    // Nobody waits for the disk, and what it does not take is made again.
    renditions.keep(key, made).catch(() => {});
    return made;
  };

  return {
    etagOf: ({ version }, order) => `"${nameOf(version ?? "", order)}"`,

    async render({ version }, order, signal) {
      if (version === null) throw problems.noSuchKey();
      const key = { version, made: nameOf(version, order) };
      // What cannot be done for an image is not tried again and again: each try costs as much as an image may (threat S07).
      const refusal = refused.get(version) ?? refused.get(key.made);
      if (refusal !== undefined && refusal.untilMs > clock.nowMs()) throw refusal.problem;
      try {
        return await work.do(key.made, signal, (shared) => make(key, order, shared));
      } catch (error) {
        const forMs = error instanceof Problem ? refusedForMs[error.code] : undefined;
        if (error instanceof Problem && forMs !== undefined) {
          // What is no image is none in any size.
          const scope = error.code === "InvalidImage" ? version : key.made;
          refused.set(scope, { problem: error, untilMs: clock.nowMs() + forMs });
        }
        throw error;
      }
    },
  };
}

function nameOf(version: string, order: RenderOrder): string {
  const { width, height, resize, quality, gravity, xOffset, yOffset, formats } = order;
  const said = JSON.stringify([recipe, version, width, height, resize, quality, gravity, xOffset, yOffset, formats]);
  return createHash("sha256").update(said).digest("hex").slice(0, 32);
}

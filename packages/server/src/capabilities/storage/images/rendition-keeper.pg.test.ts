import { randomBytes } from "node:crypto";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type ContentBench, openContentBench } from "../content/testing.ts";
import { createImages } from "./images.ts";
import { orderOf, readTransformation } from "./parameters.ts";
import { createRenderers, type Renderers } from "./renderers.ts";
import { RenditionKeeper } from "./rendition-keeper.ts";
import { createRenditions } from "./renditions.ts";
import { halves, look } from "./testing.ts";

let bench: ContentBench;
let renderers: Renderers;
beforeAll(async () => {
  bench = await openContentBench({ storageEncryptionKey: randomBytes(32).toString("base64") });
  renderers = createRenderers({
    processes: 1,
    queue: 10,
    idleMs: 10_000,
    timeoutMs: 10_000,
    memoryBytes: 800_000_000,
    inputPixels: 50_000_000,
    frames: 10,
    outputBytes: 1_000_000,
  });
});
afterAll(async () => {
  await renderers.close();
  await bench.close();
});

const order = orderOf(readTransformation({ width: 100 }, 2_500), []);
const none = new AbortController().signal;

async function setUp() {
  const folder = join(bench.folder, "..", `renditions-${randomBytes(4).toString("hex")}`);
  const renditions = createRenditions({ folder, folderBytes: 1_000_000, memoryBytes: 0, cipher: bench.cipher });
  const { content, settings, db } = bench;
  const kept: Promise<void>[] = [];
  const images = createImages({
    content,
    renderers,
    renditions: {
      find: renditions.find,
      keep: (key, rendition) => {
        const done = renditions.keep(key, rendition);
        kept.push(done);
        return done;
      },
    },
    settings,
    clock: { nowMs: () => Date.now() },
  });
  const files = async () => {
    await Promise.all(kept);
    const found = await readdir(folder, { recursive: true, withFileTypes: true }).catch(() => []);
    return found.filter((entry) => entry.isFile()).map(({ parentPath, name }) => join(parentPath, name));
  };
  return { images, renditions, files, keeper: new RenditionKeeper({ db, renditions, sweepMs: 60_000 }) };
}

describe("pictures of stored files", () => {
  test("are made of encrypted ones, and encrypted where they are kept", async () => {
    const { images, files } = await setUp();
    const version = await bench.keep(await halves(600, 400).png().toBuffer());
    const picture = await images.render({ version }, order, none);
    expect((await look(picture.bytes)).width).toBe(100);
    const [file] = await files();
    const stored = await readFile(file!);
    expect(stored.length).toBeGreaterThan(picture.bytes.length);
    expect(stored.includes(picture.bytes.subarray(0, 32))).toBe(false);
    expect((await images.render({ version }, order, none)).bytes.equals(picture.bytes)).toBe(true);
  });

  test("stay while the file does, and go after it", async () => {
    const { images, files, keeper } = await setUp();
    const [stays, goes] = [
      await bench.keep(await halves(60, 40).png().toBuffer()),
      await bench.keep(await halves(80, 40).png().toBuffer()),
    ];
    for (const version of [stays, goes]) await images.render({ version }, order, none);
    await keeper.sweep();
    expect(await files()).toHaveLength(2);
    await bench.sql(
      "begin; select set_config('storage.allow_delete_query', 'true', true); delete from storage.objects where version = '" +
        goes +
        "'; commit",
    );
    await keeper.sweep();
    const left = await files();
    expect(left).toHaveLength(1);
    expect(left[0]).toContain(stays);
  });

  test("of a bucket are forgotten, and of no other", async () => {
    const { images, files, keeper } = await setUp();
    const version = await bench.keep(await halves(60, 40).png().toBuffer());
    await images.render({ version }, order, none);
    await keeper.forgetBucket("others");
    expect(await files()).toHaveLength(1);
    await keeper.forgetBucket("files");
    expect(await files()).toHaveLength(0);
    await images.render({ version }, order, none);
    expect(await files()).toHaveLength(1);
  });
});

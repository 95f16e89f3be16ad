import { randomBytes, randomUUID } from "node:crypto";
import { mkdtemp, readdir, readFile, rm, stat, truncate, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, test } from "vitest";
import { readSettings } from "../../../kernel/settings.ts";
import { openCipher } from "../encryption/index.ts";
import { encryptionSettings } from "../encryption/settings.ts";
import { createRenditions, type RenditionKey, type Renditions } from "./renditions.ts";
import type { Rendition } from "./types.ts";

const folders: string[] = [];
afterEach(async () => {
  for (const folder of folders.splice(0)) await rm(folder, { recursive: true, force: true });
});
const newFolder = async (): Promise<string> => {
  const folder = await mkdtemp(join(tmpdir(), "mainstay-renditions-"));
  folders.push(folder);
  return join(folder, "renditions");
};
const cipherOf = (current: string, former = "") =>
  openCipher(
    readSettings(encryptionSettings, {
      env: { MAINSTAY_STORAGE_ENCRYPTION_KEY: current, MAINSTAY_STORAGE_ENCRYPTION_FORMER_KEYS: former },
    }).values,
  );
/** As another process sees it, too: nothing in memory. */
const open = (folder: string, given: Partial<Parameters<typeof createRenditions>[0]> = {}): Renditions =>
  createRenditions({ folder, folderBytes: 1_000_000, memoryBytes: 0, cipher: null, ...given });
const newKey = (version: string = randomUUID()): RenditionKey => ({ version, made: randomBytes(16).toString("hex") });
const picture = (sizeBytes = 500): Rendition => ({ contentType: "image/webp", bytes: randomBytes(sizeBytes) });
const fileOf = (folder: string, { version, made }: RenditionKey) => join(folder, version.slice(0, 2), version, made);
const filesIn = async (folder: string) =>
  (await readdir(folder, { recursive: true, withFileTypes: true }).catch(() => [])).filter((entry) => entry.isFile());

describe("pictures that are kept", () => {
  test("are found by every process and after a restart, and no others are", async () => {
    const folder = await newFolder();
    const key = newKey();
    const made = picture(200_000);
    await open(folder).keep(key, made);
    expect(await open(folder).find(key)).toEqual(made);
    expect(await open(folder).find({ ...key, made: newKey().made })).toBeNull();
    expect(await open(folder).find(newKey())).toBeNull();
    expect((await stat(fileOf(folder, key))).mode & 0o777).toBe(0o600);
  });

  test("are in memory besides, and there alone without a folder", async () => {
    const renditions = createRenditions({ folder: null, folderBytes: 1_000, memoryBytes: 10_000, cipher: null });
    const [key, made] = [newKey(), picture()];
    await renditions.keep(key, made);
    expect((await renditions.find(key))?.bytes).toBe(made.bytes);
    await renditions.forget([key.version]);
    expect(await renditions.find(key)).toBeNull();
  });

  test("are not served when their file is another one, or a part", async () => {
    const folder = await newFolder();
    const made = picture();
    const harms: readonly ((path: string) => Promise<void>)[] = [
      (path) => truncate(path, 0),
      (path) => truncate(path, 6),
      async (path) => truncate(path, (await stat(path)).size - 1),
      async (path) => writeFile(path, Buffer.concat([await readFile(path), Buffer.from("x")])),
      async (path) => {
        const bytes = await readFile(path);
        bytes[bytes.length - 5]! ^= 1;
        await writeFile(path, bytes);
      },
      (path) => writeFile(path, randomBytes(300)),
    ];
    for (const harm of harms) {
      const key = newKey();
      await open(folder).keep(key, made);
      await harm(fileOf(folder, key));
      expect(await open(folder).find(key)).toBeNull();
      await open(folder).keep(key, made);
      expect(await open(folder).find(key)).toEqual(made);
    }
  });

  test("do without their folder", async () => {
    const folder = await newFolder();
    const renditions = open(folder);
    const [key, made] = [newKey(), picture()];
    await renditions.keep(key, made);
    await rm(folder, { recursive: true });
    expect(await renditions.find(key)).toBeNull();
    await renditions.trim();
    await renditions.keep(key, made);
    expect(await renditions.find(key)).toEqual(made);
    const blocked = join(await newFolder(), "..", "file");
    await writeFile(blocked, "");
    const nowhere = open(join(blocked, "renditions"));
    await nowhere.keep(key, made);
    expect(await nowhere.find(key)).toBeNull();
  });

  test("never leave the folder, whatever they are called", async () => {
    const folder = await newFolder();
    const renditions = open(folder);
    for (const key of [
      { version: "../../../x", made: newKey().made },
      { version: randomUUID(), made: "../../x" },
    ]) {
      await renditions.keep(key, picture());
      expect(await renditions.find(key)).toBeNull();
      expect(await renditions.forget([key.version])).toBe(0);
    }
    expect(await filesIn(join(folder, ".."))).toEqual([]);
  });

  test("are so many as may be: what was not used for longest goes first", async () => {
    const folder = await newFolder();
    const renditions = open(folder, { folderBytes: 40_000 });
    const keys: RenditionKey[] = [];
    for (let at = 0; at < 30; at++) {
      const key = newKey();
      keys.push(key);
      await renditions.keep(key, picture(1_000));
      const longAgo = new Date(Date.now() - 20 * 86_400_000 + at * 3_600_000);
      await utimes(fileOf(folder, key), longAgo, longAgo);
    }
    // Using one makes it young.
    expect(await open(folder).find(keys[0]!)).not.toBeNull();
    await open(folder, { folderBytes: 20_000 }).trim();
    const left = await filesIn(folder);
    expect(left.length).toBeGreaterThan(10);
    expect(left.length).toBeLessThanOrEqual(20);
    expect(await renditions.find(keys[0]!)).not.toBeNull();
    expect(await renditions.find(keys[1]!)).toBeNull();
    expect(await renditions.find(keys[29]!)).not.toBeNull();
    expect((await readdir(folder, { recursive: true })).length).toBeLessThan(70);
  });

  test("do not outgrow their room while they come", async () => {
    const folder = await newFolder();
    const renditions = open(folder, { folderBytes: 20_000 });
    for (let at = 0; at < 100; at++) await renditions.keep(newKey(), picture(1_000));
    const sizes = await Promise.all((await filesIn(folder)).map((file) => stat(join(file.parentPath, file.name))));
    expect(sizes.reduce((sum, { size }) => sum + size, 0)).toBeLessThan(25_000);
    expect(sizes.length).toBeGreaterThan(10);
    await renditions.keep(newKey(), picture(6_000));
    expect((await filesIn(folder)).length).toBeLessThanOrEqual(sizes.length);
  });

  test("take what died writers left behind away", async () => {
    const folder = await newFolder();
    const key = newKey();
    await open(folder).keep(key, picture());
    const [old, young] = [`${fileOf(folder, key)}.${randomUUID()}`, `${fileOf(folder, key)}.${randomUUID()}`];
    await writeFile(old, "half");
    await writeFile(young, "half");
    await utimes(old, new Date(0), new Date(0));
    await open(folder).trim();
    expect((await filesIn(folder)).map(({ name }) => name).sort()).toEqual(
      [key.made, young.slice(young.lastIndexOf("/") + 1)].sort(),
    );
  });

  test("go with their version", async () => {
    const folder = await newFolder();
    const renditions = open(folder);
    const version = randomUUID();
    const [one, two, other] = [newKey(version), newKey(version), newKey()];
    for (const key of [one, two, other]) await renditions.keep(key, picture());
    const listed: string[] = [];
    for await (const versions of renditions.versions()) listed.push(...versions);
    expect(listed.sort()).toEqual([version, other.version].sort());
    expect(await renditions.forget([version, randomUUID()])).toBe(1);
    expect([await renditions.find(one), await renditions.find(two)]).toEqual([null, null]);
    expect(await renditions.find(other)).not.toBeNull();
  });
});

describe("pictures of encrypted files", () => {
  const [oldKey, newKeyText] = [randomBytes(32).toString("base64"), randomBytes(32).toString("base64")];

  test("are encrypted, and stay in their place", async () => {
    const folder = await newFolder();
    const cipher = cipherOf(oldKey);
    const [key, other] = [newKey(), newKey()];
    const made = { contentType: "image/png", bytes: Buffer.alloc(200_000, "plain text of a picture") };
    await open(folder, { cipher }).keep(key, made);
    const stored = await readFile(fileOf(folder, key));
    expect(stored.includes("plain text of a picture")).toBe(false);
    expect(await open(folder, { cipher }).find(key)).toEqual(made);
    await open(folder, { cipher }).keep(other, picture());
    await writeFile(fileOf(folder, other), stored);
    expect(await open(folder, { cipher }).find(other)).toBeNull();
  });

  test("are read with former keys, and made again without", async () => {
    const folder = await newFolder();
    const [key, made] = [newKey(), picture()];
    await open(folder, { cipher: cipherOf(oldKey) }).keep(key, made);
    expect(await open(folder, { cipher: cipherOf(newKeyText, oldKey) }).find(key)).toEqual(made);
    expect(await open(folder, { cipher: cipherOf(newKeyText) }).find(key)).toBeNull();
  });

  test("are neither taken for plain ones nor the other way", async () => {
    const folder = await newFolder();
    const [sealed, plain] = [newKey(), newKey()];
    await open(folder, { cipher: cipherOf(oldKey) }).keep(sealed, picture());
    await open(folder).keep(plain, picture());
    expect(await open(folder).find(sealed)).toBeNull();
    expect(await open(folder, { cipher: cipherOf(oldKey) }).find(plain)).toBeNull();
  });
});

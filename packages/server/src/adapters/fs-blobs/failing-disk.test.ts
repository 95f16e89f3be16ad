import { execFileSync } from "node:child_process";
import { randomUUID } from "node:crypto";
import { mkdir, mkdtemp, readdir, rename, rm, stat, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { bytesOf } from "../../capabilities/storage/bytes.testing.ts";
import { openFsBlobStore } from "./index.ts";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "objects-"));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

async function* pieces(sizeBytes: number): AsyncGenerator<Buffer> {
  for (let at = 0; at < sizeBytes; at += 65_536) yield bytesOf(Math.min(65_536, sizeBytes - at), at);
}

const isRoot = process.getuid?.() === 0;
if (!isRoot) console.warn("NOT TRIED: full disks and mounts. Only root can mount one.");

/** A disk of its own, of so many bytes. */
function mount(path: string, options: string): void {
  execFileSync("mount", ["-t", "tmpfs", "-o", options, "tmpfs", path]);
}

describe.runIf(isRoot)("a disk of 4 MB", () => {
  beforeEach(() => mount(folder, "size=4m,mode=700"));
  afterEach(() => {
    execFileSync("umount", [folder]);
  });

  test("that is full refuses writes, serves reads, and takes writes again when there is room", async () => {
    const store = await openFsBlobStore({ folder });
    const ids = [randomUUID(), randomUUID(), randomUUID()];
    for (const id of ids) await store.write(id, pieces(1_000_000));
    for (let n = 0; n < 3; n += 1) {
      const refused = randomUUID();
      await expect(store.write(refused, pieces(2_000_000))).rejects.toMatchObject({
        code: "storage/store-full",
        status: 507,
      });
      expect(await store.sizeOf(refused)).toBeNull();
      // What could not be finished takes no room.
      expect(await readdir(join(folder, ".writing"))).toEqual([]);
    }
    for (const id of ids) expect((await store.readWhole(id))?.length).toBe(1_000_000);
    const copied = randomUUID();
    expect(await store.copy(ids[0]!, copied)).toBe(true);
    await store.remove([ids[1]!]);
    const next = randomUUID();
    expect(await store.write(next, pieces(900_000))).toBe(900_000);
    expect((await store.readWhole(next))?.length).toBe(900_000);
  });

  test("without room for another name refuses it, and goes on when there is", async () => {
    execFileSync("mount", ["-o", "remount,nr_inodes=12", folder]);
    const store = await openFsBlobStore({ folder });
    const written: string[] = [];
    const fill = async (): Promise<void> => {
      for (;;) {
        const id = randomUUID();
        await store.write(id, pieces(10));
        written.push(id);
      }
    };
    await expect(fill()).rejects.toMatchObject({ code: "storage/store-full" });
    expect(written.length).toBeGreaterThan(0);
    for (const id of written) expect(await store.sizeOf(id)).toBe(10);
    execFileSync("mount", ["-o", "remount,nr_inodes=100", folder]);
    await store.write(randomUUID(), pieces(10));
  });

  test("that is not mounted any more is no empty store", async () => {
    const store = await openFsBlobStore({ folder });
    const id = randomUUID();
    await store.write(id, pieces(10));
    execFileSync("umount", [folder]);
    try {
      const unavailable = { code: "storage/store-unavailable", status: 503 };
      await expect(store.read(id)).rejects.toMatchObject(unavailable);
      await expect(store.readWhole(id)).rejects.toMatchObject(unavailable);
      await expect(store.sizeOf(id)).rejects.toMatchObject(unavailable);
      await expect(store.write(randomUUID(), pieces(10))).rejects.toMatchObject(unavailable);
      await expect(store.copy(id, randomUUID())).rejects.toMatchObject(unavailable);
      await expect(store.remove([id])).rejects.toMatchObject(unavailable);
      await expect(Array.fromAsync(store.list())).rejects.toMatchObject(unavailable);
      expect(await readdir(folder)).toEqual([]);
    } finally {
      mount(folder, "size=4m,mode=700");
    }
  });
});

describe("the folder", () => {
  test("is made, and only its user may look into it", async () => {
    const deep = join(folder, "a", "b");
    const store = await openFsBlobStore({ folder: deep });
    const id = randomUUID();
    await store.write(id, pieces(10));
    const modeOf = async (path: string) => (await stat(path)).mode & 0o777;
    expect(await modeOf(deep)).toBe(0o700);
    expect(await modeOf(join(deep, id.slice(0, 2)))).toBe(0o700);
    expect(await modeOf(join(deep, id.slice(0, 2), id.slice(2, 4)))).toBe(0o700);
    expect(await modeOf(join(deep, id.slice(0, 2), id.slice(2, 4), id))).toBe(0o600);
    expect(await modeOf(join(deep, ".mainstay-objects"))).toBe(0o600);
  });

  test("is known again, by two at a time", async () => {
    const [first, second] = await Promise.all([openFsBlobStore({ folder }), openFsBlobStore({ folder })]);
    const id = randomUUID();
    await first.write(id, pieces(10));
    expect(await second.sizeOf(id)).toBe(10);
    const third = await openFsBlobStore({ folder, mayBeNew: async () => false });
    expect(await third.sizeOf(id)).toBe(10);
  });

  test("that was never used is refused when there should be files, until somebody says that it is right", async () => {
    const empty = join(folder, "empty");
    const mayBeNew = async () => false;
    await expect(openFsBlobStore({ folder: empty, mayBeNew })).rejects.toThrow(/MAINSTAY_STORAGE_FOLDER/);
    // Nothing was begun: the volume may be mounted there in a moment.
    await expect(stat(empty)).rejects.toThrow("ENOENT");
    await mkdir(empty);
    await writeFile(join(empty, ".mainstay-objects"), "");
    const store = await openFsBlobStore({ folder: empty, mayBeNew });
    expect(await store.write(randomUUID(), pieces(10))).toBe(10);
    await expect(openFsBlobStore({ folder: empty, mayBeNew })).resolves.toBeDefined();
  });

  test("with other files in it is refused", async () => {
    await writeFile(join(folder, "holiday.jpg"), "a");
    await expect(openFsBlobStore({ folder })).rejects.toThrow(/holiday\.jpg/);
    await writeFile(join(folder, ".mainstay-objects"), "not ours");
    await expect(openFsBlobStore({ folder })).rejects.toThrow(/damaged/);
  });

  test("that cannot be made is said in words", async () => {
    await writeFile(join(folder, "file"), "");
    await expect(openFsBlobStore({ folder: join(folder, "file", "objects") })).rejects.toThrow(
      /^The folder of files cannot be used: ENOTDIR/,
    );
  });

  test("that is another one now is not written to", async () => {
    const [ours, others] = [join(folder, "ours"), join(folder, "others")];
    const store = await openFsBlobStore({ folder: ours });
    await openFsBlobStore({ folder: others });
    await rename(ours, join(folder, "away"));
    await rename(others, ours);
    await expect(store.write(randomUUID(), pieces(10))).rejects.toMatchObject({ code: "storage/store-unavailable" });
    await expect(store.read(randomUUID())).rejects.toMatchObject({ code: "storage/store-unavailable" });
  });

  test("loses one of its folders and makes it again", async () => {
    const store = await openFsBlobStore({ folder });
    const id = randomUUID();
    await store.write(id, pieces(10));
    await rm(join(folder, id.slice(0, 2)), { recursive: true });
    expect(await store.sizeOf(id)).toBeNull();
    await store.write(id, pieces(20));
    expect(await store.sizeOf(id)).toBe(20);
  });

  test("with something that is no folder where one should be is a failure of the store", async () => {
    const store = await openFsBlobStore({ folder });
    const id = randomUUID();
    await writeFile(join(folder, id.slice(0, 2)), "");
    const unavailable = { code: "storage/store-unavailable", status: 503 };
    await expect(store.write(id, pieces(10))).rejects.toMatchObject(unavailable);
    await expect(store.read(id)).rejects.toMatchObject(unavailable);
    expect(await readdir(join(folder, ".writing"))).toEqual([]);
    const looping = randomUUID();
    await symlink(looping.slice(0, 2), join(folder, looping.slice(0, 2))).catch(() => {});
    await expect(store.sizeOf(looping)).rejects.toMatchObject(unavailable);
  });
});

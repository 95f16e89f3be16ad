import { randomBytes } from "node:crypto";
import { copyFile, open, readdir, readFile, truncate } from "node:fs/promises";
import { join } from "node:path";
import sharp from "sharp";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import type { Server } from "../server.ts";
import { type FilesApp, startFiles } from "./app.ts";
import type { Files } from "./files.ts";

const newKey = (): string => randomBytes(32).toString("base64");
const under = (key: string, ...former: readonly string[]): Record<string, string> => ({
  MAINSTAY_STORAGE_ENCRYPTION_KEY: key,
  MAINSTAY_STORAGE_ENCRYPTION_FORMER_KEYS: former.join(","),
});
const [first, second, third] = [newKey(), newKey(), newKey()];

/** What would be found if it lay anywhere as it came: whatever is read of a file has it in full. */
const secret = randomBytes(16).toString("hex");
const textOf = (sizeBytes: number): Buffer => Buffer.alloc(sizeBytes, secret);
const kept = new Map<string, Buffer>();

let app: FilesApp;
/** With the second key, and with the first one as a former key. */
let rotated: Server;
beforeAll(async () => {
  app = await startFiles(under(first));
});
afterAll(() => app?.stop());

/** Every file below a folder with one of these bytes in it. */
async function filesWith(needle: Buffer, folder: string): Promise<string[]> {
  const all = await readdir(folder, { recursive: true, withFileTypes: true });
  const paths = all.filter((each) => each.isFile()).map(({ parentPath, name }) => join(parentPath, name));
  expect(paths.length).toBeGreaterThan(5);
  const found = await Promise.all(paths.map(async (path) => (await readFile(path)).includes(needle)));
  return paths.filter((_, at) => found[at]);
}

async function pathOf(name: string): Promise<string> {
  const [row] = await app.sql.run(
    `select s.blob_id::text as id from storage.objects o
     join mainstay.object_segments s on s.version_id = o.version where o.name = $1 order by s.position`,
    [name],
  );
  const id = String(row!.id);
  const all = await readdir(app.folder, { recursive: true, withFileTypes: true });
  return join(all.find((each) => each.name === id)!.parentPath, id);
}

const areRead = async (files: Files): Promise<void> => {
  for (const [name, bytes] of kept) expect((await files.read(name))?.equals(bytes), name).toBe(true);
};

test("no byte of a file lies anywhere as it came, whichever way it came", async () => {
  const { files } = app;
  const text = textOf(300_000);
  expect(await files.plain("plain", text)).toBe("done");
  expect(await files.form("form", text)).toBe("done");
  expect(await files.putS3("s3", text)).toBe("done");
  expect(await files.plain("small", textOf(1_000))).toBe("done");
  const resumable = await files.beginResumable("resumable", text.length);
  expect((await files.patch(resumable, 0, text.subarray(0, 100_000)))[1]).toBe(204);
  expect((await files.patch(resumable, 100_000, text.subarray(100_000)))[1]).toBe(204);
  const uploadId = await files.beginS3("multipart");
  const etags = [
    await files.partS3("multipart", uploadId, 1, text.subarray(0, 150_000)),
    await files.partS3("multipart", uploadId, 2, text.subarray(150_000)),
  ];
  await files.completeS3("multipart", uploadId, etags);
  expect(await files.copy("plain", "copy")).toBe("done");
  for (const name of ["plain", "form", "s3", "resumable", "multipart", "copy"]) kept.set(name, text);
  kept.set("small", textOf(1_000));
  // Half of one, too: it waits for its rest on the disk.
  const half = await files.beginResumable("half", text.length);
  expect((await files.patch(half, 0, text.subarray(0, 200_000)))[1]).toBe(204);
  await areRead(files);
  expect(await filesWith(Buffer.from(secret), app.project.dir)).toEqual([]);
});

test("nor does a byte of what is made of an image", async () => {
  const { files } = app;
  const noise = { width: 300, height: 300, channels: 3, noise: { type: "gaussian", mean: 128, sigma: 60 } } as const;
  const image = await sharp({ create: { ...noise, background: "black" } })
    .png()
    .toBuffer();
  expect(await files.plain("noise.png", image)).toBe("done");
  kept.set("noise.png", image);
  const path = "render/image/authenticated/files/noise.png?width=120";
  const answer = await files.send("GET", path);
  const made = Buffer.from(await answer.arrayBuffer());
  expect([answer.status, made.length > 1_000], made.subarray(0, 200).toString()).toEqual([200, true]);
  expect(Buffer.from(await (await files.send("GET", path)).arrayBuffer()).equals(made)).toBe(true);
  const middle = made.length >> 1;
  expect(await filesWith(made.subarray(middle, middle + 32), app.project.dir)).toEqual([]);
});

test("ranges are of the file, not of what is stored", async () => {
  const text = kept.get("resumable")!;
  for (const name of ["plain", "resumable", "multipart", "copy"]) {
    for (const [from, to] of [
      [0, 1],
      [65_530, 65_550],
      [99_990, 100_010],
      [149_999, 150_001],
      [1, 299_999],
      [299_999, 300_000],
    ] as const) {
      expect((await app.files.read(name, { from, to }))?.equals(text.subarray(from, to)), `${name} ${from}-${to}`).toBe(
        true,
      );
    }
  }
});

describe("rotation of the server's key", () => {
  test("files of before are read with the former key, and those that come are for the present one", async () => {
    rotated = await app.project.serve(under(second, first));
    const files = app.files.at(rotated);
    await areRead(files);
    expect(await files.plain("newer", textOf(70_000))).toBe("done");
    kept.set("newer", textOf(70_000));
    expect(await files.move("form", "moved")).toBe("done");
    expect(await files.copy("s3", "copy-of-older")).toBe("done");
    kept.set("moved", kept.get("form")!).delete("form");
    kept.set("copy-of-older", kept.get("s3")!);
    await areRead(files);
  });

  test("without a key that is still needed it says which one that is, and nothing is changed", async () => {
    const [{ id }] = (await app.sql.run(
      `select s.wrapping_key_id as id from storage.objects o
       join mainstay.object_segments s on s.version_id = o.version where o.name = 'plain'`,
    )) as [{ id: string }];
    const run = app.project.command(["storage", "rotate-key", "--json"], under(third, second));
    expect(await run.ended, run.output()).toBe(1);
    expect(run.output()).toContain(id);
    await areRead(app.files.at(rotated));
  });

  test("once all keys are encrypted by the present one, the former may go", async () => {
    const run = app.project.command(["storage", "rotate-key", "--json"], under(third, second, first));
    expect(await run.ended, run.output()).toBe(0);
    const alone = await app.project.serve(under(third));
    await areRead(app.files.at(alone));
    // One that has not heard of it keeps what it has read; what is new to it, it cannot read, and says so.
    const answer = await app.files.get("newer");
    expect(answer.status).toBe(500);
    expect(await answer.json()).toMatchObject({ statusCode: "500", code: "storage/key-missing" });
    const [{ id }] = (await app.sql.run("select wrapping_key_id as id from mainstay.object_segments limit 1")) as [
      { id: string },
    ];
    await vi.waitFor(() => expect(app.server.output).toContain(id));
    await app.server.stop();
    await rotated.stop();
    rotated = alone;
  });
});

describe("bytes that were changed on the disk", () => {
  const large = textOf(300_000);
  /** What comes of a file, however it ends: cut off is never whole. */
  const received = async (answer: Response): Promise<{ readonly bytes: Buffer; readonly isWhole: boolean }> => {
    const chunks: Buffer[] = [];
    try {
      for await (const chunk of answer.body!) chunks.push(Buffer.from(chunk));
      return { bytes: Buffer.concat(chunks), isWhole: answer.ok };
    } catch {
      return { bytes: Buffer.concat(chunks), isWhole: false };
    }
  };
  const damage: Readonly<Record<string, (path: string) => Promise<void>>> = {
    async "one bit is flipped"(path) {
      const file = await open(path, "r+");
      const one = Buffer.alloc(1);
      await file.read(one, 0, 1, 150_000);
      one[0]! ^= 1;
      await file.write(one, 0, 1, 150_000);
      await file.close();
    },
    "the end is missing": (path) => truncate(path, 200_000),
    async "it is another file's"(path) {
      await copyFile(await pathOf("plain"), path);
    },
  };

  const nameOf = (kind: string): string => `damaged-${kind.replaceAll(" ", "-")}`;

  test.each(Object.keys(damage))("%s: an error, and never a byte that was not written", async (kind) => {
    const files = app.files.at(rotated);
    const name = nameOf(kind);
    expect(await files.plain(name, large)).toBe("done");
    await damage[kind]!(await pathOf(name));
    const { bytes, isWhole } = await received(await files.get(name));
    expect(isWhole).toBe(false);
    expect(bytes.length).toBeLessThan(large.length);
    const isPart = Buffer.compare(bytes, large.subarray(0, bytes.length)) === 0;
    // An answer of its own, or the beginning of the file.
    if (!isPart) expect(JSON.parse(bytes.toString())).toMatchObject({ statusCode: "500", code: "storage/corrupt" });
    const inDamage = await received(await files.get(name, { from: 149_000, to: 250_000 }));
    expect(inDamage.isWhole).toBe(false);
  });

  test("a deep check finds them all", async () => {
    const check = app.project.command(["storage", "check", "--deep"], under(third));
    expect(await check.ended).toBe(1);
    for (const kind of Object.keys(damage)) expect(check.output()).toContain(nameOf(kind));
    for (const name of kept.keys()) expect(check.output()).not.toContain(`files/${name}:`);
  });
});

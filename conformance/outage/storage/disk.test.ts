import { execFile } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { PutObjectCommand } from "@aws-sdk/client-s3";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { type FilesApp, nothingIsLeftOver, onDisk, startFiles } from "./app.ts";
import type { Files } from "./files.ts";
import { canTrace, type SystemCall, Trace } from "./trace.ts";

const run = promisify(execFile);
const megabyte = 1_048_576;
const diskBytes = 16 * megabyte;

let disk: string;
let isSmall = false;
let app: FilesApp;
beforeAll(async () => {
  disk = await mkdtemp(join(tmpdir(), "mainstay-disk-"));
  isSmall = await run("mount", ["-t", "tmpfs", "-o", `size=${diskBytes}`, "tmpfs", disk]).then(
    () => true,
    () => false,
  );
  app = await startFiles({ MAINSTAY_STORAGE_FOLDER: join(disk, "objects"), MAINSTAY_STORAGE_READ_GRACE_MS: "0" });
});
afterAll(async () => {
  await app?.stop();
  if (isSmall) await run("umount", [disk]);
  await rm(disk, { recursive: true, force: true });
});

const ways: Readonly<Record<string, (files: Files, name: string, bytes: Buffer) => Promise<void>>> = {
  plain: async (files, name, bytes) => expect(await files.plain(name, bytes)).toBe("done"),
  form: async (files, name, bytes) => expect(await files.form(name, bytes)).toBe("done"),
  resumable: async (files, name, bytes) => {
    expect(await files.patch(await files.beginResumable(name, bytes.length), 0, bytes)).toEqual([bytes.length, 204]);
  },
  s3: async (files, name, bytes) => expect(await files.putS3(name, bytes)).toBe("done"),
};

describe("S11, X14: what a machine without power would find", () => {
  test.skipIf(canTrace)("NOT TRIED: strace is not installed", ({ skip }) => skip());

  test.runIf(canTrace).each(Object.keys(ways))(
    "%s: bytes are on disk, then named, then the name is on disk, then in the database, then acknowledged",
    async (way) => {
      const bytes = randomBytes(3_000);
      const trace = await Trace.begin(app.server.pid);
      let calls: readonly SystemCall[] = [];
      try {
        await ways[way]!(app.files, `traced-${way}`, bytes);
      } finally {
        calls = await trace.end();
      }
      const one = (what: string, is: (call: SystemCall) => boolean): SystemCall => {
        const found = calls.find(is);
        expect(
          found,
          `${what} in\n${calls.map(({ name, args }) => `${name}(${args.slice(0, 200)}`).join("\n")}`,
        ).toBeDefined();
        return found!;
      };
      const named = one("a rename", ({ name, args }) => name.startsWith("rename") && args.includes(".writing/"));
      const [half, blob] = [...named.args.matchAll(/"([^"]+)"/g)].map(([, path]) => path!);
      const synced = one("the bytes made durable", ({ name, args }) => name === "fdatasync" && args.includes(half!));
      const folder = one(
        "the name made durable",
        ({ name, args, begun }) => name === "fsync" && args.includes(`<${dirname(blob!)}>`) && begun > named.ended,
      );
      const md5 = createHash("md5").update(bytes).digest("hex");
      const isWrite = ({ name }: SystemCall) => /^(write|writev|sendto|sendmsg)$/.test(name);
      const row = one("the row", (call) => isWrite(call) && call.args.includes(md5));
      const answer = one(
        "the answer",
        (call) => isWrite(call) && call.begun > row.begun && call.args.includes("HTTP/1.1 20"),
      );
      const writes = calls.filter(({ name, args }) => name.startsWith("pwrite") && args.includes(half!));
      expect(writes.length).toBeGreaterThan(0);
      for (const write of writes) expect(write.ended).toBeLessThan(synced.begun);
      expect(synced.ended).toBeLessThan(named.begun);
      expect(folder.ended).toBeLessThan(row.begun);
      // A folder is durable with the one that it is in.
      for (const made of calls.filter(({ name, args }) => name.startsWith("mkdir") && !args.includes("EEXIST"))) {
        const path = /"([^"]+)"/.exec(made.args)![1]!;
        if (!blob!.startsWith(`${path}/`)) continue;
        const parent = one(
          `${path} made durable`,
          ({ name, args, begun }) => name === "fsync" && args.includes(`<${dirname(path)}>`) && begun > made.begun,
        );
        expect(parent.ended).toBeLessThan(row.begun);
      }
      expect(answer.begun).toBeGreaterThan(folder.ended);
      // Nobody was told before.
      const early = calls.find(
        (call) => isWrite(call) && call.args.includes("HTTP/1.1 20") && call.begun < folder.ended,
      );
      if (way !== "resumable") expect(early).toBeUndefined();
    },
  );
});

describe("X17: a disk that is full", () => {
  test("refuses uploads in each protocol's words, reads and deletes as ever, and takes files again when there is room", async (context) => {
    if (!isSmall) context.skip("NOT TRIED: no small disk can be mounted here");
    const { files } = app;
    const kept = new Map<string, Buffer>();
    const put = (name: string, bytes: Buffer) => files.send("POST", `object/files/${name}`, bytes);
    let refused: Response;
    for (let n = 0; ; n++) {
      const bytes = randomBytes(megabyte);
      const answer = await put(`full-${n}`, bytes);
      refused = answer;
      if (!answer.ok) break;
      kept.set(`full-${n}`, bytes);
      expect(kept.size).toBeLessThan(20);
    }
    expect([refused.status, await refused.json()]).toEqual([
      507,
      expect.objectContaining({
        statusCode: "507",
        code: "storage/store-full",
        message: expect.stringContaining("no room"),
      }),
    ]);
    const bytes = randomBytes(2 * megabyte);
    expect(await files.form("refused-form", bytes)).toBe("unknown");
    const overS3 = files.s3().send(new PutObjectCommand({ Bucket: "files", Key: "refused-s3", Body: bytes }));
    await expect(overS3).rejects.toMatchObject({ name: "InsufficientStorage", $metadata: { httpStatusCode: 507 } });
    const begun = await files.beginResumable("later", bytes.length);
    expect((await files.patch(begun, 0, bytes))[1]).toBe(507);
    // Replacing what is there fails, too, and leaves it.
    expect(await files.plain("full-0", bytes, true)).toBe("unknown");

    const names = (await files.names()).filter((name) => !name.startsWith("traced-"));
    expect(names.sort()).toEqual([...kept.keys()].sort());
    for (const [name, had] of kept) expect((await files.read(name))?.equals(had), name).toBe(true);
    expect(
      (await files.read("full-1", { from: 700_000, to: 700_010 }))?.equals(
        kept.get("full-1")!.subarray(700_000, 700_010),
      ),
    ).toBe(true);
    // Of what was refused nothing takes room.
    expect((await onDisk(app.folder)).halves).toEqual([]);

    for (let n = 1; n <= 6; n++) {
      expect(await files.remove(`full-${n}`)).toBe("done");
      kept.delete(`full-${n}`);
    }
    // Room comes bit by bit, as what was deleted is swept.
    const whenThereIsRoom = (send: () => Promise<void>) => vi.waitFor(send, { timeout: 60_000, interval: 200 });
    await whenThereIsRoom(async () => expect(await files.plain("again", bytes, true)).toBe("done"));
    await whenThereIsRoom(async () => {
      const offset = (await files.offset(begun))!;
      expect(await files.patch(begun, offset, bytes.subarray(offset))).toEqual([bytes.length, 204]);
    });
    kept.set("again", bytes).set("later", bytes);
    for (const [name, had] of kept) expect((await files.read(name))?.equals(had), name).toBe(true);
    await nothingIsLeftOver(app);
  });
});

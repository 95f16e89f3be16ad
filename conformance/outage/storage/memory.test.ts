import { createHash, randomBytes } from "node:crypto";
import { readFile, writeFile } from "node:fs/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type FilesApp, startFiles } from "./app.ts";

/** 2 GB when `MAINSTAY_OUTAGE_WHOLE` is set. */
const fileBytes = process.env.MAINSTAY_OUTAGE_WHOLE === "1" ? 2_147_483_648 : 134_217_728;
const extraBytes = 64 * 1_048_576;
const pieceBytes = 1_048_576;
const partBytes = 16 * pieceBytes;

let app: FilesApp;
beforeAll(async () => {
  app = await startFiles({
    MAINSTAY_STORAGE_FILE_SIZE_LIMIT_BYTES: String(fileBytes),
    MAINSTAY_STORAGE_RESUMABLE_SEGMENT_BYTES: String(partBytes),
  });
});
afterAll(() => app?.stop());

const piece = randomBytes(pieceBytes);
/** Each piece of the file is another one, and costs nothing to make. */
function pieceAt(at: number): Buffer {
  piece.writeUInt32BE(at);
  return Buffer.from(piece);
}

/** The file from one place to another, as a body. */
function bodyOf(from: number, to: number): ReadableStream {
  let at = from / pieceBytes;
  return new ReadableStream({
    pull(controller) {
      if (at * pieceBytes >= to) return controller.close();
      controller.enqueue(pieceAt(at++));
    },
  });
}

/** What a process holds of the machine's memory now, and held at most since `forgetPeak`, in bytes (proc_pid_status(5)). */
async function memoryOf(pid: number): Promise<{ readonly now: number; readonly peak: number }> {
  const status = await readFile(`/proc/${pid}/status`, "utf8");
  const read = (field: string) => Number(new RegExp(`${field}:\\s+(\\d+) kB`).exec(status)![1]) * 1_024;
  return { now: read("VmRSS"), peak: read("VmHWM") };
}
const forgetPeak = (pid: number) => writeFile(`/proc/${pid}/clear_refs`, "5");

const uploads: Readonly<Record<string, (name: string) => Promise<void>>> = {
  async plain(name) {
    const body = bodyOf(0, fileBytes);
    const answer = await app.files.send("POST", `object/files/${name}`, body, {
      "content-type": "application/octet-stream",
    });
    expect(answer.status, await answer.text()).toBe(200);
  },
  async resumable(name) {
    const url = await app.files.beginResumable(name, fileBytes);
    const half = Math.ceil(fileBytes / 2 / pieceBytes) * pieceBytes;
    expect(await app.files.patch(url, 0, bodyOf(0, half))).toEqual([half, 204]);
    expect(await app.files.patch(url, half, bodyOf(half, fileBytes))).toEqual([fileBytes, 204]);
  },
  async multipart(name) {
    const uploadId = await app.files.beginS3(name);
    const etags: string[] = [];
    for (let from = 0; from < fileBytes; from += partBytes) {
      const pieces: Buffer[] = [];
      for (let at = from; at < Math.min(from + partBytes, fileBytes); at += pieceBytes)
        pieces.push(pieceAt(at / pieceBytes));
      etags.push(await app.files.partS3(name, uploadId, etags.length + 1, Buffer.concat(pieces)));
    }
    await app.files.completeS3(name, uploadId, etags);
  },
};

let expected: string | null = null;
function hashOfFile(): string {
  if (expected !== null) return expected;
  const hash = createHash("md5");
  for (let at = 0; at * pieceBytes < fileBytes; at++) hash.update(pieceAt(at));
  expected = hash.digest("hex");
  return expected;
}

/** What a server that works has anyway, such as room for what lives shortly, is no part of what a large file costs. */
async function serveOrdinaryFiles(): Promise<void> {
  const bytes = randomBytes(pieceBytes);
  for (let round = 0; round < 40; round++) {
    expect(await app.files.plain("ordinary", bytes, true)).toBe("done");
    expect((await app.files.read("ordinary"))?.length).toBe(pieceBytes);
  }
  expect(await app.files.putS3("ordinary", bytes)).toBe("done");
}

test.skipIf(process.platform === "linux")("NOT TRIED: memory is read from /proc", ({ skip }) => skip());

test.runIf(process.platform === "linux").each(Object.keys(uploads))(
  "X07: a file of hundreds of megabytes goes in (%s) and out in less than 64 MB of memory",
  async (way) => {
    await serveOrdinaryFiles();
    const { pid } = app.server;
    await forgetPeak(pid);
    const before = await memoryOf(pid);
    await uploads[way]!(`large-${way}`);
    const sent = await memoryOf(pid);
    const answer = await app.files.get(`large-${way}`);
    expect(Number(answer.headers.get("content-length"))).toBe(fileBytes);
    const hash = createHash("md5");
    for await (const chunk of answer.body!) hash.update(chunk);
    expect(hash.digest("hex")).toBe(hashOfFile());
    const after = await memoryOf(pid);
    const story = [before.now, sent.peak, after.peak].map((bytes) => `${Math.round(bytes / 1_048_576)} MB`).join(", ");
    expect(after.peak - before.now, `before, after the upload, after the download: ${story}`).toBeLessThan(extraBytes);
    if (process.env.MAINSTAY_OUTAGE_WHOLE === "1") process.stdout.write(`${way}: ${story}\n`);
    await app.files.remove(`large-${way}`);
  },
  1_200_000,
);

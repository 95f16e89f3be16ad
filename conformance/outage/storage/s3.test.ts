import { randomBytes } from "node:crypto";
import { type BootedApp, boot } from "@mainstay/testing";
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from "vitest";
import { runMainstay } from "../../abuse/command.ts";
import { fraction } from "../random.ts";
import type { Server } from "../server.ts";
import { type FilesApp, ofObjects, startFiles, timePasses } from "./app.ts";
import { type Fault, type FaultyS3, openFaultyS3 } from "./faulty-s3.ts";
import type { Files } from "./files.ts";
import { isAllThere, storm } from "./storm.ts";

const partBytes = 5 * 1_048_576;

/** A server of ours that is the S3 of the others. */
let back: BootedApp;
let way: FaultyS3;
/** Two nodes of one project, with their bytes there. */
let app: FilesApp;
let other: Server;
let files: Files;

beforeAll(async () => {
  back = await boot({ sql: "insert into storage.buckets (id, name) values ('blobs', 'blobs')" });
  const created = runMainstay(["storage", "s3-keys", "create", "--json"], back.server.project.dir, {
    DATABASE_URL: back.databaseUrl,
  });
  expect(await created.ended, created.output()).toBe(0);
  const key = JSON.parse(created.output().slice(created.output().indexOf("{"))) as { id: string; secret: string };
  way = await openFaultyS3(Number(new URL(back.url).port));
  app = await startFiles({
    MAINSTAY_STORAGE_BACKEND: "s3",
    MAINSTAY_STORAGE_BACKEND_S3_BUCKET: "blobs",
    MAINSTAY_STORAGE_BACKEND_S3_ENDPOINT: `${way.url}/storage/v1/s3`,
    MAINSTAY_STORAGE_BACKEND_S3_ACCESS_KEY_ID: key.id,
    MAINSTAY_STORAGE_BACKEND_S3_SECRET_ACCESS_KEY: key.secret,
    MAINSTAY_STORAGE_BACKEND_S3_PART_BYTES: String(partBytes),
    // How long S3 may be silent is what some of these tests are about.
    MAINSTAY_STORAGE_BACKEND_S3_STALL_TIMEOUT_MS: "1000",
    MAINSTAY_STORAGE_MEMORY_BYTES: "0",
  });
  other = await app.project.serve();
  files = app.files;
});
afterEach(() => {
  way.befalls = () => null;
});
afterAll(async () => {
  await app?.stop();
  await way?.stop();
  await back?.stop();
});

/** The same fault for so many of the requests with this method, in turn; then none. */
function next(method: string, fault: Fault, times = Number.POSITIVE_INFINITY): { readonly met: () => number } {
  let met = 0;
  way.befalls = (asked) => {
    if (asked.method !== method || met >= times) return null;
    met++;
    return fault;
  };
  return { met: () => met };
}

const inBack = async (): Promise<string[]> =>
  (await back.sql<{ name: string }>("select name from storage.objects where bucket_id = 'blobs'"))
    .map(({ name }) => name)
    .sort();

const throttled: Fault = { kind: "answer", status: 503, code: "SlowDown" };
const failing: Fault = { kind: "answer", status: 500, code: "InternalError" };

describe("uploads", () => {
  test.each([
    ["500 twice", failing, 2],
    ["503 SlowDown twice", throttled, 2],
    ["a connection that is reset", { kind: "reset" }, 2],
    ["a connection that breaks in the middle of the body", { kind: "cut-request", afterBytes: 100_000 }, 2],
    ["an answer that is lost", { kind: "lose-answer" }, 1],
  ] as const)("get through %s", async (name, fault, times) => {
    const bytes = randomBytes(400_000);
    const { met } = next("PUT", fault, times);
    expect(await files.plain(`through ${name}`, bytes)).toBe("done");
    expect(met()).toBe(times);
    expect((await files.read(`through ${name}`))?.equals(bytes)).toBe(true);
  });

  test("in parts get through faults of any of them, and through a lost answer to the last request", async () => {
    const bytes = randomBytes(2 * partBytes + 100_000);
    const faults: Fault[] = [
      failing,
      { kind: "cut-request", afterBytes: 2_000_000 },
      { kind: "lose-answer" },
      throttled,
    ];
    way.befalls = ({ method, path }) => {
      if (method === "PUT" && path.includes("partNumber=")) return faults.shift() ?? null;
      return method === "POST" && /uploadId=/.test(path) && faults.length === 0 ? (isLost ? null : lose()) : null;
    };
    let isLost = false;
    const lose = (): Fault => {
      isLost = true;
      return { kind: "lose-answer" };
    };
    expect(await files.plain("parts", bytes)).toBe("done");
    expect([faults.length, isLost]).toEqual([0, true]);
    expect((await files.read("parts"))?.equals(bytes)).toBe(true);
  });

  test("that cannot be stored are refused in each protocol's words, and nothing of them is there", async () => {
    const before = await files.names();
    const blobs = await inBack();
    const bytes = randomBytes(partBytes + 300_000);
    for (const fault of [failing, throttled, { kind: "reset" } as const]) {
      next("PUT", fault);
      const answer = await files.send("POST", "object/files/refused", bytes.subarray(0, 200_000));
      expect([answer.status, await answer.json()]).toEqual([
        503,
        expect.objectContaining({ statusCode: "503", code: "storage/store-unavailable" }),
      ]);
    }
    expect(await files.form("refused", bytes)).toBe("unknown");
    const url = await files.beginResumable("later", 200_000);
    expect((await files.patch(url, 0, bytes.subarray(0, 200_000)))[1]).toBe(503);
    await expect(
      files.partS3("refused", await files.beginS3("refused"), 1, bytes.subarray(0, 1_000)),
    ).rejects.toMatchObject({
      name: "ServiceUnavailable",
      $metadata: { httpStatusCode: 503 },
    });
    // Lists and what else needs no bytes go on.
    expect(await files.names()).toEqual(before);
    way.befalls = () => null;
    expect(await files.patch(url, (await files.offset(url))!, bytes.subarray(0, 200_000))).toEqual([200_000, 204]);
    expect(await files.read("refused")).toBeNull();
    const left = (await inBack()).filter((name) => !blobs.includes(name));
    await timePasses(app.sql);
    await vi.waitFor(async () => expect(await inBack()).toEqual(await ofObjects(app.sql)), {
      timeout: 60_000,
      interval: 200,
    });
    expect(left.length).toBeGreaterThan(0);
  });
});

describe("downloads", () => {
  const bytes = randomBytes(3_000_000);
  beforeAll(async () => {
    expect(await files.plain("large", bytes)).toBe("done");
  });

  test.each([
    ["500 twice", failing, 2],
    ["503 SlowDown twice", throttled, 2],
    ["a connection that is reset", { kind: "reset" }, 2],
    ["connections that break in the middle", { kind: "cut-answer", afterBytes: 700_000 }, 3],
    ["silence in the middle", { kind: "stall-answer", afterBytes: 700_000 }, 1],
    ["a slow line", { kind: "slow", pauseMs: 1 }, 1],
  ] as const)("are whole through %s, and so are ranges", async (_, fault, times) => {
    const { met } = next("GET", fault, times);
    expect((await files.read("large"))?.equals(bytes)).toBe(true);
    expect(met()).toBe(times);
    next("GET", fault, times);
    const range = { from: 1_000_000, to: 2_500_000 };
    expect((await files.read("large", range))?.equals(bytes.subarray(range.from, range.to))).toBe(true);
  });

  test("that cannot be had are 503, or cut off: never short under a length that says so", async () => {
    next("GET", failing);
    const refused = await files.get("large");
    expect([refused.status, await refused.json()]).toEqual([
      503,
      expect.objectContaining({ statusCode: "503", code: "storage/store-unavailable" }),
    ]);
    // It begins, and then S3 is gone for good.
    let answers = 0;
    way.befalls = ({ method }) =>
      method !== "GET" ? null : answers++ === 0 ? { kind: "cut-answer", afterBytes: 700_000 } : { kind: "reset" };
    const cut = await files.get("large");
    expect([cut.status, cut.headers.get("content-length")]).toEqual([200, String(bytes.length)]);
    const chunks: Uint8Array[] = [];
    await expect(
      (async () => {
        for await (const chunk of cut.body!) chunks.push(chunk);
      })(),
    ).rejects.toThrow();
    const came = Buffer.concat(chunks);
    expect(came.equals(bytes.subarray(0, came.length))).toBe(true);
    way.befalls = () => null;
    expect((await files.read("large"))?.equals(bytes)).toBe(true);
  });
});

test("S11: a node that is killed in the midst of a resumable upload: another goes on with what was acknowledged", async () => {
  const bytes = randomBytes(1_500_000);
  const there = files.at(other);
  const begun = await there.beginResumable("handed over", bytes.length);
  expect(await there.patch(begun, 0, bytes.subarray(0, 300_000))).toEqual([300_000, 204]);
  // Bytes that are on their way as it dies, on a request that has no end.
  const open = there
    .patch(
      begun,
      300_000,
      new ReadableStream({ start: (controller) => controller.enqueue(bytes.subarray(300_000, 900_000)) }),
    )
    .catch(() => null);
  await vi.waitFor(async () => {
    const [row] = await app.sql.run(
      "select count(*)::int as n from mainstay.object_segments s join mainstay.object_versions v on v.id = s.version_id where v.state = 'receiving' and s.size_bytes is not null",
    );
    expect(row!.n).toBeGreaterThan(5);
  });
  await other.kill();
  expect(await open).toBeNull();
  const url = begun.replace(other.url, app.server.url);
  let offset = 0;
  await vi.waitFor(
    async () => {
      offset = (await files.offset(url))!;
      expect(await files.patch(url, offset, bytes.subarray(offset))).toEqual([bytes.length, 204]);
    },
    { timeout: 60_000, interval: 500 },
  );
  expect(offset).toBeGreaterThanOrEqual(300_000);
  expect((await files.read("handed over"))?.equals(bytes)).toBe(true);
  await other.start();
}, 180_000);

test("S11, X14: two nodes on an S3 that fails all the time, and one of them is killed: nothing is lost, half or left over", async () => {
  await files.removeMany(await files.names());
  const faults: readonly Fault[] = [
    failing,
    throttled,
    { kind: "reset" },
    { kind: "lose-answer" },
    { kind: "cut-request", afterBytes: 5_000 },
    { kind: "cut-answer", afterBytes: 5_000 },
  ];
  way.befalls = () => (fraction() < 0.15 ? faults[Math.floor(fraction() * faults.length)]! : null);
  const kept = await storm({
    files: [files, files.at(other)],
    writers: 6,
    writes: 60,
    disturbances: 1,
    async disturb() {
      await other.kill();
      await other.start();
    },
  });
  way.befalls = () => null;
  await isAllThere(files, kept);
  await timePasses(app.sql);
  await vi.waitFor(async () => expect(await inBack()).toEqual(await ofObjects(app.sql)), {
    timeout: 90_000,
    interval: 300,
  });
  const check = app.project.command(["storage", "check", "--deep", "--json"]);
  expect(await check.ended, check.output()).toBe(0);
}, 300_000);

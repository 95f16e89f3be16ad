import { type RunningServer, startServer } from "@mainstay/server";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  bootFiles,
  bytesType,
  create,
  type FilesApp,
  head,
  type Person,
  patch,
  RawPatch,
  someBytes,
} from "./testing.ts";

const storage = {
  storageResumableSegmentBytes: 65_536,
  storageResumableHoldMs: 1_000,
  storageResumableWaitMs: 2_000,
  storageUserQuotaBytes: 20_000_000,
};
const file = someBytes(400_000);

let app: FilesApp;
let other: RunningServer;
let ann: Person;
beforeAll(async () => {
  app = await bootFiles(storage);
  ann = await app.person("ann@example.com");
  // Another server of the same project: its keys, its database, its folder.
  other = await startServer({
    projectDir: app.server.project.dir,
    flags: { storage, http: { port: 0 } },
    env: { DATABASE_URL: app.databaseUrl },
    observe: () => {},
  });
});
afterAll(async () => {
  await other?.stop(AbortSignal.timeout(5_000));
  await app.stop();
});

let count = 0;
async function begun(length = file.length): Promise<{ readonly name: string; readonly location: string }> {
  const name = `ann/${++count}`;
  const { status, location } = await create(app.url, ann.token, { name, length });
  expect(status).toBe(201);
  return { name, location };
}
const at = (server: { readonly url: string }, location: string): string => `${server.url}${new URL(location).pathname}`;
const rest = (location: string, offset: number) => patch(location, ann.token, offset, file.subarray(offset));
const isStored = async (name: string): Promise<boolean> => (await app.stored("files", name))?.equals(file) === true;
const statusIn = (answer: string): number => Number(/^HTTP\/1\.1 (\d{3})/.exec(answer)?.[1] ?? 0);

describe("S12: a connection that breaks off", () => {
  test.each([1, 100, 4_099, 65_535, 65_536, 65_537, 131_072, 200_000, 399_999])(
    "after %d bytes loses none of them",
    async (sent) => {
      const { name, location } = await begun();
      const request = new RawPatch(location, ann.token, 0, file.length);
      await request.send(file.subarray(0, sent));
      request.cut("close");
      await request.answer();
      // What came may be on its way to the disk when the connection is gone already.
      await expect.poll(async () => (await head(location)).offset).toBe(sent);
      expect(await app.stored("files", name)).toBeNull();
      expect((await rest(location, sent)).status).toBe(204);
      expect(await isStored(name)).toBe(true);
    },
  );

  test("again and again, in whatever way, ends in the whole file", async () => {
    const { name, location } = await begun();
    for (let offset = 0, turn = 0; offset < file.length - 20_000; turn++) {
      const request = new RawPatch(location, ann.token, offset, file.length - offset);
      await request.send(file.subarray(offset, offset + 1 + turn * 9_001));
      request.cut(turn % 2 === 0 ? "reset" : "close");
      const looked = await head(location);
      expect(looked.status).toBe(200);
      expect(looked.offset).toBeGreaterThanOrEqual(offset);
      expect(looked.offset).toBeLessThanOrEqual(offset + 1 + turn * 9_001);
      offset = looked.offset;
    }
    // As clients do: where a request of before was still on its way, the offset is asked for again.
    await expect.poll(async () => (await rest(location, (await head(location)).offset)).status).toBe(204);
    expect(await isStored(name)).toBe(true);
  });

  test("with a checksum keeps nothing: what came could not be checked", async () => {
    const { location } = await begun();
    const controller = new AbortController();
    const sending = fetch(location, {
      method: "PATCH",
      signal: controller.signal,
      headers: {
        ...bytesType,
        authorization: `Bearer ${ann.token}`,
        "tus-resumable": "1.0.0",
        "upload-offset": "0",
        "upload-checksum": `sha1 ${Buffer.alloc(20).toString("base64")}`,
      },
      body: new ReadableStream({
        start(stream) {
          stream.enqueue(new Uint8Array(file.subarray(0, 100_000)));
        },
      }),
      duplex: "half",
    } as RequestInit);
    await new Promise((resolve) => setTimeout(resolve, 100));
    controller.abort();
    await expect(sending).rejects.toThrow();
    expect(await head(location)).toMatchObject({ status: 200, offset: 0 });
  });
});

describe.each(["the same server", "another server"] as const)(
  "S12: a request that hangs, and the next one at %s",
  (which) => {
    const next = (location: string): string => at(which === "the same server" ? app : other, location);

    test("HEAD makes it let go, and knows what came", async () => {
      const { name, location } = await begun();
      const hanging = new RawPatch(location, ann.token, 0, file.length);
      await hanging.send(file.subarray(0, 150_000));
      await expect
        .poll(() => app.sql("select from mainstay.resumable_uploads where held_until > now()"))
        .toHaveLength(1);
      const looked = await head(next(location));
      expect(looked.status).toBe(200);
      expect(looked.offset).toBeLessThanOrEqual(150_000);
      expect(looked.offset).toBeGreaterThanOrEqual(131_072);
      expect(statusIn(await hanging.answer())).toBe(423);
      expect((await rest(next(location), looked.offset)).status).toBe(204);
      expect(await isStored(name)).toBe(true);
    });

    test("PATCH takes the upload from it", async () => {
      const { name, location } = await begun();
      await patch(location, ann.token, 0, file.subarray(0, 1_000));
      // Nothing of it comes, so the next one's offset is right.
      const hanging = new RawPatch(location, ann.token, 1_000, file.length - 1_000);
      await expect
        .poll(() => app.sql("select from mainstay.resumable_uploads where held_until > now()"))
        .toHaveLength(1);
      expect(await rest(next(location), 1_000)).toMatchObject({ status: 204, offset: file.length });
      expect(statusIn(await hanging.answer())).toBe(423);
      expect(await isStored(name)).toBe(true);
    });

    test("DELETE ends the upload under it", async () => {
      const { name, location } = await begun();
      const hanging = new RawPatch(location, ann.token, 0, file.length);
      await hanging.send(file.subarray(0, 100_000));
      const ended = await fetch(next(location), {
        method: "DELETE",
        headers: { authorization: `Bearer ${ann.token}`, "tus-resumable": "1.0.0" },
      });
      expect(ended.status).toBe(204);
      expect([404, 423]).toContain(statusIn(await hanging.answer()));
      expect((await head(location)).status).toBe(404);
      expect(await app.stored("files", name)).toBeNull();
    });
  },
);

describe("S12: many writers", () => {
  test("of the same bytes at both servers make one file, and each hears the truth", async () => {
    const { name, location } = await begun();
    const answers = await Promise.all(
      Array.from({ length: 8 }, (_, n) => rest(at(n % 2 === 0 ? app : other, location), 0)),
    );
    for (const { status } of answers) expect([204, 404, 409, 423]).toContain(status);
    const { offset } = await head(location);
    if (offset < file.length) expect((await rest(location, offset)).status).toBe(204);
    expect(await isStored(name)).toBe(true);
  });

  test("do not disturb each other's uploads", async () => {
    const uploads = await Promise.all(Array.from({ length: 10 }, () => begun()));
    await Promise.all(
      uploads.map(async ({ location }, n) => {
        const cut = 30_000 * (n + 1);
        await patch(location, ann.token, 0, file.subarray(0, cut));
        expect(await rest(at(other, location), cut)).toMatchObject({ status: 204, offset: file.length });
      }),
    );
    for (const { name } of uploads) expect(await isStored(name)).toBe(true);
  });
});

describe("S11: a server that is gone, or thinks it is not", () => {
  const holds = (location: string, until: string) =>
    app.sql(
      `update mainstay.resumable_uploads set holder = gen_random_uuid(), held_until = clock_timestamp() + $2::interval where version_id = $1`,
      [Buffer.from(location.split("/").at(-1)!, "base64url").toString().split("/").at(-1), until],
    );

  test("leaves an upload to others when its time is over", async () => {
    const { name, location } = await begun();
    await patch(location, ann.token, 0, file.subarray(0, 1_000));
    await holds(location, "1 second");
    expect(await head(location)).toMatchObject({ status: 200, offset: 1_000 });
    await holds(location, "1 second");
    expect((await rest(location, 1_000)).status).toBe(204);
    expect(await isStored(name)).toBe(true);
  });

  test("is waited for, and then the caller is to try again", async () => {
    const { location } = await begun();
    await holds(location, "1 minute");
    const answer = await rest(location, 0);
    expect(answer.status).toBe(423);
    expect(answer.headers.get("retry-after")).toBe("1");
    expect((await head(location)).status).toBe(423);
    await holds(location, "0");
    expect((await rest(location, 0)).status).toBe(204);
  });

  test("writes nothing that counts once another has the upload", async () => {
    const { name, location } = await begun();
    const late = new RawPatch(location, ann.token, 0, file.length);
    await late.send(file.subarray(0, 50_000));
    await expect
      .poll(() => app.sql("select from mainstay.object_segments where size_bytes is null and not is_dead"))
      .toHaveLength(1);
    // It has slept for longer than it may: another has taken the upload meanwhile, and is done with it.
    await holds(location, "-1 second");
    const other0 = await rest(at(other, location), 0);
    expect(other0).toMatchObject({ status: 204, offset: file.length });
    await late.send(Buffer.alloc(file.length - 50_000)).catch(() => {});
    expect([404, 423]).toContain(statusIn(await late.answer()));
    expect(await isStored(name)).toBe(true);
  });
});

test("S13: uploads at once take no more than the quota together", async () => {
  const bob = await app.person("bob@example.com");
  const bytes = someBytes(1_000_000);
  const answers = await Promise.all(
    Array.from({ length: 25 }, (_, n) =>
      create(
        n % 2 === 0 ? app.url : other.url,
        bob.token,
        { name: `bob/${n}`, length: bytes.length },
        bytesType,
        bytes,
      ),
    ),
  );
  expect(answers.filter(({ status }) => status === 201)).toHaveLength(20);
  expect(answers.filter(({ status }) => status === 413)).toHaveLength(5);
});

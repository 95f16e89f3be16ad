import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type OwnPostgres, openOwnPostgres } from "@mainstay/testing";
import { afterAll, beforeAll, expect, test } from "vitest";
import { Project, type Server } from "../outage/server.ts";
import { type Place, signedUp, someBytes, sql, stored, uploadOf } from "./app.ts";

const patience = 180_000;
let postgres: OwnPostgres;
let project: Project;
let server: Server;
let place: Place;
let token: string;

beforeAll(async () => {
  postgres = await openOwnPostgres();
  project = await Project.make({
    DATABASE_URL: postgres.url,
    MAINSTAY_STORAGE_RESUMABLE_SEGMENT_BYTES: "262144",
    MAINSTAY_STORAGE_RESUMABLE_HOLD_MS: "2000",
    MAINSTAY_STORAGE_FILE_SIZE_LIMIT_BYTES: "100000000",
  });
  await writeFile(join(project.dir, "migrations", "20260102000000_files.sql"), sql);
  server = await project.serve();
  place = { url: server.url, ...(await project.keys()) };
  token = await signedUp(place);
}, patience);
afterAll(async () => {
  await project?.remove();
  await postgres?.stop();
});

/** Sends a file at a pace, so that there is a midst of it. */
const slowly = (chunkBytes: number) => ({
  chunkSize: chunkBytes,
  retryDelays: Array.from({ length: 60 }, () => 500),
});

test(
  "S11: a server that is killed while files come loses none that it has acknowledged, and shows no half of one",
  async () => {
    const files = Array.from({ length: 6 }, (_, n) => ({ name: `killed-${n}`, bytes: someBytes(4_000_000 + n) }));
    const acknowledged = new Set<string>();
    const uploads = files.map(async ({ name, bytes }, n) => {
      const { upload, ended } = uploadOf(place, token, name, bytes, slowly(n % 2 === 0 ? 200_000 : 1_500_000));
      upload.start();
      await ended;
      acknowledged.add(name);
    });
    for (let kill = 0; kill < 3; kill++) {
      await new Promise((resolve) => setTimeout(resolve, 150 + kill * 250));
      const before = new Set(acknowledged);
      await server.kill();
      await server.start();
      for (const { name, bytes } of files) {
        const found = await stored(place, name);
        if (before.has(name)) expect(found?.equals(bytes), name).toBe(true);
        else if (found !== null) expect(found.equals(bytes), name).toBe(true);
      }
    }
    await Promise.all(uploads);
    for (const { name, bytes } of files) expect((await stored(place, name))?.equals(bytes), name).toBe(true);
  },
  patience,
);

test(
  "S11: what one server has begun, another ends when the first is killed",
  async () => {
    const other = await project.serve();
    const bytes = someBytes(3_000_000);
    const url = await new Promise<string>((resolve) => {
      const { upload } = uploadOf({ ...place, url: other.url }, token, "moved", bytes, {
        ...slowly(300_000),
        onChunkComplete: (_size, accepted) => {
          if (accepted >= 900_000) void upload.abort().then(() => resolve(upload.url!));
        },
      });
      upload.start();
    });
    await other.kill();
    const here = `${server.url}${new URL(url).pathname}`;
    const { upload, ended } = uploadOf(place, token, "moved", bytes, { ...slowly(300_000), uploadUrl: here });
    upload.start();
    await ended;
    expect((await stored(place, "moved"))?.equals(bytes)).toBe(true);
  },
  patience,
);

import { type OwnPostgres, openOwnPostgres } from "@mainstay/testing";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { type FilesApp, nothingIsLeftOver, startFiles } from "./app.ts";
import { isAllThere, storm } from "./storm.ts";

let postgres: OwnPostgres;
let app: FilesApp;
beforeAll(async () => {
  postgres = await openOwnPostgres();
  app = await startFiles({}, postgres.url);
});
afterAll(async () => {
  await app?.stop();
  await postgres?.stop();
});

const startedAt = async (): Promise<unknown> =>
  (await app.sql.run("select pg_postmaster_start_time()::text as at"))[0]!.at;

test("S11, X14, X15: PostgreSQL that crashes or restarts under uploads loses none that was acknowledged, and the server goes on", async () => {
  const { files } = app;
  let times = 0;
  const kept = await storm({
    files,
    writers: 6,
    writes: 100,
    disturbances: 4,
    async disturb() {
      const before = await startedAt();
      process.kill(postgres.pid(), times++ % 2 === 0 ? "SIGQUIT" : "SIGINT");
      await vi.waitFor(async () => expect(await startedAt()).not.toBe(before), { timeout: 120_000, interval: 100 });
    },
  });
  await isAllThere(files, kept);
  await nothingIsLeftOver(app);
  await isAllThere(files, kept);
}, 600_000);

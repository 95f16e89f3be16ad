import { afterAll, beforeAll, expect, test } from "vitest";
import { type FilesApp, nothingIsLeftOver, startFiles } from "./app.ts";
import { isAllThere, storm } from "./storm.ts";

let app: FilesApp;
beforeAll(async () => {
  app = await startFiles();
});
afterAll(() => app?.stop());

const kills = Number(process.env.MAINSTAY_OUTAGE_KILLS ?? 10);

test("S11, X14: kill -9 during 200 uploads, moves, copies and deletions loses nothing, shows nothing half, brings nothing back", async () => {
  const { files, server } = app;
  const kept = await storm({
    files,
    writers: 6,
    writes: kills * 20,
    disturbances: kills,
    async disturb() {
      await server.kill();
      await server.start();
    },
  });
  expect(kept.size).toBeGreaterThan(0);
  await isAllThere(files, kept);
  await nothingIsLeftOver(app);
  await isAllThere(files, kept);
}, 600_000);

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { watchFolders } from "./watch.ts";

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "mainstay-watch-"));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

const watchersOpen = (): number => process.getActiveResourcesInfo().filter((name) => name === "FSEventWrap").length;

it("tells of what changes in its folders, and not of what is ignored", async () => {
  const changed = Promise.withResolvers<ReadonlySet<string>>();
  const watching = watchFolders(
    (_, files) => changed.resolve(files),
    (name) => name.endsWith("~"),
  );
  mkdirSync(join(dir, "below"));
  watching.follow([dir, join(dir, "gone")]);
  writeFileSync(join(dir, "below/c.ts"), "");
  writeFileSync(join(dir, "a.ts~"), "");
  writeFileSync(join(dir, "b.ts"), "");
  expect([...(await changed.promise)]).toEqual(["b.ts"]);
  watching.close();
});

it("opens nothing once it is closed: a build that was under way comes late", async () => {
  // A watcher that was closed is open for a moment still.
  await expect.poll(watchersOpen).toBe(0);
  const watching = watchFolders(
    () => {},
    () => false,
  );
  watching.follow([dir]);
  expect(watchersOpen()).toBe(1);
  watching.close();
  watching.follow([dir]);
  await expect.poll(watchersOpen).toBe(0);
});

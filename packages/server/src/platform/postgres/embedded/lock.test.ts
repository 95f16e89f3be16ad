import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { lockFolder } from "./lock.ts";

let home: string;
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), "lock-"));
});
afterEach(() => rmSync(home, { recursive: true }));

const patienceMs = 40;
const holdFiles = () => readdirSync(home).sort();
const inUse = { code: "postgres/folder-in-use" };

/** Rewrites the newest hold, as another process would have written it. */
function rewrite(changes: Record<string, unknown>): string {
  const path = join(home, holdFiles().at(-1)!);
  writeFileSync(path, JSON.stringify({ ...JSON.parse(readFileSync(path, "utf8")), ...changes }));
  return path;
}

describe("lockFolder", () => {
  it("lets one in, and the next when that has left; numbers only grow", async () => {
    const first = await lockFolder(home, patienceMs);
    await expect(lockFolder(home, patienceMs)).rejects.toMatchObject(inUse);
    expect(holdFiles()).toEqual(["hold-1.json"]);
    first.release();
    const second = await lockFolder(home, patienceMs);
    expect(holdFiles()).toEqual(["hold-2.json"]);
    second.release();
  });

  it("lets one of many in who find a dead holder at the same moment", async () => {
    (await lockFolder(home, patienceMs)).release();
    rewrite({ pid: 2 ** 22 + 7, isReleased: false });
    const outcomes = await Promise.allSettled(Array.from({ length: 8 }, () => lockFolder(home, patienceMs)));
    expect(outcomes.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
  });

  it("X16: does not believe a pid that has passed to another process", async () => {
    const lock = await lockFolder(home, patienceMs);
    lock.release();
    rewrite({ isReleased: false });
    await expect(lockFolder(home, patienceMs)).rejects.toMatchObject(inUse);
    rewrite({ startedAt: "1" });
    (await lockFolder(home, patienceMs)).release();
  });

  it("X16: does not believe a hold that came with a copy of the folder", async () => {
    const lock = await lockFolder(home, patienceMs);
    const copy = `${home}-copy`;
    cpSync(home, copy, { recursive: true });
    (await lockFolder(copy, patienceMs)).release();
    lock.release();
    rmSync(copy, { recursive: true });
  });

  it("X16: does not believe a hold cut short by a crash", async () => {
    writeFileSync(join(home, "hold-3.json"), '{"pid":');
    (await lockFolder(home, patienceMs)).release();
    expect(holdFiles()).toEqual(["hold-4.json"]);
  });

  it("believes a holder elsewhere as long as its heart beats", async () => {
    (await lockFolder(home, patienceMs)).release();
    const path = rewrite({ realm: "another machine", host: "elsewhere", isReleased: false });
    let beat = Date.now() / 1000;
    const heart = setInterval(() => utimesSync(path, ++beat, beat), 5);
    await expect(lockFolder(home, 2_000)).rejects.toMatchObject({
      ...inUse,
      message: expect.stringContaining("on elsewhere since"),
    });
    clearInterval(heart);
    (await lockFolder(home, patienceMs)).release();
  });

  it("does not wait for a holder elsewhere that has been silent for long", async () => {
    (await lockFolder(home, patienceMs)).release();
    utimesSync(rewrite({ realm: "another machine", isReleased: false }), 1, 1);
    (await lockFolder(home, 600_000)).release();
  });

  it("beats while held", async () => {
    const lock = await lockFolder(home, patienceMs);
    const path = join(home, "hold-1.json");
    utimesSync(path, 1, 1);
    await expect.poll(() => statSync(path).mtimeMs).toBeGreaterThan(1_000);
    lock.release();
  });

  it("is given up when its caller leaves", async () => {
    (await lockFolder(home, patienceMs)).release();
    rewrite({ realm: "another machine", isReleased: false });
    await expect(lockFolder(home, 60_000, AbortSignal.timeout(20))).rejects.toThrow(/abort/i);
  });
});

import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { CommandError } from "../cli.ts";
import { temporaryFolder } from "../testing.ts";
import { watchMigrations } from "./watch-migrations.ts";

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
let stopWatching: () => Promise<void> = async () => {};

beforeEach(async () => {
  folder = await temporaryFolder();
});
afterEach(async () => {
  await stopWatching();
  await folder.remove();
});

/** Watches for a server that migrates as it is told. */
function watching(migrate: () => Promise<void> = async () => {}) {
  let runs = 0;
  const said: string[] = [];
  stopWatching = watchMigrations(
    {
      project: { migrationsDir: folder.path } as Parameters<typeof watchMigrations>[0]["project"],
      async migrate() {
        runs++;
        await migrate();
        return { applied: [], differences: [], warnings: [], durationMs: 0, waitedMs: 0 };
      },
    },
    { done: (text) => void said.push(text), warn: (text) => void said.push(text) },
  );
  return { said, runs: () => runs };
}

const save = (name: string) => writeFile(join(folder.path, name), "select 1;");

describe("watchMigrations", () => {
  it("looks once for what was saved before it watched, and then only when something changes", async () => {
    await save("1_before.sql");
    const { runs } = watching();
    await expect.poll(runs).toBe(1);
    await save("notes.txt");
    await save("2_then.sql");
    await expect.poll(runs).toBe(2);
  });

  it("runs again for a change during a run, and never two at once", async () => {
    let end = () => {};
    let going = 0;
    let most = 0;
    const { runs } = watching(async () => {
      most = Math.max(most, ++going);
      await new Promise<void>((resolve) => {
        end = resolve;
      });
      going--;
    });
    await expect.poll(runs).toBe(1);
    await save("1_meanwhile.sql");
    // Longer than changes are waited for: only the run under way keeps it.
    await new Promise((resolve) => setTimeout(resolve, 400));
    expect(runs()).toBe(1);
    end();
    await expect.poll(runs).toBe(2);
    end();
    await stopWatching();
    expect(most).toBe(1);
  });

  it("says what failed, and goes on watching", async () => {
    const { runs, said } = watching(async () => {
      throw new CommandError("1_wrong.sql:1: no");
    });
    await expect.poll(() => said).toEqual(["1_wrong.sql:1: no"]);
    await save("1_wrong.sql");
    await expect.poll(runs).toBe(2);
  });
});

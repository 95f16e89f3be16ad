import { readdir } from "node:fs/promises";
import { basename, join } from "node:path";
import { describe, expect, it } from "vitest";
import { readMigrations } from "./files.ts";
import { newMigration } from "./new.ts";
import { folderOf } from "./testing.ts";

const clock = { nowMs: () => Date.UTC(2026, 10, 21, 9, 30, 59) };

describe("newMigration", () => {
  it("names a file by the time in UTC, and makes the folder", async () => {
    const dir = join(await folderOf({}), "migrations");
    const path = await newMigration(dir, "  Add Places & réviews! ", clock);
    expect(basename(path)).toBe("20261121093059_add_places_réviews.sql");
    expect((await readMigrations(dir)).map(({ version, sql }) => [version, sql])).toEqual([["20261121093059", ""]]);
  });

  it("never gives one version twice", async () => {
    const dir = await folderOf({});
    await newMigration(dir, "a", clock);
    await newMigration(dir, "b", clock);
    expect((await readdir(dir)).sort()).toEqual(["20261121093059_a.sql", "20261121093100_b.sql"]);
  });

  it.each(["", "../..", "---"])("refuses %j", async (name) => {
    const dir = await folderOf({});
    await expect(newMigration(dir, name, clock)).rejects.toMatchObject({ code: "migrations/bad-name" });
    expect(await readdir(dir)).toEqual([]);
  });
});

describe("readMigrations", () => {
  it("refuses two files of one version", async () => {
    const dir = await folderOf({ "1_a.sql": "", "1_b.sql": "" });
    await expect(readMigrations(dir)).rejects.toMatchObject({ code: "migrations/duplicate-version" });
  });
});

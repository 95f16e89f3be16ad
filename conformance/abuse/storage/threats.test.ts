import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";

const root = join(import.meta.dirname, "..", "..", "..");
const listed = (...paths: string[]): readonly string[] =>
  execFileSync("git", ["ls-files", "--cached", "--others", "--exclude-standard", ...paths], {
    cwd: root,
    encoding: "utf8",
  })
    .split("\n")
    .filter((path) => path.endsWith(".test.ts") && !path.endsWith("threats.test.ts"));

/** Names that tests and groups of tests have, and titles of their tables. */
const namesIn = (paths: readonly string[]): readonly string[] =>
  paths.flatMap((path) =>
    readFileSync(join(root, path), "utf8")
      .split("\n")
      .filter((line) => /\b(?:test|it|describe)(?:\.\w+)?(?:\([^"'`]*\))?\(|^\s*\)\(|^\s*\[?["'`].*["'`],$/.test(line)),
  );

const everywhere = namesIn(listed("*.test.ts"));
const here = namesIn(listed("conformance/abuse/storage"));
const has = (names: readonly string[], id: string): boolean =>
  names.some((line) => new RegExp(`\\b${id}\\b`).test(line));

const ids = Array.from({ length: 14 }, (_, at) => `S${String(at + 1).padStart(2, "0")}`);

describe("every threat of section S to files has a test that names it", () => {
  test.each(ids)("%s", (id) => {
    expect(has(everywhere, id), `no test is named after ${id}`).toBe(true);
  });
});

describe("from outside", () => {
  const others = ["A03", "A04", "B12", "B13", "X06", "X07", "X08", "X09"];
  test.each([...ids, ...others])("%s", (id) => {
    expect(has(here, id), `no test of this folder is named after ${id}`).toBe(true);
  });
});

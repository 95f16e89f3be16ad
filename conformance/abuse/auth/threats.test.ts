import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";

const root = join(import.meta.dirname, "..", "..", "..");
const testFiles = execFileSync("git", ["ls-files", "--cached", "--others", "--exclude-standard", "*.test.ts"], {
  cwd: root,
  encoding: "utf8",
})
  .split("\n")
  .filter((path) => path !== "" && !path.endsWith("threats.test.ts"));

/** Names that tests and groups of tests have, and titles of their tables. */
const names = testFiles.flatMap((path) => {
  const source = readFileSync(join(root, path), "utf8");
  return source.split("\n").flatMap((line) => {
    const isNamed = /\b(?:test|it|describe)(?:\.\w+)?(?:\([^"'`]*\))?\(|^\s*\)\(|^\s*["'`].*["'`],$/.test(line);
    return isNamed ? [{ path, line: line.trim() }] : [];
  });
});

const ids = Array.from({ length: 30 }, (_, at) => `A${String(at + 1).padStart(2, "0")}`);

describe("every threat of section A has a test that names it", () => {
  test.each([...ids, "X03", "X05"])("%s", (id) => {
    const found = names.filter(({ line }) => new RegExp(`\\b${id}\\b`).test(line));
    expect(found.length, `no test is named after ${id}`).toBeGreaterThan(0);
  });
});

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { readImportMap } from "./import-map.ts";
import { hashOf } from "./load.ts";
import { openBuildCache } from "./manifest.ts";
import { newNotes } from "./notes.ts";

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "mainstay-manifest-"));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

it("a map that was saved while the function was built with the one before is noticed", () => {
  const map = join(dir, "deno.json");
  const entry = join(dir, "a.ts");
  writeFileSync(entry, "export default 1;");
  writeFileSync(map, '{ "imports": { "x": "./one.ts" } }');
  const found = { name: "a", entry, importMap: null, verifyJwt: null };
  const builtWith = readImportMap(dir, dir, null);
  const cache = openBuildCache(dir, join(dir, "cache"), () => "");
  const output = { fileName: `a-${hashOf("code\0map").slice(0, 16)}.mjs`, code: "code", map: "map" };
  const compiled = { output, diagnostics: [], missing: [], notes: newNotes() };

  cache.keep(found, builtWith, compiled);
  expect(cache.find(found, readImportMap(dir, dir, null))).not.toBeNull();

  writeFileSync(map, '{ "imports": { "x": "./two.ts" } }');
  cache.keep(found, builtWith, compiled);
  expect(cache.find(found, readImportMap(dir, dir, null))).toBeNull();
});

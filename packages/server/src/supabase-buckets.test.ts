import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { readSupabaseBuckets, readSupabaseConfig } from "./supabase-config.ts";

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "supabase-buckets-"));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

function write(toml: string): string {
  const path = join(dir, "config.toml");
  writeFileSync(path, toml);
  return path;
}

it("gives storage its settings, sizes in the units of that file", () => {
  const toml = `
[storage]
enabled = true
file_size_limit = "50MiB"
[storage.image_transformation]
enabled = false
[storage.s3_protocol]
enabled = "env(HAS_S3)"
`;
  expect(readSupabaseConfig(write(toml), { HAS_S3: "false" })).toEqual({
    storage: {
      storageEnabled: true,
      storageFileSizeLimitBytes: 52_428_800,
      storageImagesEnabled: false,
      storageS3Enabled: "false",
    },
  });
});

it.each([
  ['"20mb"', 20_971_520],
  ['"1.5 GiB"', 1_610_612_736],
  ['"4096"', 4_096],
  ["4096", 4_096],
  ['"10KB"', 10_240],
])("reads a size of %s", (text, sizeBytes) => {
  expect(readSupabaseConfig(write(`[storage]\nfile_size_limit = ${text}\n`), {})).toEqual({
    storage: { storageFileSizeLimitBytes: sizeBytes },
  });
});

it("reads buckets, and leaves open what they do not say", () => {
  const toml = `
[storage.buckets.photos]
public = true
file_size_limit = "5MiB"
allowed_mime_types = ["image/png", "image/jpeg"]
objects_path = "./photos"
[storage.buckets."my papers"]
[storage.buckets.open]
public = "env(IS_OPEN)"
file_size_limit = 0
allowed_mime_types = []
objects_path = ""
`;
  expect(readSupabaseBuckets(write(toml), { IS_OPEN: "false" })).toEqual([
    {
      id: "photos",
      isPublic: true,
      fileSizeLimitBytes: 5_242_880,
      allowedMimeTypes: ["image/png", "image/jpeg"],
      folder: join(dir, "photos"),
    },
    { id: "my papers", folder: null },
    { id: "open", isPublic: false, fileSizeLimitBytes: null, allowedMimeTypes: null, folder: null },
  ]);
  expect(readSupabaseBuckets(write("[api]\nport = 1\n"), {})).toEqual([]);
});

it.each([
  ['[storage.buckets."a/b"]', /buckets\.a\/b is no name/],
  ["[storage.buckets]\nphotos = true", /buckets\.photos must be a table/],
  ['[storage.buckets.photos]\npublic = "perhaps"', /photos\.public must/],
  ['[storage.buckets.photos]\nfile_size_limit = "large"', /photos\.file_size_limit must/],
  ["[storage.buckets.photos]\nfile_size_limit = -1", /photos\.file_size_limit must/],
  ['[storage.buckets.photos]\nallowed_mime_types = "image/png"', /photos\.allowed_mime_types must/],
  ["[storage.buckets.photos]\nobjects_path = 7", /photos\.objects_path must/],
])("refuses %j, and says which key it is", (toml, message) => {
  expect(() => readSupabaseBuckets(write(toml), {})).toThrow(message);
});

import { readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { type BootedApp, boot } from "@mainstay/testing";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { mainstayHere } from "../in-process.testing.ts";
import { temporaryFolder } from "../testing.ts";

// Every line of these is a whole command.
vi.setConfig({ testTimeout: 120_000 });

let app: BootedApp;
let files: Awaited<ReturnType<typeof temporaryFolder>>;
let folder: Awaited<ReturnType<typeof temporaryFolder>>;
beforeAll(async () => {
  files = await temporaryFolder();
  folder = await temporaryFolder();
  app = await boot({ settings: { storage: { storageFolder: join(files.path, "objects") } } });
});
afterAll(async () => {
  await app.stop();
  await files.remove();
  await folder.remove();
});

interface Found {
  readonly name: string;
  readonly state: string;
  readonly found: string;
}
const keyFrom = (first: number) => Buffer.from(Array.from({ length: 32 }, (_, at) => first + at)).toString("base64");

/** What the command says about files: `state name: found`. */
async function examine(env: Readonly<Record<string, string>> = {}): Promise<readonly string[]> {
  const { out } = await mainstayHere(["doctor", "--json"], {
    cwd: folder.path,
    env: { DATABASE_URL: app.databaseUrl, MAINSTAY_STORAGE_FOLDER: join(files.path, "objects"), ...env },
  });
  return (JSON.parse(out) as readonly Found[])
    .filter(({ name }) => name.startsWith("files"))
    .map(({ name, state, found }) => `${state} ${name}: ${found.replace(files.path, "")}`);
}

test("says where files are, which are public, and that nobody wrote a policy", async () => {
  expect(await examine()).toEqual([
    "ok files: buckets: none",
    "ok files: policies: storage.objects has 0 policies",
    "ok files: bytes: no file has any yet",
    expect.stringMatching(/^(ok|warn) files: in the folder \/objects, [\d,]+ MB free$/),
    "ok files: encryption: files are stored as they come",
    "ok files: images: can be served in other sizes and formats",
  ]);
  await app.sql(
    "insert into storage.buckets (id, name, public) values ('photos', 'photos', true), ('own', 'own', false)",
  );
  for (const name of ["one", "two"]) {
    const { ok } = await fetch(`${app.url}/storage/v1/object/own/${name}`, {
      method: "POST",
      headers: { authorization: `Bearer ${app.serviceRoleKey}` },
      body: name,
    });
    expect(ok).toBe(true);
  }
  const found = await examine({
    MAINSTAY_STORAGE_IMAGES_ENABLED: "false",
    MAINSTAY_STORAGE_SCANNER: "clamd",
    MAINSTAY_STORAGE_CLAMD_ADDRESS: "127.0.0.1:1",
    MAINSTAY_STORAGE_ENCRYPTION_KEY: keyFrom(1),
    MAINSTAY_STORAGE_ENCRYPTION_FORMER_KEYS: keyFrom(100),
  });
  expect(found).toEqual([
    "ok files: buckets: 2 buckets; everybody can read photos",
    "warn files: policies: storage.objects has no policy: only the service role can upload, and read what is not public",
    "ok files: bytes: 2 runs of bytes looked for and found",
    expect.stringContaining("files: in the folder"),
    "warn files: encryption: new files are encrypted, and a former key is still set",
    "ok files: images: are served as they are: other sizes are switched off",
    expect.stringMatching(/^fail files: scanner: clamd at 127\.0\.0\.1:1: .*ECONNREFUSED.*; uploads are refused$/),
  ]);
  expect(await examine({ MAINSTAY_STORAGE_ENABLED: "false" })).toEqual(["ok files: switched off"]);
});

test("finds files whose bytes are gone, rules that are switched off, and a folder that is not the one", async () => {
  await app.sql("alter table storage.objects disable row level security");
  const [outer] = (await readdir(join(files.path, "objects"))).filter((name) => /^[0-9a-f]{2}$/.test(name));
  await rm(join(files.path, "objects", outer!), { recursive: true });
  const found = await examine();
  expect(found).toContainEqual(
    expect.stringMatching(/^fail files: policies: storage\.objects has no row level security/),
  );
  expect(found).toContainEqual(
    expect.stringMatching(/^fail files: bytes: of 2 .* 1 are not .*own\/(one|two): its bytes are missing/),
  );
  await app.sql("alter table storage.objects enable row level security");
  const elsewhere = join(files.path, "elsewhere");
  expect(await examine({ MAINSTAY_STORAGE_FOLDER: elsewhere })).toContainEqual(
    expect.stringMatching(/^fail files: .*elsewhere/),
  );
});

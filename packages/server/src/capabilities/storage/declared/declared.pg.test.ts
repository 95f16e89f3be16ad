import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Observation, type RunningServer, startServer } from "@mainstay/server";
import { type TestDatabase, templateDatabase, testDatabase } from "@mainstay/testing";
import { afterAll, beforeAll, expect, test, vi } from "vitest";

// Starts servers, one after the other.
vi.setConfig({ testTimeout: 120_000 });

let database: TestDatabase;
let projectDir: string;
beforeAll(async () => {
  database = await testDatabase(await templateDatabase());
  projectDir = await mkdtemp(join(tmpdir(), "declared-"));
  await mkdir(join(projectDir, "supabase/photos/small"), { recursive: true });
  await writeFile(join(projectDir, "supabase/photos/small/one.txt"), "one");
  await writeFile(join(projectDir, "supabase/photos/.hidden"), "no");
  await writeFile(join(projectDir, "supabase/photos/große.txt"), "no name for an object");
});
afterAll(async () => {
  await database.drop();
  await rm(projectDir, { recursive: true, force: true });
});

async function during(
  mode: "dev" | "start",
  toml: string,
  work: (server: RunningServer, warnings: readonly string[]) => Promise<void>,
): Promise<void> {
  await writeFile(join(projectDir, "supabase/config.toml"), toml);
  const seen: Observation[] = [];
  const server = await startServer({
    projectDir,
    mode,
    flags: { http: { port: 0 } },
    env: { DATABASE_URL: database.url },
    observe: (observation) => void seen.push(observation),
  });
  try {
    await work(
      server,
      seen.flatMap((one) => (one.kind === "warning" && one.area === "storage" ? [one.message] : [])),
    );
  } finally {
    await server.stop(AbortSignal.timeout(5_000));
  }
}

async function rows(server: RunningServer, text: string): Promise<readonly Record<string, unknown>[]> {
  const client = await server.database.connect();
  try {
    return (await client.query(text)).rows;
  } finally {
    await client.end();
  }
}
const names = async (server: RunningServer) =>
  (await rows(server, "select name from storage.objects order by name")).map(({ name }) => name);
const rules = "select public, file_size_limit::int as limit, allowed_mime_types as types from storage.buckets";

test("a bucket that config.toml names is made with its files, follows it in dev, and is the database's own elsewhere", async () => {
  await during(
    "start",
    '[storage.buckets.photos]\npublic = true\nfile_size_limit = "1KiB"\nobjects_path = "photos"\n',
    async (server, warnings) => {
      expect(await rows(server, rules)).toEqual([{ public: true, limit: 1024, types: null }]);
      expect(await names(server)).toEqual(["small/one.txt"]);
      expect(warnings).toEqual([expect.stringContaining("große.txt")]);
      const got = await fetch(`${server.url}/storage/v1/object/public/photos/small/one.txt`);
      expect([got.status, got.headers.get("content-type"), await got.text()]).toEqual([
        200,
        "text/plain; charset=utf-8",
        "one",
      ]);
      await rows(server, "delete from storage.objects");
    },
  );
  await writeFile(join(projectDir, "supabase/photos/two.txt"), "two");
  const changed =
    '[storage.buckets.photos]\npublic = false\nallowed_mime_types = ["text/*"]\nobjects_path = "photos"\n';
  await during("start", changed, async (server, warnings) => {
    expect(await rows(server, rules)).toEqual([{ public: true, limit: 1024, types: null }]);
    expect([await names(server), warnings]).toEqual([[], []]);
  });
  await during("dev", changed, async (server) => {
    expect(await rows(server, rules)).toEqual([{ public: false, limit: 1024, types: ["text/*"] }]);
    expect(await names(server)).toEqual(["small/one.txt", "two.txt"]);
  });
  // What is there is not uploaded again, and a folder that is not there keeps nothing from starting.
  await during("dev", changed.replace('photos"', 'nowhere"'), async (server, warnings) => {
    expect(await names(server)).toEqual(["small/one.txt", "two.txt"]);
    expect(warnings).toEqual([expect.stringContaining("nowhere")]);
  });
});

import { readdir, writeFile } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import { templateDatabase, testDatabase } from "@mainstay/testing";
import { expect, vi } from "vitest";
import { Ledger } from "../ledger.ts";
import { Project, type Server } from "../server.ts";
import { Files } from "./files.ts";

const migration =
  "insert into storage.buckets (id, name, public) values ('files', 'files', false), ('open', 'open', true);";

/** So small that what happens once in an hour happens within a test. */
const smallSettings = {
  MAINSTAY_STORAGE_SWEEP_MS: "200",
  MAINSTAY_STORAGE_READ_GRACE_MS: "1000",
  MAINSTAY_STORAGE_RESUMABLE_SEGMENT_BYTES: "65536",
  MAINSTAY_STORAGE_RESUMABLE_HOLD_MS: "1000",
  MAINSTAY_STORAGE_S3_PART_MIN_BYTES: "1",
};

/** Where compiled code is kept: a process that is killed leaves none to the next one, and compiling is most of a start. */
const cacheHome = process.env.XDG_CACHE_HOME ?? join(homedir(), ".cache");

/** A project with files, a server of it, and somebody who keeps files there. */
export interface FilesApp {
  readonly project: Project;
  readonly server: Server;
  readonly sql: Ledger;
  readonly files: Files;
  /** Where the bytes are, unless a setting says otherwise. */
  readonly folder: string;
  stop(): Promise<void>;
}

/** @param databaseUrl where it is not a new database in the PostgreSQL of the run, which forgoes the disk */
export async function startFiles(env: Readonly<Record<string, string>> = {}, databaseUrl?: string): Promise<FilesApp> {
  const own = databaseUrl === undefined ? await testDatabase(await templateDatabase()) : null;
  const url = databaseUrl ?? own!.url;
  const project = await Project.make({ DATABASE_URL: url, XDG_CACHE_HOME: cacheHome, ...smallSettings, ...env });
  await writeFile(join(project.dir, "migrations", "20260102000000_files.sql"), migration);
  const server = await project.serve();
  const sql = new Ledger(url);
  return {
    project,
    server,
    sql,
    files: new Files(server, await project.keys()),
    folder: env.MAINSTAY_STORAGE_FOLDER ?? join(project.dir, ".mainstay", "objects"),
    async stop() {
      await sql.close();
      await project.remove();
      await own?.drop();
    },
  };
}

/** Blobs below a folder with the bytes of files, and what else is there. */
export async function onDisk(folder: string): Promise<{ readonly blobs: string[]; readonly halves: string[] }> {
  const all = await readdir(folder, { recursive: true, withFileTypes: true });
  const found = all.filter((each) => each.isFile() && each.name !== ".mainstay-objects");
  const isHalf = ({ parentPath }: { parentPath: string }) => parentPath.endsWith(".writing");
  return {
    blobs: found
      .filter((each) => !isHalf(each))
      .map(({ name }) => name)
      .sort(),
    halves: found.filter(isHalf).map(({ name }) => name),
  };
}

/** Blobs of objects that are there. */
export async function ofObjects(sql: Ledger): Promise<string[]> {
  const rows = await sql.run(
    `select s.blob_id::text as id from storage.objects o
     join mainstay.object_versions v on v.id = o.version join mainstay.object_segments s on s.version_id = v.id`,
  );
  return rows.map(({ id }) => String(id)).sort();
}

/** All leases and claims run out, as after some minutes without their server. */
export async function timePasses(sql: Ledger): Promise<void> {
  await sql.run("update mainstay.object_versions set expires_at = now() where state = 'receiving'");
  await sql.run("update mainstay.object_versions set expires_at = '-infinity' where state = 'dead'");
  await sql.run("update mainstay.object_segments set expires_at = now() where expires_at is not null");
}

/** What nobody went on with is swept, and then there are the bytes of objects and no others, by every account. */
export async function nothingIsLeftOver({ sql, folder, project }: FilesApp): Promise<void> {
  await timePasses(sql);
  await vi.waitFor(async () => expect(await onDisk(folder)).toEqual({ blobs: await ofObjects(sql), halves: [] }), {
    timeout: 60_000,
    interval: 200,
  });
  const check = project.command(["storage", "check", "--deep", "--json"]);
  const code = await check.ended;
  // Beside what it finds, the command says what it thinks of the machine.
  const findings = check
    .output()
    .split("\n")
    .filter((line) => line.startsWith("{"));
  expect([code, findings], check.output()).toEqual([0, []]);
}

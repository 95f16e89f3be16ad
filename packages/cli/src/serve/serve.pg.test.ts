import { type ChildProcess, execFileSync } from "node:child_process";
import { once } from "node:events";
import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { createServer, type Server } from "node:net";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { mainstay, startMainstay, temporaryFolder, until } from "../testing.ts";

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
const started: ChildProcess[] = [];
const servers: Server[] = [];

beforeEach(async () => {
  folder = await temporaryFolder();
  expect(await mainstay(["init"], { cwd: folder.path })).toMatchObject({ code: 0 });
});

afterEach(async () => {
  for (const child of started.splice(0)) await stopped(child);
  for (const server of servers.splice(0)) server.close();
  await folder.remove();
});

const run = (...args: string[]) => mainstay(args, { cwd: folder.path });

function start(...args: string[]): ChildProcess {
  const child = startMainstay(args, { cwd: folder.path });
  started.push(child);
  return child;
}

async function stopped(child: ChildProcess, signal: NodeJS.Signals = "SIGINT"): Promise<number | null> {
  if (child.exitCode === null && child.signalCode === null) {
    child.kill(signal);
    await once(child, "exit");
  }
  return child.exitCode;
}

/** Everything whose working directory is in the project: PostgreSQL works in its data folder. */
function processesInside(): string[] {
  return readdirSync("/proc")
    .filter((pid) => /^\d+$/.test(pid))
    .filter((pid) => {
      try {
        return (
          readlinkSync(`/proc/${pid}/cwd`).startsWith(folder.path) &&
          !/ Z /.test(readFileSync(`/proc/${pid}/stat`, "utf8"))
        );
      } catch {
        return false;
      }
    });
}

async function takenPort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  servers.push(server);
  await once(server, "listening");
  return (server.address() as { port: number }).port;
}

describe("mainstay dev", () => {
  it("serves a new project, prints calls that work, takes up new migrations, and leaves nothing running", async () => {
    const dev = start("dev", "--port", "0");
    const shown = await until(dev, "stdout", /Ctrl-C/);

    const [, curl = ""] = /^ {2}(curl .*)$/m.exec(shown) ?? [];
    const rows = JSON.parse(execFileSync("bash", ["-c", `${curl} -sS`], { encoding: "utf8" }));
    expect(rows).toHaveLength(3);
    const [, url = "", key = ""] = /createClient\("(.*)", "(.*)"\)/.exec(shown) ?? [];
    const keys = JSON.parse((await run("keys", "show", "--json")).out);
    expect(keys).toMatchObject({ url, publishableKey: key });
    expect(shown).toContain(keys.anonKey);
    expect(shown).not.toContain(keys.secretKey);
    expect(shown).not.toContain(keys.serviceRoleKey);

    const path = (await run("migrate", "new", "add", "notes")).out.trim();
    // It looks at both, and leaves the empty one to whoever is about to write it.
    const other = until(dev, "stderr", /✓ Applied 19990101000000_other\n/);
    await writeFile(join(folder.path, "migrations/19990101000000_other.sql"), "select 1;");
    await other;
    const applied = until(dev, "stderr", /✓ Applied \d{14}_add_notes/);
    await writeFile(
      join(folder.path, path),
      "create table public.notes (id int primary key); alter table public.notes enable row level security;",
    );
    await applied;
    for (let status = 0; status !== 200; await sleep(50)) {
      status = (await fetch(`${url}/rest/v1/notes`, { headers: { apikey: key } })).status;
    }
    expect((await run("db", "psql", "--", "-Atc", "select count(*) from notes")).out).toBe("0\n");
    expect((await run("db", "url")).out).toMatch(/^postgres:\/\//);
    expect((await run("types")).out).toContain("notes: {");

    const second = await run("dev", "--port", "0");
    expect(second).toMatchObject({ code: 4, err: expect.stringContaining(`process ${dev.pid}`) });

    expect(await stopped(dev)).toBe(0);
    if (process.platform === "linux") expect(processesInside()).toEqual([]);
    expect(await run("db", "url")).toMatchObject({ code: 1, err: expect.stringContaining("is not running") });
  });

  it("says that a port is taken, by whom, and serves on the next free one", async () => {
    const port = await takenPort();
    const dev = start("dev", "--port", String(port));
    const said = until(dev, "stderr", /serving on \d+/);
    await until(dev, "stdout", /Ctrl-C/);
    const [, next] = /serving on (\d+)/.exec(await said) ?? [];
    expect(await said).toContain(`Port ${port} is used by`);
    expect((await fetch(`http://127.0.0.1:${next}/health/live`)).status).toBe(200);
  });

  it("reports a migration that fails, goes on serving, and takes it up when it is right", async () => {
    const dev = start("dev", "--port", "0");
    const shown = await until(dev, "stdout", /Ctrl-C/);
    const [, url = ""] = /createClient\("(.*?)"/.exec(shown) ?? [];
    const file = join(folder.path, "migrations/20990101000000_wrong.sql");
    const failed = until(dev, "stderr", /20990101000000_wrong\.sql:1/);
    await writeFile(file, "create tabel x ();");
    await failed;
    expect((await fetch(`${url}/health/live`)).status).toBe(200);
    const applied = until(dev, "stderr", /✓ Applied 20990101000000_wrong/);
    await writeFile(file, "create table x ();");
    await applied;
  });
});

describe("mainstay start", () => {
  it("refuses a busy port with 4, naming who has it, and starts nothing", async () => {
    const port = await takenPort();
    const { code, out, err } = await run("start", "--port", String(port));
    expect({ code, out }).toEqual({ code: 4, out: "" });
    expect(err).toContain(`Port ${port} of 127.0.0.1 is used by`);
    expect(err).toMatch(/--port \d+/);
    expect(readdirSync(folder.path)).not.toContain(".mainstay");
  });

  it("logs JSON lines to standard output, and ends with 0 on SIGTERM", async () => {
    const server = start("start", "--port", "0");
    const log = await until(server, "stdout", /"server\.listening"/);
    for (const line of log.trim().split("\n")) expect(() => JSON.parse(line), line).not.toThrow();
    const keys = JSON.parse((await run("keys", "show", "--json")).out);
    for (const secret of [keys.serviceRoleKey, keys.secretKey, keys.jwtSecret]) expect(log).not.toContain(secret);
    expect(await stopped(server, "SIGTERM")).toBe(0);
    if (process.platform === "linux") expect(processesInside()).toEqual([]);
  });

  it("ends with 130 when it is stopped before it is ready, and can start again", async () => {
    const early = start("start", "--port", "0");
    await until(early, "stdout", /"postgres\.starting"/);
    expect(await stopped(early)).toBe(130);
    if (process.platform === "linux") expect(processesInside()).toEqual([]);
    await until(start("start", "--port", "0"), "stdout", /"server\.listening"/);
  });

  it("refuses weak secrets on a public address (threat A29)", async () => {
    await writeFile(join(folder.path, ".env"), "JWT_SECRET=super-secret-jwt-token-with-at-least-32-characters-long\n");
    const { code, err } = await run("start", "--port", "0", "--host", "0.0.0.0");
    expect(code).toBe(1);
    expect(err).toContain("published example");
  });
});

describe("without a server", () => {
  it("migrates, seeds once, and says what is applied", async () => {
    const before = JSON.parse((await run("migrate", "status", "--json")).out);
    expect(before.migrations.at(-1)).toMatchObject({ source: "project", state: "pending" });
    const up = JSON.parse((await run("migrate", "up", "--json")).out);
    expect(up.applied.filter((migration: { source: string }) => migration.source === "project")).toHaveLength(1);
    expect((await run("migrate", "up")).out).toContain("Nothing to do");
    expect(JSON.parse((await run("seed", "--json")).out)).toEqual({ applied: ["seed.sql"], changed: [] });
    expect(JSON.parse((await run("seed", "--json")).out)).toEqual({ applied: [], changed: [] });
    expect((await run("migrate", "status")).out).toMatch(/^applied +\d{14}_init$/m);

    await writeFile(join(folder.path, "migrations/20990101000000_bad.sql"), "select 1;\nselect nope;\n");
    const failed = await run("migrate", "up");
    expect(failed).toMatchObject({ code: 1, out: "" });
    expect(failed.err).toContain("20990101000000_bad.sql:2: ");
    expect(failed.err).not.toContain("    at ");
  });

  it("lints the migrations, and ends with 1 for what leaks", async () => {
    expect(await run("migrate", "check")).toMatchObject({ code: 0 });
    await writeFile(
      join(folder.path, "migrations/20990101000000_open.sql"),
      "create table public.open (id int primary key);",
    );
    const { code, out } = await run("migrate", "check", "--json");
    expect(code).toBe(1);
    expect(JSON.parse(out)).toContainEqual(expect.objectContaining({ rule: "rls-disabled", level: "error" }));
  });

  it("writes types to a file, of the schemas asked for", async () => {
    expect(await run("types", "--output", "database.types.ts")).toMatchObject({ code: 0, out: "" });
    const text = readFileSync(join(folder.path, "database.types.ts"), "utf8");
    expect(text).toContain("lists: {");
    expect(text).not.toContain("auth: {");
    expect(await run("types", "--schema", "nowhere")).toMatchObject({
      code: 2,
      err: expect.stringContaining('no schema "nowhere"'),
    });
  });
});

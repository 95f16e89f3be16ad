import { type ChildProcess, spawn } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const repository = fileURLToPath(new URL("../..", import.meta.url));
const cli = join(repository, "packages/cli/bin/mainstay.mjs");

/** A real `mainstay start`, as a process of its own. */
export interface BenchServer {
  readonly url: string;
  readonly pid: number;
  /** From starting the process to its first 200, in milliseconds. */
  readonly startMs: number;
  stop(): Promise<void>;
}

/** Starts a project on `port` and waits for its first 200. */
export async function startServer(
  dir: string,
  port: number,
  env: Readonly<Record<string, string>> = {},
): Promise<BenchServer> {
  const url = `http://127.0.0.1:${port}`;
  const begun = performance.now();
  const child = spawn(process.execPath, [cli, "start", "--dir", dir, "--port", String(port)], {
    stdio: ["ignore", "ignore", "pipe"],
    env: { ...process.env, MAINSTAY_LOG_LEVEL: "warn", NODE_ENV: "production", ...env },
  });
  let complaint = "";
  child.stderr!.on("data", (chunk: Buffer) => {
    complaint += chunk;
  });
  while (!(await isReady(url))) {
    if (child.exitCode !== null) throw new Error(`The server did not start:\n${complaint}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  return { url, pid: child.pid!, startMs: performance.now() - begun, stop: () => stop(child) };
}

/** Keys of a project, as `mainstay keys show --json` prints them. @param env as the server has it */
export async function keysOf(
  dir: string,
  env: Readonly<Record<string, string>> = {},
): Promise<{ anonKey: string; serviceRoleKey: string }> {
  return JSON.parse(await output(["keys", "show", "--dir", dir, "--json"], env)) as {
    anonKey: string;
    serviceRoleKey: string;
  };
}

/** The administrator's URL of the running project's database. */
export async function databaseUrlOf(dir: string): Promise<string> {
  return (await output(["db", "url", "--dir", dir])).trim();
}

function output(args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [cli, ...args], {
      stdio: ["ignore", "pipe", "inherit"],
      env: { ...process.env, ...env },
    });
    let text = "";
    child.stdout!.on("data", (chunk: Buffer) => {
      text += chunk;
    });
    child.on("close", (code) =>
      code === 0 ? resolve(text) : reject(new Error(`mainstay ${args[0]} ended with ${code}.`)),
    );
  });
}

async function isReady(url: string): Promise<boolean> {
  try {
    return (await fetch(`${url}/health/ready`)).ok;
  } catch {
    return false;
  }
}

function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null) return Promise.resolve();
  return new Promise((resolve) => {
    child.on("close", () => resolve());
    child.kill("SIGTERM");
  });
}

/** `node:http` answering a constant: the ceiling of any server on this runtime. */
export async function startConstant(port: number, body: string): Promise<{ stop(): Promise<void> }> {
  const source = `require("node:http").createServer((q, s) => { s.writeHead(200, ["Content-Type", "application/json; charset=utf-8", "Content-Length", "${Buffer.byteLength(body)}"]); s.end(${JSON.stringify(body)}) }).listen(${port}, "127.0.0.1")`;
  const child = spawn(process.execPath, ["-e", source], { stdio: "inherit" });
  while (
    !(await fetch(`http://127.0.0.1:${port}/`).then(
      (r) => r.ok,
      () => false,
    ))
  )
    await new Promise((resolve) => setTimeout(resolve, 10));
  return { stop: () => stop(child) };
}

/** A copy of the example app, with the table that the write scenarios fill. */
export function projectWithRoam(): { dir: string; remove(): void } {
  const dir = mkdtempSync(join(tmpdir(), "mainstay-bench-"));
  cpSync(join(repository, "examples/roam"), dir, {
    recursive: true,
    filter: (path) => !/[/\\](\.mainstay|node_modules)$/.test(path),
  });
  // The seed imports packages: they are found beside it, as in the repository.
  symlinkSync(join(repository, "node_modules"), join(dir, "node_modules"));
  writeFileSync(
    join(dir, "migrations", "20991231000000_bench.sql"),
    `create table public.bench_notes (
       id bigint generated always as identity primary key,
       owner_id uuid not null default auth.uid(),
       body text not null,
       rank integer not null default 0
     );
     alter table public.bench_notes enable row level security;
     create policy "own" on public.bench_notes for all to authenticated
       using (owner_id = (select auth.uid())) with check (owner_id = (select auth.uid()));`,
  );
  return { dir, remove: () => rmSync(dir, { recursive: true, force: true }) };
}

/** A project of one small table: what a start costs without data. */
export function emptyProject(): { dir: string; remove(): void } {
  const dir = mkdtempSync(join(tmpdir(), "mainstay-bench-empty-"));
  mkdirSync(join(dir, "migrations"));
  writeFileSync(
    join(dir, "migrations", "20260101000000_init.sql"),
    "create table public.things (id bigint primary key, name text);\nalter table public.things enable row level security;\n",
  );
  return { dir, remove: () => rmSync(dir, { recursive: true, force: true }) };
}

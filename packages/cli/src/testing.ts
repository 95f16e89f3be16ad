import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Settings } from "@mainstay/server";
import { settingGroups } from "@mainstay/server/config";

const bin = join(import.meta.dirname, "../bin/mainstay.mjs");

export interface RunResult {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

export interface RunOptions {
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
}

/** Every variable a setting is read from: whoever runs the tests may have any of them, `SITE_URL` or `LOG_LEVEL`, for another program. */
const settingNames: ReadonlySet<string> = new Set(
  Object.values(settingGroups).flatMap((group) => Object.values(group as Settings).flatMap(({ env }) => env)),
);

/** The real command as a child process, with none of the variables that would set it up differently here. */
export function startMainstay(args: readonly string[], { cwd = tmpdir(), env = {} }: RunOptions = {}): ChildProcess {
  const inherited = Object.entries(process.env).filter(
    ([name]) =>
      !settingNames.has(name) &&
      !/^(?:MAINSTAY_|PGRST_|GOTRUE_|SUPABASE_|NODE_ENV$|FORCE_COLOR$|NO_COLOR$|CI$)/.test(name),
  );
  return spawn(process.execPath, [bin, ...args], {
    cwd,
    env: { ...Object.fromEntries(inherited), ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
}

/** Runs it to its end. */
export async function mainstay(args: readonly string[], options?: RunOptions): Promise<RunResult> {
  const child = startMainstay(args, options);
  let out = "";
  let err = "";
  child.stdout?.on("data", (chunk: Buffer) => {
    out += chunk.toString();
  });
  child.stderr?.on("data", (chunk: Buffer) => {
    err += chunk.toString();
  });
  await once(child, "close");
  return { code: child.exitCode, out, err };
}

/** Resolves with everything `child` has written to `stream` once it matches. Rejects when the child ends before. */
export function until(child: ChildProcess, stream: "stdout" | "stderr", pattern: RegExp): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = "";
    let other = "";
    child[stream === "stdout" ? "stderr" : "stdout"]?.on("data", (chunk: Buffer) => {
      other += chunk.toString();
    });
    child[stream]?.on("data", (chunk: Buffer) => {
      text += chunk.toString();
      if (pattern.test(text)) resolve(text);
    });
    child.once("close", (code) => reject(new Error(`ended with ${code} before ${pattern}:\n${text}\n${other}`)));
  });
}

export async function temporaryFolder(): Promise<{ readonly path: string; remove(): Promise<void> }> {
  const path = await mkdtemp(join(tmpdir(), "mainstay-cli-"));
  return { path, remove: () => rm(path, { recursive: true, force: true }) };
}

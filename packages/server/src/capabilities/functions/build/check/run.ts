import { spawn } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { setPriority } from "node:os";
import { join, relative, resolve, sep } from "node:path";
import type { Diagnostic } from "../../types.ts";
import { findPackage } from "../packages.ts";
import { type CheckInput, writeCheckFiles } from "./project-files.ts";

/** Longest check; a compiler that takes longer is ended, and nothing is said. */
const timeoutMs = 120_000;
/** Most of what it prints that is read. */
const outputLimitBytes = 4_194_304;
/** It runs beside a server that somebody works with: everything else goes first. */
const niceness = 10;

/** Why types cannot be checked. */
export class NoCompilerError extends Error {
  override readonly name = "NoCompilerError";
}

/**
 * Checks the types of all functions with the project's TypeScript, or with ours.
 * @throws NoCompilerError when there is none. Rejects with the signal's reason when it is aborted.
 */
export async function checkTypes(input: CheckInput, signal?: AbortSignal): Promise<readonly Diagnostic[]> {
  if (input.entries.length === 0) return [];
  const compiler = findCompiler(input.projectDir);
  if (compiler === null)
    throw new NoCompilerError("Types are not checked without TypeScript: npm install --save-dev typescript");
  const config = writeCheckFiles(input);
  const output = await run([compiler, "--project", config, "--pretty", "false"], input.projectDir, signal);
  return readOutput(output, input);
}

function findCompiler(projectDir: string): string | null {
  const theirs = findPackage("typescript", projectDir);
  const ours = (createRequire(import.meta.url).resolve.paths("typescript") ?? []).map((folder) =>
    join(folder, "typescript"),
  );
  return (
    [...(theirs === null ? [] : [theirs.dir]), ...ours]
      .map((dir) => join(dir, "bin/tsc"))
      .find((path) => existsSync(path)) ?? null
  );
}

function run(args: readonly string[], cwd: string, signal: AbortSignal | undefined): Promise<string> {
  return new Promise((resolve, reject) => {
    const ends =
      signal === undefined ? AbortSignal.timeout(timeoutMs) : AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]);
    // It needs nothing of what the server was started with.
    const child = spawn(process.execPath, [...args], { cwd, env: {}, stdio: ["ignore", "pipe", "pipe"], signal: ends });
    const chunks: Buffer[] = [];
    let size = 0;
    const take = (chunk: Buffer): void => {
      size += chunk.length;
      if (size <= outputLimitBytes) chunks.push(chunk);
    };
    child.stdout.on("data", take);
    child.stderr.on("data", take);
    child.once("error", (error) => reject(signal?.aborted ? signal.reason : error));
    child.once("close", () => resolve(Buffer.concat(chunks).toString("utf8")));
    try {
      if (child.pid !== undefined) setPriority(child.pid, niceness);
    } catch {
      // It has ended already, or may not be slowed down: it runs like any other then.
    }
  });
}

/** `functions/a.ts(3,5): error TS2322: Type …`; lines that begin with a blank go on with the one before. */
function readOutput(output: string, { projectDir, functionsDir, cacheDir }: CheckInput): readonly Diagnostic[] {
  const found: Diagnostic[] = [];
  for (const line of output.split(/\r?\n/)) {
    const match = /^(.+?)\((\d+),(\d+)\): error (TS\d+): (.*)$/.exec(line);
    if (match === null) {
      const last = found.at(-1);
      if (/^\s+\S/.test(line) && last !== undefined) {
        found[found.length - 1] = { ...last, hint: [last.hint, line.trim()].filter((part) => part !== null).join(" ") };
      } else if (/^error TS\d+: /.test(line)) {
        found.push(diagnostic(null, null, null, line.replace(/^error (TS\d+): (.*)$/, "$2 ($1)"), null));
      }
      continue;
    }
    const [, path = "", row, column, code, message] = match;
    const file = resolve(projectDir, path);
    const isTheirs =
      file.startsWith(projectDir + sep) &&
      !file.startsWith(cacheDir + sep) &&
      !file.split(sep).includes("node_modules");
    if (!isTheirs && !file.startsWith(functionsDir + sep)) continue;
    const shown = relative(projectDir, file).split(sep).join("/");
    found.push(diagnostic(shown, Number(row), Number(column), `${message} (${code})`, sourceLine(file, Number(row))));
  }
  return found;
}

/** A type error keeps no function from running: types are gone by then. */
const diagnostic = (
  file: string | null,
  line: number | null,
  column: number | null,
  message: string,
  source: string | null,
): Diagnostic => ({ severity: "warning", file, line, column, message, hint: null, source });

function sourceLine(file: string, line: number): string | null {
  try {
    return readFileSync(file, "utf8").split(/\r?\n/)[line - 1] ?? null;
  } catch {
    return null;
  }
}

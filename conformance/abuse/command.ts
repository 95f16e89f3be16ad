import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";

const command = join(
  dirname(createRequire(import.meta.url).resolve("@mainstay/cli/package.json")),
  "bin",
  "mainstay.mjs",
);

const compiled = { NODE_COMPILE_CACHE: process.env.NODE_COMPILE_CACHE ?? "" };

/** The command while it runs, and after. */
export interface Run {
  readonly child: ChildProcess;
  /** Everything written to standard output and standard error so far. */
  output(): string;
  readonly ended: Promise<number | null>;
}

/** The real command in a project's folder, with nothing of this environment that would set it up; compiled code is found where it is kept. */
export function runMainstay(args: readonly string[], dir: string, env: Readonly<Record<string, string>>): Run {
  const child = spawn(process.execPath, [command, ...args, "--dir", dir], {
    env: { PATH: process.env.PATH ?? "", HOME: dir, ...compiled, ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let output = "";
  for (const stream of [child.stdout, child.stderr])
    stream?.on("data", (chunk: Buffer) => {
      output += chunk.toString();
    });
  return { child, output: () => output, ended: once(child, "close").then(() => child.exitCode) };
}

/** Resolves once it serves, or has ended: whichever comes first. */
export async function servesOrEnds(run: Run, url: string): Promise<"serves" | "ended"> {
  let hasEnded = false;
  void run.ended.then(() => {
    hasEnded = true;
  });
  while (!hasEnded) {
    const answer = await fetch(`${url}/health/live`).catch(() => null);
    if (answer?.ok) return "serves";
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  return "ended";
}

export async function stop(run: Run): Promise<void> {
  if (run.child.exitCode === null) run.child.kill("SIGTERM");
  await run.ended;
}

/**
 * @typedef {{ readonly file: string, readonly args: readonly string[], readonly isServer?: boolean }} Command
 *   A script of this workspace (path from its root) and what to hand it. A server is told when its launcher dies.
 * @typedef {{ readonly summary: string, readonly bundles?: boolean, commands(args: readonly string[]): readonly Command[] }} Task
 *   One that starts servers bundles our code before.
 */

const cli = "packages/cli/bin/mainstay.mjs";
const vitest = "node_modules/vitest/vitest.mjs";
const biome = "node_modules/@biomejs/biome/bin/biome";
const tsc = "node_modules/typescript/bin/tsc";
const generateDocs = "tools/generate-docs.ts";

/** Serves the example unless the caller names a project. @param {string} verb @param {readonly string[]} args */
const serve = (verb, args) => {
  const hasProject = args.some((arg) => arg === "--dir" || arg.startsWith("--dir="));
  return [{ file: cli, args: [verb, ...(hasProject ? [] : ["--dir", "examples/roam"]), ...args], isServer: true }];
};

/**
 * Everything `npm run` can do here, once. The commands of a task run in order; the first failure ends it.
 * @type {Readonly<Record<string, Task>>}
 */
export const tasks = {
  start: {
    summary: "serve examples/roam: database, migrations, data, API",
    bundles: true,
    commands: (args) => serve("dev", args),
  },
  dev: {
    summary: "the same, for working on a project: --dir <folder>",
    bundles: true,
    commands: (args) => serve("dev", args),
  },
  demo: {
    summary: "two people use the served example, through supabase-js",
    bundles: true,
    commands: (args) => [{ file: "examples/roam/demo.ts", args }],
  },
  live: {
    summary: "the same two people side by side in a browser, live",
    bundles: true,
    commands: (args) => [{ file: "examples/roam/live.ts", args, isServer: true }],
  },
  test: {
    summary: "every test: unit, pg, conformance",
    bundles: true,
    commands: (args) => [{ file: vitest, args: ["run", ...args] }],
  },
  check: {
    summary: "all that CI runs: format and lint, types, stale docs, tests",
    bundles: true,
    commands: (args) => [
      { file: biome, args: ["ci"] },
      { file: tsc, args: ["-p", "."] },
      { file: generateDocs, args: ["--check"] },
      { file: vitest, args: ["run", ...args] },
    ],
  },
  fix: {
    summary: "format, and fix what can be fixed",
    commands: (args) => [{ file: biome, args: ["check", "--write", ...args] }],
  },
  docs: { summary: "write docs/reference from the code", commands: (args) => [{ file: generateDocs, args }] },
  conformance: {
    summary: "real clients against a booted server",
    bundles: true,
    commands: (args) => [{ file: vitest, args: ["run", "--project", "conformance", ...args] }],
  },
  bench: {
    summary: "measure, and write the report",
    bundles: true,
    commands: (args) => [{ file: "bench/run.ts", args }],
  },
};

/** @returns {string} */
export function usage() {
  const names = Object.keys(tasks);
  const width = Math.max(...names.map((name) => name.length));
  const lines = names.map((name) => `  ${name.padEnd(width)}  ${tasks[name]?.summary}`);
  return ["Usage: npm run <task> [-- arguments]   (npm start, npm test)", "", ...lines].join("\n");
}

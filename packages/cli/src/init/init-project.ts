import { appendFileSync, existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { CommandError, exitCodes } from "../cli.ts";
import { templates } from "../functions/templates.ts";
import {
  configFile,
  envExample,
  functionsTsconfig,
  gitignore,
  initMigration,
  packageManifest,
  readme,
  seedFile,
} from "./templates.ts";

export interface InitResult {
  readonly layout: "mainstay" | "supabase";
  /** Paths within the project, in the order they were made. */
  readonly created: readonly string[];
  /** Files that were there already and were not touched. */
  readonly kept: readonly string[];
}

/**
 * Makes a project that starts at once. Nothing that exists is overwritten: a folder that is a Mainstay project already is
 * refused, other files (a README, a package.json of the app) stay as they are, and `.gitignore` only grows.
 *
 * @throws CommandError when the folder cannot be a project, or is one already
 */
export function initProject(dir: string, now: Date): InitResult {
  refuse(dir);
  const layout = isFolder(join(dir, "supabase")) && !isFolder(join(dir, "migrations")) ? "supabase" : "mainstay";
  const name = packageName(basename(dir));
  const files: [path: string, content: string][] = [["mainstay.config.ts", configFile(name, layout)]];
  if (layout === "mainstay") {
    if (!hasSql(join(dir, "migrations"))) files.push([`migrations/${timestamp(now)}_init.sql`, initMigration]);
    files.push(["seed.sql", seedFile]);
    if (!existsSync(join(dir, "functions")))
      files.push(["functions/hello.ts", templates.http("hello")], ["functions/tsconfig.json", functionsTsconfig]);
  }
  files.push(
    [".env.example", envExample],
    ["README.md", readme(name, layout)],
    ["package.json", packageManifest(name)],
  );

  const created: string[] = [];
  const kept: string[] = [];
  for (const [path, content] of files) {
    const target = join(dir, path);
    mkdirSync(dirname(target), { recursive: true });
    if (existsSync(target)) kept.push(path);
    else {
      // "wx": were it made between our look and our write, it is not ours to replace.
      writeFileSync(target, content, { flag: "wx" });
      created.push(path);
    }
  }
  if (ignoreData(join(dir, ".gitignore"))) created.push(".gitignore");
  return { layout, created, kept };
}

function refuse(dir: string): void {
  if (existsSync(dir) && !statSync(dir).isDirectory()) {
    throw new CommandError(`${dir} is a file, not a folder.`, {
      hint: "Give another folder: mainstay init my-app",
      exitCode: exitCodes.usage,
    });
  }
  const config = ["ts", "mjs", "js"].map((ext) => `mainstay.config.${ext}`).find((file) => existsSync(join(dir, file)));
  if (config !== undefined) {
    throw new CommandError(`${dir} is a Mainstay project already: it has ${config}.`, {
      hint: "Start it with `mainstay dev`, or give another folder: mainstay init my-app",
    });
  }
}

/** Adds the lines that keep data and secrets out of git, where they are missing. True when it changed the file. */
function ignoreData(path: string): boolean {
  const present = existsSync(path) ? readFileSync(path, "utf8") : "";
  const lines = new Set(present.split(/\r?\n/).map((line) => line.trim()));
  const missing = gitignore.filter((line) => !lines.has(line) && !lines.has(line.replace(/\/$/, "")));
  if (missing.length === 0) return false;
  appendFileSync(path, `${present === "" || present.endsWith("\n") ? "" : "\n"}${missing.join("\n")}\n`);
  return true;
}

/** `20261121120000`: UTC, as every migration tool of this family names its files. */
export const timestamp = (now: Date): string => now.toISOString().replace(/\D/g, "").slice(0, 14);

const packageName = (folder: string): string =>
  folder
    .toLowerCase()
    .replace(/[^a-z0-9._-]+/g, "-")
    .replace(/^[._-]+|-+$/g, "") || "my-app";
const isFolder = (path: string): boolean => existsSync(path) && statSync(path).isDirectory();
const hasSql = (path: string): boolean => isFolder(path) && readdirSync(path).some((file) => file.endsWith(".sql"));

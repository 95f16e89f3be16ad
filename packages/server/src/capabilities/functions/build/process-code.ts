import { createHash } from "node:crypto";
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import type { ProcessCode } from "../types.ts";
import { hashOf } from "./load.ts";

type Esbuild = typeof import("esbuild");

/** Changes with what is made of the same sources. */
const version = 1;
const kept = 2;
const extension = import.meta.url.endsWith(".ts") ? ".ts" : ".js";
const sourceOf = (name: string): string => fileURLToPath(new URL(`../thread/${name}${extension}`, import.meta.url));
const entries = { supervisor: sourceOf("supervisor"), thread: sourceOf("main") } as const;

interface Notes {
  readonly version: number;
  /** Hashes by path. */
  readonly inputs: Readonly<Record<string, string>>;
  /** Beside these notes; a name has the hash of the content. */
  readonly supervisor: string;
  readonly thread: string;
}

/**
 * Our own code of the process that runs functions, as one module for its main thread and one for each of the others: read from some fifty files, and
 * those as TypeScript, it is most of what a thread's start costs. Made once, and again when one of the files is another. `null` when it cannot be made:
 * the files as they are do as well.
 */
export async function processCode(cacheDir: string, esbuild: () => Promise<Esbuild>): Promise<ProcessCode | null> {
  // A folder of its own: bundles of functions are swept.
  const folder = join(cacheDir, "process");
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    const notes = readNotes(folder) ?? (await make(folder, await esbuild()));
    return { supervisor: join(folder, notes.supervisor), thread: join(folder, notes.thread) };
  } catch {
    return null;
  }
}

const notesIn = (folder: string): string => join(folder, "notes.json");

/** `null` when there are none, or they are of something else than there is now. */
function readNotes(folder: string): Notes | null {
  try {
    const notes = JSON.parse(readFileSync(notesIn(folder), "utf8")) as Notes;
    const isCurrent =
      notes.version === version &&
      Object.entries(notes.inputs).every(([path, hash]) => hashOf(readFileSync(path)) === hash) &&
      [notes.supervisor, notes.thread].every(
        (name) => basename(name) === name && name.includes(shortHashOf(readFileSync(join(folder, name)))),
      );
    return isCurrent ? notes : null;
  } catch {
    return null;
  }
}

async function make(folder: string, esbuild: Esbuild): Promise<Notes> {
  const { outputFiles, metafile } = await esbuild.build({
    entryPoints: entries,
    outdir: folder,
    absWorkingDir: dirname(entries.thread),
    bundle: true,
    write: false,
    metafile: true,
    format: "esm",
    platform: "node",
    target: "node22",
    charset: "utf8",
    legalComments: "none",
    logLevel: "silent",
    // Clients are loaded from where our packages are, by those who ask for one.
    define: { "import.meta.url": JSON.stringify(pathToFileURL(entries.thread).href) },
  });
  const written = (name: string): string => {
    const { contents } = outputFiles.find(({ path }) => basename(path) === `${name}.js`)!; // one of each entry
    const file = `${name}-${shortHashOf(contents)}.mjs`;
    writeWhole(join(folder, file), contents);
    return file;
  };
  const inputs = Object.keys(metafile.inputs).map((path) => join(dirname(entries.thread), path));
  const notes: Notes = {
    version,
    inputs: Object.fromEntries(inputs.map((path) => [path, hashOf(readFileSync(path))])),
    supervisor: written("supervisor"),
    thread: written("thread"),
  };
  writeWhole(notesIn(folder), `${JSON.stringify(notes)}\n`);
  sweep(folder);
  return notes;
}

/** Those of before stay a while: a server that still runs starts threads of them. */
function sweep(folder: string): void {
  for (const name of Object.keys(entries)) {
    const old = readdirSync(folder)
      .filter((file) => file.startsWith(`${name}-`) && file.endsWith(".mjs"))
      .map((file) => ({ path: join(folder, file), atMs: statSync(join(folder, file)).mtimeMs }))
      .sort((a, b) => b.atMs - a.atMs);
    for (const { path } of old.slice(kept)) rmSync(path, { force: true });
  }
}

function writeWhole(path: string, content: string | Uint8Array): void {
  const temporary = `${path}.${process.pid}.tmp`;
  writeFileSync(temporary, content, { mode: 0o600 });
  renameSync(temporary, path);
}

const shortHashOf = (content: Uint8Array): string => createHash("sha256").update(content).digest("hex").slice(0, 16);

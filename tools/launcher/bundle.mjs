import { existsSync } from "node:fs";
import { mkdir, readdir, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { pathToFileURL } from "node:url";
import { say } from "./say.mjs";

/** A server that was started from an earlier bundle may still load parts of it. */
const keptForMs = 7 * 86_400_000;

/**
 * Bundles our own code, unless that is done: what `mainstay` then starts from, sooner and smaller. Without a bundle the sources run as they are, so
 * whatever is wrong is no failure.
 *
 * @param {string} root
 */
export async function bundle(root) {
  const lookup = join(root, "packages/cli/bin/bundle.mjs");
  if (!existsSync(lookup)) return;
  const { bundleEntry, bundleStamp, isBundled, stampOf } = await import(pathToFileURL(lookup).href);
  if (isBundled()) return;
  try {
    await make(root, bundleEntry, bundleStamp, stampOf);
  } catch (error) {
    say(`The sources run as they are: they could not be bundled. ${error instanceof Error ? error.message : error}`);
  }
}

/**
 * @param {string} root @param {string} entry @param {string} stampFile
 * @param {(files: readonly string[]) => string | null} stampOf
 */
async function make(root, entry, stampFile, stampOf) {
  const { build } = await import("esbuild");
  const { metafile, outputFiles } = await build({
    entryPoints: [join(root, "packages/cli/src/main.ts")],
    outdir: dirname(entry),
    absWorkingDir: root,
    bundle: true,
    splitting: true,
    format: "esm",
    platform: "node",
    target: "node22",
    // Their names have hashes: one bundle does not overwrite what another has to load.
    chunkNames: "[name]-[hash]",
    sourcemap: true,
    sourcesContent: false,
    metafile: true,
    write: false,
    logLevel: "silent",
    plugins: [ownCode],
  });
  const files = Object.keys(metafile.inputs).map((path) => join(root, path));
  // Taken now: what is edited while it is written is found to have changed.
  const stamp = stampOf(files);
  await mkdir(dirname(entry), { recursive: true });
  for (const { path, contents } of outputFiles) await replace(path, contents);
  await replace(stampFile, JSON.stringify({ stamp, files }));
  const now = new Set(outputFiles.map(({ path }) => path)).add(stampFile);
  for (const name of await readdir(dirname(entry))) {
    const path = join(dirname(entry), name);
    if (!now.has(path) && Date.now() - (await stat(path)).mtimeMs > keptForMs) await rm(path, { force: true });
  }
}

/** Nobody reads half of it. @param {string} path @param {string | Uint8Array} contents */
async function replace(path, contents) {
  const half = `${path}.${process.pid}`;
  await writeFile(half, contents);
  await rename(half, path);
}

/**
 * Packages of others stay where they are, and our modules know the place of their sources: they find beside it what is no module.
 *
 * @type {import("esbuild").Plugin}
 */
const ownCode = {
  name: "own-code",
  setup({ onLoad, onResolve, esbuild }) {
    onResolve({ filter: /^[^./]/ }, ({ path, kind }) =>
      kind === "entry-point" || path.startsWith("@mainstay/") ? null : { path, external: true },
    );
    onLoad({ filter: /\.ts$/ }, async ({ path }) => {
      const contents = await readFile(path, "utf8");
      if (!contents.includes("import.meta")) return { contents, loader: "ts" };
      const { code } = await esbuild.transform(contents, {
        loader: "ts",
        sourcefile: path,
        sourcemap: "inline",
        sourcesContent: false,
        target: "esnext",
        define: {
          "import.meta.url": JSON.stringify(pathToFileURL(path).href),
          "import.meta.dirname": JSON.stringify(dirname(path)),
          "import.meta.filename": JSON.stringify(path),
          "import.meta.main": "false",
        },
      });
      return { contents: code, loader: "js" };
    });
  },
};

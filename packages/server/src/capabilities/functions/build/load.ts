import { createHash } from "node:crypto";
import { readFile, stat } from "node:fs/promises";
import { dirname, extname } from "node:path";
import { pathToFileURL } from "node:url";
import type { Loader, OnLoadArgs, OnLoadResult, PluginBuild } from "esbuild";
import type { BuildNotes } from "./notes.ts";
import { isInPackages } from "./resolve.ts";

const loaders: Readonly<Record<string, Loader>> = {
  ".ts": "ts",
  ".mts": "ts",
  ".cts": "ts",
  ".tsx": "tsx",
  ".js": "jsx",
  ".mjs": "jsx",
  ".cjs": "jsx",
  ".jsx": "jsx",
  ".json": "json",
  ".txt": "text",
  ".html": "text",
  ".md": "text",
  ".sql": "text",
  ".css": "text",
  ".wasm": "binary",
};
/** `import … with { type: "text" }` */
const loadersByType: Readonly<Record<string, Loader>> = { text: "text", bytes: "binary", json: "json" };

export const hashOf = (content: Buffer | string): string => createHash("sha256").update(content).digest("hex");

/**
 * Reads the project's own sources, so that what is remembered of a file is of the very bytes that were built: a save between two reads
 * would go unnoticed else.
 */
export function loader(
  build: PluginBuild,
  needs: { readonly entry: string; readonly limitBytes: number; readonly notes: () => BuildNotes },
): (args: OnLoadArgs) => Promise<OnLoadResult | undefined> {
  return async (args) => {
    if (isInPackages(args.path)) return undefined;
    const { size } = await stat(args.path);
    if (size > needs.limitBytes) {
      return {
        errors: [
          {
            text: `The file is larger than ${needs.limitBytes} bytes: ${size}.`,
            notes: [{ text: "Keep data in storage or the database, or raise the setting functionsSourceLimitBytes." }],
          },
        ],
      };
    }
    const content = await readFile(args.path);
    const notes = needs.notes();
    notes.inputs.set(args.path, hashOf(content));
    const kind = args.with.type === undefined ? loaders[extname(args.path)] : loadersByType[args.with.type];
    if (kind === undefined) {
      return {
        errors: [
          {
            text: `It is not known how to import this file (${extname(args.path) || "no extension"}).`,
            notes: [{ text: 'Say so: import … with { type: "text" }, or "bytes" or "json".' }],
          },
        ],
      };
    }
    if (!/^[jt]sx?$/.test(kind)) return { contents: content, loader: kind };
    const source = content.toString("utf8");
    if (source.includes("Deno")) notes.denoSources.set(args.path, source);
    if (!source.includes("import.meta")) return { contents: source, loader: kind };
    return { contents: await withOwnPlace(build, source, kind, args.path, args.path === needs.entry), loader: "js" };
  };
}

/**
 * `import.meta` of a bundle would be that of the bundle: files beside the source would be looked for beside it.
 * Only what is said of modules by name is put in; the rest of `import.meta` stays the bundle's.
 */
async function withOwnPlace(
  build: PluginBuild,
  source: string,
  kind: Loader,
  path: string,
  isEntry: boolean,
): Promise<string> {
  const { code } = await build.esbuild.transform(source, {
    loader: kind,
    sourcefile: path,
    sourcemap: "inline",
    sourcesContent: false,
    target: "esnext",
    jsx: "preserve",
    define: {
      "import.meta.url": JSON.stringify(pathToFileURL(path).href),
      "import.meta.filename": JSON.stringify(path),
      "import.meta.dirname": JSON.stringify(dirname(path)),
      "import.meta.main": JSON.stringify(isEntry),
    },
  });
  return code;
}

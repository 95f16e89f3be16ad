import { basename, join, relative, sep } from "node:path";
import type { BuildContext, BuildResult, Message, PluginBuild } from "esbuild";
import type { Diagnostic } from "../types.ts";
import { findAbsent } from "./absent.ts";
import type { FoundFunction } from "./find.ts";
import type { ImportMap } from "./import-map.ts";
import { hashOf, loader } from "./load.ts";
import { diagnosticOf, type MissingPackage, missingOf } from "./messages.ts";
import { type BuildNotes, newNotes } from "./notes.ts";
import { nothing, resolver } from "./resolve.ts";

type Esbuild = typeof import("esbuild");

export interface CompileNeeds {
  readonly projectDir: string;
  readonly functionsDir: string;
  readonly cacheDir: string;
  readonly sourceLimitBytes: number;
  readonly bundleLimitBytes: number;
}

/** What came of compiling one function. */
export interface Compiled {
  /** `null` when there were errors. */
  readonly output: { readonly fileName: string; readonly code: string; readonly map: string } | null;
  readonly diagnostics: readonly Diagnostic[];
  readonly missing: readonly MissingPackage[];
  readonly notes: BuildNotes;
}

/** Compiles one function, again and again: what has not changed is not parsed again. */
export interface Compiler {
  compile(): Promise<Compiled>;
  dispose(): Promise<void>;
}

/** Oldest Node that a server runs on. */
const target = "node22";

export async function openCompiler(
  esbuild: Esbuild,
  needs: CompileNeeds,
  found: FoundFunction,
  importMap: ImportMap,
): Promise<Compiler> {
  let notes = newNotes();
  const context: BuildContext<{ metafile: true; write: false }> = await esbuild.context({
    entryPoints: [found.entry],
    outfile: join(needs.cacheDir, `${found.name}.mjs`),
    absWorkingDir: needs.projectDir,
    bundle: true,
    write: false,
    format: "esm",
    platform: "node",
    target,
    charset: "utf8",
    jsx: "automatic",
    legalComments: "none",
    sourcemap: "external",
    sourcesContent: false,
    metafile: true,
    logLevel: "silent",
    // One that extends a configuration of ours is there before ours is.
    logOverride: { "tsconfig.json": "silent" },
    plugins: [
      {
        name: "mainstay",
        setup(build: PluginBuild) {
          build.onStart(() => {
            notes = newNotes();
          });
          build.onResolve({ filter: /.*/ }, resolver(build, { ...needs, importMap, notes: () => notes }));
          build.onLoad({ filter: /.*/, namespace: nothing }, () => ({ contents: "export {};", loader: "js" }));
          build.onLoad(
            { filter: /.*/, namespace: "file" },
            loader(build, { entry: found.entry, limitBytes: needs.sourceLimitBytes, notes: () => notes }),
          );
        },
      },
    ],
  });
  return {
    async compile() {
      let result: BuildResult<{ metafile: true; write: false }>;
      try {
        result = await context.rebuild();
      } catch (error) {
        const { errors, warnings } = messagesOf(error);
        return {
          output: null,
          diagnostics: [
            ...errors.map((message) => diagnosticOf(message, "error", found.name)),
            ...warnings.map((message) => diagnosticOf(message, "warning", found.name)),
          ],
          missing: errors.flatMap((message) => missingOf(message) ?? []),
          notes,
        };
      }
      const warnings = result.warnings.map((message) => diagnosticOf(message, "warning", found.name));
      const absent = await findAbsent(esbuild, notes.denoSources, needs.projectDir, found.name);
      const output = outputOf(result, found.name);
      const refusal = judge(result, output.code, notes, needs, found);
      return {
        output: refusal === null ? output : null,
        diagnostics: [...(refusal === null ? [] : [refusal]), ...warnings, ...absent],
        missing: [],
        notes,
      };
    },
    dispose: () => context.dispose(),
  };
}

function outputOf(result: BuildResult<{ write: false }>, name: string): NonNullable<Compiled["output"]> {
  const text = (extension: string): string =>
    result.outputFiles.find(({ path }) => path.endsWith(extension))?.text ?? "";
  const map = text(".map");
  const bare = text(".mjs");
  // Of both: the lines a trace shows are part of what a bundle is.
  const fileName = `${name}-${hashOf(`${bare}\0${map}`).slice(0, 16)}.mjs`;
  return { fileName, code: `${bare}//# sourceMappingURL=${fileName}.map\n`, map };
}

/** What can be seen to be of no use without running it. */
function judge(
  { metafile }: BuildResult<{ metafile: true }>,
  code: string,
  notes: BuildNotes,
  { projectDir, bundleLimitBytes }: CompileNeeds,
  { name, entry }: FoundFunction,
): Diagnostic | null {
  const refuse = (message: string, hint: string): Diagnostic => ({
    severity: "error",
    functionName: name,
    file: relative(projectDir, entry).split(sep).join("/"),
    line: null,
    column: null,
    message,
    hint,
    source: null,
  });
  const size = Buffer.byteLength(code);
  if (size > bundleLimitBytes)
    return refuse(
      `With all it imports it is larger than ${bundleLimitBytes} bytes: ${size}.`,
      "Keep data out of it, or raise the setting functionsBundleLimitBytes.",
    );
  const output = Object.values(metafile.outputs).find(({ entryPoint }) => entryPoint !== undefined);
  const isDefined =
    output?.exports.includes("default") ||
    // Deno.serve, or a module that may call it.
    notes.denoSources.size > 0 ||
    Object.entries(output?.inputs ?? {}).some(([path, { bytesInOutput }]) => bytesInOutput > 0 && defines(path));
  return isDefined
    ? null
    : refuse(
        "It defines nothing.",
        'Export a handler: export default (request) => new Response("hello"); or begin the file\'s name with _ if it is shared code.',
      );
}

/** The library functions are written with, and our parts of Deno's. */
const defines = (path: string): boolean =>
  /(?:^|\/)functions\/(?:src|dist)\/definition\.[jt]s$/.test(path) || basename(path).startsWith("std-http");

function messagesOf(error: unknown): { readonly errors: readonly Message[]; readonly warnings: readonly Message[] } {
  if (error instanceof Error && "errors" in error && Array.isArray(error.errors)) {
    const { errors, warnings } = error as Error & { errors: Message[]; warnings?: Message[] };
    return { errors, warnings: warnings ?? [] };
  }
  throw error;
}

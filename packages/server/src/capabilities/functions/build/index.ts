import { existsSync, readFileSync, statSync } from "node:fs";
import { dirname, isAbsolute, join, relative, sep } from "node:path";
import type { BuiltFunction, Diagnostic, FunctionSet, ProcessCode } from "../types.ts";
import { createCheckBehind } from "./check/behind.ts";
import { checkTypes } from "./check/run.ts";
import { type Compiled, type Compiler, openCompiler } from "./compile.ts";
import { readDeclared } from "./declared.ts";
import { type FoundFunction, findFunctions } from "./find.ts";
import { emptyImportMap, type ImportMap, ImportMapError, readImportMap } from "./import-map.ts";
import { filesIn, foldersIn } from "./layout.ts";
import { hashOf } from "./load.ts";
import { type BuildCache, type BuiltEntry, openBuildCache } from "./manifest.ts";
import { installCommand, type MissingPackage } from "./messages.ts";
import { processCode } from "./process-code.ts";
import { createSaying } from "./say.ts";
import type { BuildListener, FunctionBuild, FunctionBuildNeeds } from "./types.ts";
import { type Watching, watchFolders } from "./watch.ts";

export type { BuildChange, BuildLimits, BuildListener, FunctionBuild, FunctionBuildNeeds } from "./types.ts";

type Esbuild = typeof import("esbuild");

/** Compiled at once: more would only wait for each other on the same cores. */
const compiledAtOnce = 4;

/** What is known of one function as it was built last. */
interface State {
  readonly found: FoundFunction;
  readonly importMap: ImportMap;
  /** `null` while it is broken. */
  readonly entry: BuiltEntry | null;
  readonly diagnostics: readonly Diagnostic[];
  readonly missing: readonly MissingPackage[];
  /** Absolute: all it was made of, as far as a broken one was read. */
  readonly inputs: readonly string[];
  /** What specifiers stand for. */
  readonly rewritten: Readonly<Record<string, string>>;
}

/**
 * Finds the project's functions and makes a bundle of each. What is not new is not built: a start on which nothing has changed does not even
 * load the compiler. To be closed.
 */
export async function openFunctionBuild(needs: FunctionBuildNeeds): Promise<FunctionBuild> {
  const builder = createBuilder(needs);
  await builder.update(false);
  if (needs.mode !== "dev") await builder.rest();
  const stopWatching = needs.mode === "dev" ? builder.watch() : () => {};
  return {
    current: builder.current,
    async rebuild() {
      await builder.update(true);
      if (needs.mode !== "dev") await builder.rest();
      return builder.current();
    },
    onChange(listener) {
      builder.listeners.add(listener);
      return () => builder.listeners.delete(listener);
    },
    checkTypes: builder.checkTypes,
    async close() {
      stopWatching();
      await builder.rest();
    },
  };
}

function createBuilder(needs: FunctionBuildNeeds) {
  const { projectDir, cacheDir } = needs;
  const listeners = new Set<BuildListener>();
  const compilers = new Map<string, { readonly key: string; readonly compiler: Compiler }>();
  let esbuild: Promise<Esbuild> | null = null;
  let states = new Map<string, State>();
  let set: FunctionSet = { functions: [], diagnostics: [], packageFolders: [] };
  let running: Promise<unknown> = Promise.resolve();
  let cache: BuildCache | null = null;
  let code: ProcessCode | null = null;
  let secrets = "";
  let watching: Watching | null = null;
  const ofBuild = createSaying(needs.observe);
  const behind = createCheckBehind({
    check: (signal) => checkNow(signal),
    found: createSaying(needs.observe).diagnostics,
    failed: (message) => needs.observe({ kind: "warning", area: "functions", message }),
  });
  const shown = (path: string): string => relative(projectDir, path).split(sep).join("/");
  const functionsDir = (): string | null =>
    [needs.functionsDir, join(projectDir, "functions"), join(projectDir, "supabase/functions")].find(
      (dir) => dir !== null && isFolder(dir),
    ) ?? null;
  const layout = (): string => {
    const dir = functionsDir();
    return dir === null ? "" : filesIn(dir).map(shown).join("\n");
  };

  const compilerCode = (): Promise<Esbuild> => {
    esbuild ??= import("esbuild");
    return esbuild;
  };
  const compilerOf = async (found: FoundFunction, importMap: ImportMap, key: string): Promise<Compiler> => {
    const known = compilers.get(found.name);
    if (known?.key === key) return known.compiler;
    await known?.compiler.dispose();
    const compiler = await openCompiler(
      await compilerCode(),
      {
        projectDir,
        functionsDir: functionsDir() ?? projectDir,
        cacheDir,
        sourceLimitBytes: needs.settings.functionsSourceLimitBytes,
        bundleLimitBytes: needs.settings.functionsBundleLimitBytes,
      },
      found,
      importMap,
    );
    compilers.set(found.name, { key, compiler });
    return compiler;
  };

  const build = async (found: FoundFunction, store: BuildCache): Promise<State> => {
    let importMap: ImportMap;
    try {
      importMap = readImportMap(dirname(found.entry), projectDir, found.importMap);
    } catch (error) {
      if (!(error instanceof ImportMapError)) throw error;
      const diagnostic: Diagnostic = {
        severity: "error",
        functionName: found.name,
        file: shown(error.file),
        line: null,
        column: null,
        message: error.message,
        hint: null,
        source: null,
      };
      return {
        found,
        importMap: { ...emptyImportMap, files: new Map([[error.file, ""]]) },
        entry: null,
        diagnostics: [diagnostic],
        missing: [],
        inputs: [found.entry],
        rewritten: {},
      };
    }
    const known = store.find(found, importMap);
    if (known !== null)
      return {
        found,
        importMap,
        entry: known,
        diagnostics: known.warnings,
        missing: [],
        inputs: Object.keys(known.inputs).map((path) => join(projectDir, path)),
        rewritten: known.rewritten,
      };
    const key = hashOf(JSON.stringify([found.entry, ...importMap.files]));
    const compiler = await compilerOf(found, importMap, key);
    const compiled: Compiled = await compiler.compile();
    const entry = compiled.output === null ? null : store.keep(found, importMap, compiled);
    return {
      found,
      importMap,
      entry,
      diagnostics: compiled.diagnostics,
      missing: compiled.missing,
      inputs: [...compiled.notes.inputs.keys()],
      rewritten: Object.fromEntries(compiled.notes.rewritten),
    };
  };

  const updateNow = async (sinceMs: number, tells: boolean): Promise<void> => {
    const dir = functionsDir();
    const { functions, diagnostics } = findFunctions(
      projectDir,
      dir,
      await readDeclared(needs.supabaseConfigFile, shown),
    );
    // Without functions nothing is made, not even a folder.
    if (functions.length > 0) cache ??= openBuildCache(projectDir, cacheDir, layout);
    const store = cache;
    store?.refresh();
    const built = store === null ? [] : await inParallel(functions, (found) => build(found, store));
    const before = states;
    states = new Map(built.map((state) => [state.found.name, state]));
    for (const [name, { compiler }] of compilers) {
      if (states.has(name)) continue;
      compilers.delete(name);
      await compiler.dispose();
    }
    if (store !== null) {
      const entries = built.flatMap(({ entry }) => entry ?? []);
      if (needs.mode !== "look") {
        store.save(entries);
        store.sweep(entries);
      }
      code ??= functions.length === 0 ? null : await processCode(cacheDir, compilerCode);
      set = { ...setOf(built, diagnostics, store), code };
    } else set = { functions: [], diagnostics, packageFolders: [] };
    watching?.follow(watchedFolders(dir));
    const env = secretsOf(dir);
    const hasNewSecrets = env !== secrets;
    secrets = env;
    const names = changedNames(before, states);
    if (needs.mode !== "look") {
      ofBuild.built(
        set.functions.map(({ name }) => name),
        names,
        performance.now() - sinceMs,
      );
      ofBuild.diagnostics(set.diagnostics);
    }
    if (needs.mode === "dev") behind.soon();
    if (!tells || (names.length === 0 && !hasNewSecrets)) return;
    const change = { names, hasNewSecrets, durationMs: performance.now() - sinceMs };
    for (const listener of listeners) listener(set, change);
  };

  const setOf = (built: readonly State[], diagnostics: readonly Diagnostic[], store: BuildCache): FunctionSet => {
    const command = installCommand(built.flatMap(({ missing }) => missing));
    return {
      functions: built.flatMap(({ found, entry }): BuiltFunction[] =>
        entry === null
          ? []
          : [
              {
                name: found.name,
                file: shown(found.entry),
                bundle: store.bundlePath(entry),
                declared: found.verifyJwt === null ? {} : { verifyJwt: found.verifyJwt },
              },
            ],
      ),
      diagnostics: [
        ...diagnostics,
        ...built.flatMap((state) =>
          state.diagnostics.map((diagnostic) =>
            diagnostic.hint === null && /^The package ".*" is not installed\.$/.test(diagnostic.message)
              ? { ...diagnostic, hint: command === "" ? null : command }
              : diagnostic,
          ),
        ),
      ],
      packageFolders: [...new Set(built.flatMap(({ entry }) => (entry === null ? [] : store.packageFolders(entry))))],
    };
  };

  const checkNow = async (signal: AbortSignal | undefined): Promise<readonly Diagnostic[]> => {
    const dir = functionsDir();
    if (dir === null || signal?.aborted) return [];
    const all = [...states.values()];
    const found = await checkTypes(
      {
        projectDir,
        functionsDir: dir,
        cacheDir,
        // With one file that cannot be read the checker looks at nothing else.
        entries: all.flatMap(({ found, entry }) => (entry === null ? [] : [found.entry])),
        rewritten: new Map(all.flatMap(({ rewritten }) => Object.entries(rewritten))),
        paths: new Map(all.flatMap(({ importMap }) => importMap.entries.filter(([, to]) => isAbsolute(to)))),
      },
      signal,
    );
    // What keeps a file from being built has been said already.
    const known = new Set(set.diagnostics.map(({ file, line }) => `${file}:${line}`));
    return found.filter(({ file, line }) => !known.has(`${file}:${line}`));
  };

  const watchedFolders = (dir: string | null): readonly string[] => [
    projectDir,
    ...(dir === null ? [dirname(join(projectDir, "supabase/functions"))] : foldersIn(dir)),
    ...(needs.supabaseConfigFile === null ? [] : [dirname(needs.supabaseConfigFile)]),
    ...[...states.values()].flatMap(({ inputs, importMap }) =>
      [...inputs, ...importMap.files.keys()].map((path) => dirname(path)),
    ),
  ];

  const secretsOf = (dir: string | null): string => (dir === null ? "" : contentOf(join(dir, ".env")));

  const update = (tells: boolean, sinceMs = performance.now()): Promise<void> => {
    const next = running.then(() => updateNow(sinceMs, tells));
    // A failure is the caller's; what comes next is not held up by it.
    running = next.catch(() => {});
    return next;
  };

  return {
    listeners,
    current: () => set,
    update,
    async checkTypes(signal?: AbortSignal): Promise<readonly Diagnostic[]> {
      await running;
      return checkNow(signal);
    },
    watch(): () => void {
      watching = watchFolders(
        (sinceMs) => {
          update(true, sinceMs).catch((error: unknown) => {
            const message = error instanceof Error ? error.message : String(error);
            needs.observe({ kind: "warning", area: "functions", message: `They could not be built: ${message}` });
          });
        },
        // What is written beside sources and is none of them: editors' own files, and ours.
        (name) => /^\.mainstay|~$|\.sw[px]$|^\.#|^4913$/.test(name),
      );
      watching.follow(watchedFolders(functionsDir()));
      // What was saved between the first look and the watching, nobody would tell of.
      void update(true).catch(() => {});
      return () => watching?.close();
    },
    /** Lets go of the compiler, once nothing is being built. */
    async rest(): Promise<void> {
      await running;
      await behind.stop();
      if (esbuild === null) return;
      for (const { compiler } of compilers.values()) await compiler.dispose();
      compilers.clear();
      await (await esbuild).stop();
      esbuild = null;
    },
  };
}

/** Those that are new, gone, another bundle, or say something else. */
function changedNames(before: ReadonlyMap<string, State>, now: ReadonlyMap<string, State>): readonly string[] {
  const face = (state: State | undefined): string =>
    state === undefined ? "" : JSON.stringify([state.entry?.bundle, state.found, state.diagnostics]);
  return [...new Set([...before.keys(), ...now.keys()])].filter(
    (name) => face(before.get(name)) !== face(now.get(name)),
  );
}

async function inParallel<T, R>(items: readonly T[], work: (item: T) => Promise<R>): Promise<readonly R[]> {
  const results: R[] = new Array(items.length);
  let next = 0;
  const worker = async (): Promise<void> => {
    while (next < items.length) {
      const at = next++;
      results[at] = await work(items[at]!);
    }
  };
  await Promise.all(Array.from({ length: Math.min(compiledAtOnce, items.length) }, worker));
  return results;
}

const isFolder = (path: string): boolean => existsSync(path) && statSync(path).isDirectory();

/** Empty for what cannot be read. */
function contentOf(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}

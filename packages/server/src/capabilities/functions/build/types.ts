import type { Observe } from "../../../platform/observe/observation.ts";
import type { Diagnostic, FunctionSet } from "../types.ts";

export interface FunctionBuildNeeds {
  /** Absolute: the project's folder. Files are named relative to it. */
  readonly projectDir: string;
  /** Absolute; `null` when the project has none (yet). */
  readonly functionsDir: string | null;
  /** `supabase/config.toml`, for its tables `[functions.NAME]`; `null` without one. */
  readonly supabaseConfigFile: string | null;
  /** `.mainstay/cache/functions`: bundles, their maps and what they were made from. Made when missing. */
  readonly cacheDir: string;
  /**
   * `start` builds once and lets go of the compiler; `dev` keeps it and watches; `look` builds for a command beside a server that may
   * run, and takes nothing away that it might still use.
   */
  readonly mode: "start" | "dev" | "look";
  readonly settings: BuildLimits;
  readonly observe: Observe;
}

export interface BuildLimits {
  /** Largest source file. */
  readonly functionsSourceLimitBytes: number;
  /** Largest bundle. */
  readonly functionsBundleLimitBytes: number;
}

/** Why a listener hears of a set. */
export interface BuildChange {
  /** Functions that are new, built anew or gone, or whose state (broken, mended) is another. */
  readonly names: readonly string[];
  /** `functions/.env` was written: what was started with the old secrets is to be started anew. */
  readonly hasNewSecrets: boolean;
  /** From the first sign of a change to this set. */
  readonly durationMs: number;
}

export type BuildListener = (set: FunctionSet, change: BuildChange) => void;

/** The project's functions as bundles, and in `dev` always as the files are now. */
export interface FunctionBuild {
  current(): FunctionSet;
  /** Builds what has changed since. @returns the set after it */
  rebuild(): Promise<FunctionSet>;
  /** Called after every change that matters, in order. @returns how to stop it */
  onChange(listener: BuildListener): () => void;
  /**
   * What TypeScript says of the functions as they were built last; what the build has said already is left out. Rejects with a
   * `NoCompilerError` when there is no TypeScript.
   */
  checkTypes(signal?: AbortSignal): Promise<readonly Diagnostic[]>;
  /** Ends the watching and the compiler, and waits for a build under way. */
  close(): Promise<void>;
}

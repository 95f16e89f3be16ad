import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import type { Values } from "../../kernel/settings.ts";
import type { Queryable } from "../../platform/postgres/database.ts";
import { openFunctionBuild } from "./build/index.ts";
import { type ChangeGap, changeStore } from "./changes/store.ts";
import { secretsOf } from "./environment.ts";
import { secretsIn } from "./secrets-in.ts";
import type { functionsSettings } from "./settings.ts";
import type { Diagnostic } from "./types.ts";

/** How the functions of a project are, as far as can be known without running any. */
export interface FunctionsExamination {
  /** Those that can be built. */
  readonly functions: readonly string[];
  readonly diagnostics: readonly Diagnostic[];
  /** Secrets that they ask for by name and that nobody gives them. */
  readonly missingSecrets: readonly { readonly name: string; readonly functions: readonly string[] }[];
  /** Whether this Node can keep their process from files, programs and addons. */
  readonly isConfined: boolean;
  /** Whether this machine bounds the memory of their process as a whole. */
  readonly isBounded: boolean;
}

export interface ExamineFunctionsNeeds {
  readonly projectDir: string;
  readonly functionsDir: string;
  readonly supabaseConfigFile: string | null;
  /** Variables of the environment that `functionsSecrets` names. */
  readonly secrets: Readonly<Record<string, string>>;
  readonly settings: Values<typeof functionsSettings>;
}

/** Builds them into a folder that is removed again. */
export async function examineFunctions(needs: ExamineFunctionsNeeds): Promise<FunctionsExamination> {
  const { functionsDir, secrets, ...build } = needs;
  const cacheDir = await mkdtemp(join(tmpdir(), "mainstay-examine-"));
  try {
    const opened = await openFunctionBuild({ ...build, functionsDir, cacheDir, mode: "look", observe: () => {} });
    try {
      const { functions, diagnostics } = opened.current();
      const given = secretsOf(functionsDir, secrets);
      const missing = new Map<string, string[]>();
      for (const { name, bundle } of functions) {
        for (const secret of secretsIn(await readFile(bundle, "utf8"))) {
          if (!Object.hasOwn(given, secret)) missing.set(secret, [...(missing.get(secret) ?? []), name]);
        }
      }
      return {
        functions: functions.map(({ name }) => name),
        diagnostics,
        missingSecrets: [...missing].map(([name, by]) => ({ name, functions: by })),
        isConfined: process.allowedNodeEnvironmentFlags.has("--permission"),
        isBounded: await isBounded(),
      };
    } finally {
      await opened.close();
    }
  } finally {
    await rm(cacheDir, { recursive: true, force: true });
  }
}

/** As the host does it: a shell that bounds what its process may write. */
async function isBounded(): Promise<boolean> {
  if (process.platform !== "linux") return false;
  return promisify(execFile)("/bin/sh", ["-c", "ulimit -d 16777216"]).then(
    () => true,
    () => false,
  );
}

/** Changes since then (in ms before now) that functions were not told of. */
export const examineChangeGaps = (db: Pick<Queryable, "query">, sinceMs: number): Promise<readonly ChangeGap[]> =>
  changeStore.gaps(db, sinceMs);

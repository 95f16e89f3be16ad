import { type Dirent, existsSync, readdirSync, realpathSync, statSync } from "node:fs";
import { join, relative, sep } from "node:path";
import type { Diagnostic } from "../types.ts";
import type { DeclaredFunctions } from "./declared.ts";

/** A file that is a function, before it is built. */
export interface FoundFunction {
  readonly name: string;
  /** Absolute. */
  readonly entry: string;
  /** Absolute: named in `config.toml`; `null` when the nearest is to be looked for. */
  readonly importMap: string | null;
  readonly verifyJwt: boolean | null;
}

export interface FoundFunctions {
  /** By name. */
  readonly functions: readonly FoundFunction[];
  readonly diagnostics: readonly Diagnostic[];
}

const source = /\.(?:ts|tsx|mts|js|jsx|mjs)$/;
/** What lies beside functions and is none: tests, and declarations of types. */
const aside = /\.d\.[cm]?ts$|[._](?:test|spec|bench)\.[cm]?[jt]sx?$/;
/** The name is part of an address and of file names. */
const validName = /^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$/;

/** Looks for functions in a folder, and adds those that `config.toml` names. Reads no file. */
export function findFunctions(
  projectDir: string,
  functionsDir: string | null,
  declared: DeclaredFunctions,
): FoundFunctions {
  const diagnostics: Diagnostic[] = [...declared.diagnostics];
  const shown = (path: string): string => relative(projectDir, path).split(sep).join("/");
  const refuse = (path: string, message: string, hint: string, functionName?: string): void => {
    diagnostics.push({
      severity: "error",
      ...(functionName === undefined ? {} : { functionName }),
      file: shown(path),
      line: null,
      column: null,
      message,
      hint,
      source: null,
    });
  };
  const entries = new Map<string, string>();
  /** Names that more than one file has: none of them runs, rather than the one we would pick. */
  const disputed = new Set<string>();
  const add = (name: string, path: string): void => {
    const other = entries.get(name);
    if (!validName.test(name))
      return refuse(
        path,
        `A function cannot be called "${name}".`,
        "Use letters, digits, - and _, at most 64; begin the file's name with _ if it is shared code.",
      );
    if (other !== undefined) {
      disputed.add(name);
      return refuse(
        path,
        `There are two functions "${name}": ${shown(other)} is one too.`,
        "Rename one of them.",
        name,
      );
    }
    entries.set(name, path);
  };

  for (const entry of functionsDir === null ? [] : list(functionsDir, refuse)) {
    const path = join(functionsDir!, entry.name);
    if (/^[_.]/.test(entry.name) || entry.name === "node_modules") continue;
    const kind = kindOf(path, entry);
    if (kind === "folder") {
      const index = list(path, refuse).find(({ name }) => /^index\.(?:ts|tsx|mts|js|jsx|mjs)$/.test(name));
      if (index !== undefined) add(entry.name, join(path, index.name));
      else if (declared.functions.get(entry.name)?.entrypoint == null) warnOfFolder(path);
    } else if (kind === "file" && source.test(entry.name) && !aside.test(entry.name)) {
      add(entry.name.replace(source, ""), path);
    } else if (kind === "broken" && source.test(entry.name)) {
      refuse(path, "It is a link that leads nowhere.", "Mend the link, or remove it.", entry.name.replace(source, ""));
    }
  }
  function warnOfFolder(path: string): void {
    if (!list(path, () => {}).some(({ name }) => source.test(name))) return;
    diagnostics.push({
      severity: "warning",
      file: shown(path),
      line: null,
      column: null,
      message: "This folder has no index.ts, so it is no function.",
      hint: "Begin its name with _ if it is shared code.",
      source: null,
    });
  }

  for (const [name, { entrypoint, enabled }] of declared.functions) {
    if (!enabled) entries.delete(name);
    else if (entrypoint !== null) {
      entries.delete(name);
      if (existsSync(entrypoint)) add(name, entrypoint);
      else
        refuse(
          entrypoint,
          `[functions.${name}] names this file, which is not there.`,
          "Make it, or change its entrypoint in config.toml.",
          name,
        );
    }
  }

  const root = realpathSync(projectDir);
  const functions = [...entries].flatMap(([name, entry]): FoundFunction[] => {
    if (disputed.has(name)) return [];
    const real = realpathSync(entry);
    if (!real.startsWith(`${root}${sep}`)) {
      refuse(
        entry,
        "It is a link out of the project's folder.",
        "Copy the file here, or import it from one that is here.",
        name,
      );
      return [];
    }
    const config = declared.functions.get(name);
    return [{ name, entry, importMap: config?.importMap ?? null, verifyJwt: config?.verifyJwt ?? null }];
  });
  return { functions: functions.sort((a, b) => (a.name < b.name ? -1 : 1)), diagnostics };
}

type Refuse = (path: string, message: string, hint: string) => void;

function list(dir: string, refuse: Refuse): readonly Dirent[] {
  try {
    // By name, so that of two functions of one name it is always the same that is refused.
    return readdirSync(dir, { withFileTypes: true }).sort((a, b) => (a.name < b.name ? -1 : 1));
  } catch (error) {
    refuse(dir, `It cannot be read: ${error instanceof Error ? error.message : error}`, "Check its permissions.");
    return [];
  }
}

function kindOf(path: string, entry: Dirent): "file" | "folder" | "broken" | "other" {
  if (!entry.isSymbolicLink()) return entry.isDirectory() ? "folder" : entry.isFile() ? "file" : "other";
  try {
    const target = statSync(path);
    return target.isDirectory() ? "folder" : target.isFile() ? "file" : "other";
  } catch {
    return "broken";
  }
}

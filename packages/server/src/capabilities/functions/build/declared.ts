import { existsSync, readFileSync } from "node:fs";
import { dirname, resolve } from "node:path";
import type { Diagnostic } from "../types.ts";

/** `[functions.NAME]` of `supabase/config.toml`. https://supabase.com/docs/guides/local-development/cli/config#functions-config */
export interface DeclaredFunction {
  readonly enabled: boolean;
  readonly verifyJwt: boolean | null;
  /** Absolute; `null` when it says nothing. */
  readonly entrypoint: string | null;
  readonly importMap: string | null;
}

export interface DeclaredFunctions {
  readonly functions: ReadonlyMap<string, DeclaredFunction>;
  readonly diagnostics: readonly Diagnostic[];
}

/** Reads what the file says of functions. One that is no TOML says nothing here: the start of the server has refused it already. */
export async function readDeclared(file: string | null, shown: (path: string) => string): Promise<DeclaredFunctions> {
  const functions = new Map<string, DeclaredFunction>();
  const diagnostics: Diagnostic[] = [];
  if (file === null || !existsSync(file)) return { functions, diagnostics };
  const text = readFileSync(file, "utf8");
  // Most have no such table, and the parser need not be loaded.
  if (!/^\s*\[functions\b/m.test(text)) return { functions, diagnostics };
  const { parse } = await import("smol-toml");
  let tables: unknown;
  try {
    tables = parse(text).functions;
  } catch (error) {
    const message = error instanceof Error ? (error.message.split("\n")[0] ?? "") : String(error);
    return { functions, diagnostics: [problem(shown(file), `It is not valid TOML: ${message}`, null)] };
  }
  const base = dirname(file);
  for (const [name, table] of Object.entries(isTable(tables) ? tables : {})) {
    if (!isTable(table)) continue;
    const path = (key: string): string | null => {
      const value = table[key];
      return typeof value === "string" && value !== "" ? resolve(base, value) : null;
    };
    const flag = (key: string): boolean | null => {
      const value = table[key];
      if (value === undefined || typeof value === "boolean") return value ?? null;
      diagnostics.push(problem(shown(file), `[functions.${name}] ${key} must be true or false.`, lineOf(text, name)));
      return null;
    };
    functions.set(name, {
      enabled: flag("enabled") ?? true,
      verifyJwt: flag("verify_jwt"),
      entrypoint: path("entrypoint"),
      importMap: path("import_map"),
    });
  }
  return { functions, diagnostics };
}

const isTable = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

function lineOf(text: string, name: string): number | null {
  const at = text.split("\n").findIndex((line) => line.includes(`[functions.${name}]`));
  return at < 0 ? null : at + 1;
}

const problem = (file: string, message: string, line: number | null): Diagnostic => ({
  severity: "warning",
  file,
  line,
  column: null,
  message,
  hint: null,
  source: null,
});

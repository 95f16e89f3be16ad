import { existsSync, readFileSync } from "node:fs";
import { dirname, isAbsolute, join, resolve, sep } from "node:path";
import { fileURLToPath } from "node:url";
import { parseJsonc } from "./jsonc.ts";
import { hashOf } from "./load.ts";

/** What a file of the project stands for another: `imports` of `deno.json` or an import map. */
export interface ImportMap {
  /**
   * Absolute: the files it was read from, and the hash of what was read there. What stands in them later may be something else already, and was not
   * built with.
   */
  readonly files: ReadonlyMap<string, string>;
  /**
   * The specifier that stands for this one where it is written, or `null`. Files come as absolute paths. What comes out is not looked up
   * again, so that no two entries can send each other around.
   * https://html.spec.whatwg.org/multipage/webappapis.html#import-maps
   */
  map(specifier: string, importer: string): string | null;
  /** The same as pairs, for other tools: those for all files, files as absolute paths. */
  readonly entries: readonly (readonly [from: string, to: string])[];
}

export class ImportMapError extends Error {
  override readonly name = "ImportMapError";
  /** Absolute. */
  readonly file: string;

  constructor(file: string, message: string) {
    super(message);
    this.file = file;
  }
}

type Entries = readonly (readonly [from: string, to: string])[];

export const emptyImportMap: ImportMap = { files: new Map(), map: () => null, entries: [] };

const names = ["deno.json", "deno.jsonc", "import_map.json"];

/**
 * The map of a function: the file it names itself, or the nearest `deno.json`, `deno.jsonc` or `import_map.json` from its folder up to
 * the project's.
 * @throws ImportMapError when it cannot be read
 */
export function readImportMap(entryDir: string, projectDir: string, declared: string | null): ImportMap {
  const file = declared ?? nearest(entryDir, projectDir);
  return file === null ? emptyImportMap : load(file);
}

function nearest(from: string, top: string): string | null {
  const found = names.map((name) => join(from, name)).find((file) => existsSync(file));
  if (found !== undefined) return found;
  return from === top || dirname(from) === from ? null : nearest(dirname(from), top);
}

function load(file: string): ImportMap {
  const files = new Map<string, string>();
  const document = readObject(file, files);
  const linked = typeof document.importMap === "string" ? resolve(dirname(file), document.importMap) : null;
  // One step, no further: a map that is linked has its entries here, and links of its own are not followed.
  const source =
    linked === null || document.imports !== undefined
      ? { file, document }
      : { file: linked, document: readObject(linked, files) };
  const base = dirname(source.file);
  const imports = readEntries(source.document.imports, base, source.file);
  const scopes = Object.entries(asObject(source.document.scopes ?? {}, source.file, "scopes"))
    .map(([scope, entries]) => [absolute(scope, base), readEntries(entries, base, source.file)] as const)
    .sort(([a], [b]) => b.length - a.length);
  return {
    files,
    entries: imports,
    map(specifier, importer) {
      for (const [scope, entries] of scopes) {
        if (importer !== scope && !importer.startsWith(scope.endsWith("/") ? scope : `${scope}/`)) continue;
        const found = lookUp(entries, specifier);
        if (found !== null) return found;
      }
      return lookUp(imports, specifier);
    },
  };
}

function lookUp(entries: Entries, specifier: string): string | null {
  let best: readonly [string, string] | null = null;
  for (const entry of entries) {
    if (entry[0] === specifier) return entry[1];
    if (entry[0].endsWith("/") && specifier.startsWith(entry[0]) && entry[0].length > (best?.[0].length ?? 0))
      best = entry;
  }
  return best === null ? null : best[1] + specifier.slice(best[0].length);
}

function readEntries(value: unknown, base: string, file: string): Entries {
  return Object.entries(asObject(value ?? {}, file, "imports")).map(([from, to]) => {
    if (typeof to !== "string") throw new ImportMapError(file, `"${from}" must be mapped to text.`);
    if (from.endsWith("/") && !to.endsWith("/"))
      throw new ImportMapError(file, `"${from}" ends with a slash, so what it is mapped to ("${to}") must too.`);
    return [from, absolute(to, base)] as const;
  });
}

/** What is relative to the map's own file, as an absolute path; the rest as it is. */
function absolute(specifier: string, base: string): string {
  const path = specifier.startsWith("file:") ? fileURLToPath(specifier) : specifier;
  if (!isAbsolute(path) && !/^\.{1,2}(?:\/|$)/.test(path)) return path;
  const whole = resolve(base, path);
  return path.endsWith("/") && !whole.endsWith(sep) ? `${whole}/` : whole;
}

function readObject(file: string, files: Map<string, string>): Readonly<Record<string, unknown>> {
  let document: unknown;
  try {
    const text = readFileSync(file, "utf8");
    files.set(file, hashOf(text));
    document = parseJsonc(text);
  } catch (cause) {
    throw new ImportMapError(file, `It cannot be read: ${cause instanceof Error ? cause.message : cause}`);
  }
  return asObject(document, file, "it");
}

function asObject(value: unknown, file: string, what: string): Readonly<Record<string, unknown>> {
  if (typeof value !== "object" || value === null || Array.isArray(value))
    throw new ImportMapError(file, `${what === "it" ? "It" : `"${what}"`} must be an object.`);
  return value as Readonly<Record<string, unknown>>;
}

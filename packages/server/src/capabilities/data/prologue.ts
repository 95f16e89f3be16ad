import type { Call } from "../../kernel/route.ts";
import type { Catalog } from "../../platform/postgres/catalog/types.ts";
import type { Param, Statement } from "../../platform/postgres/session/types.ts";
import { ident, literal } from "./compile/sql.ts";

/** What a request says about its transaction besides who and where. */
export interface ContextOptions {
  readonly schema: string;
  readonly isReadOnly: boolean;
  readonly timezone: string | null;
  /** Isolation level a function asks for. */
  readonly isolation: string | null;
  /** Settings a function's `SET` clauses ask for. */
  readonly hoisted: readonly (readonly [name: string, value: string])[];
}

export type Prologue = (call: Call, catalog: Catalog, options: ContextOptions) => readonly Statement[];

const isolationLevels = new Set(["read uncommitted", "read committed", "repeatable read", "serializable"]);

/**
 * Makes what goes ahead of every statement: the role, and all that SQL may ask about the request (protocols/rest.md §12). All of it
 * is `local`: it ends with the flight, so that a connection carries nothing from one caller to the next (threat B04).
 * @param mountLength Length of the mount's path, which functions do not see.
 */
export function createPrologue(needs: {
  readonly extraSearchPath: readonly string[];
  readonly preRequest: string | null;
  readonly mountLength: number;
}): Prologue {
  const searchPaths = new Map<string, string>();
  const texts = new Map<string, string>();
  const preRequest: Statement | null =
    needs.preRequest === null ? null : { text: `select ${functionName(needs.preRequest)}()`, values: [] };

  return (call, catalog, options) => {
    const { who } = call;
    const { cookie } = call.headers;
    const values: Param[] = [
      searchPath(options.schema),
      who.role,
      who.claimsJson,
      call.method,
      call.path.slice(needs.mountLength),
      JSON.stringify(call.headers),
      cookie === undefined ? "{}" : cookiesJson(cookie),
    ];
    const settings = catalog.roleSettings.get(who.role);
    let names = "";
    if (settings !== undefined) {
      for (const [name, value] of settings) {
        names += `,${name}`;
        values.push(value);
      }
    }
    for (const [name, value] of options.hoisted) {
      names += `,${name}`;
      values.push(value);
    }
    if (options.timezone !== null && catalog.timezones.has(options.timezone.toLowerCase())) {
      names += ",timezone";
      values.push(options.timezone);
    }
    const context: Statement = { text: contextText(options.isReadOnly, names), values };
    if (options.isolation === null && preRequest === null) return [context];
    const statements: Statement[] = [];
    // Must come before anything that takes a snapshot.
    if (options.isolation !== null && isolationLevels.has(options.isolation)) {
      statements.push({ text: `set transaction isolation level ${options.isolation}`, values: [] });
    }
    statements.push(context);
    if (preRequest !== null) statements.push(preRequest);
    return statements;
  };

  function searchPath(schema: string): string {
    let path = searchPaths.get(schema);
    if (path === undefined) {
      path = [...new Set([schema, ...needs.extraSearchPath])].map(ident).join(", ");
      searchPaths.set(schema, path);
    }
    return path;
  }

  /** One text per set of names: few, since the names are those of roles' and functions' settings. */
  function contextText(isReadOnly: boolean, names: string): string {
    const key = `${isReadOnly ? "r" : "w"}${names}`;
    let text = texts.get(key);
    if (text === undefined) {
      const extra = names === "" ? [] : names.slice(1).split(",");
      const all = [...fixedNames, ...extra];
      const sets = all.map((name, index) => `set_config(${literal(name)}, $${index + 1}, true)`);
      if (isReadOnly) sets.push("set_config('transaction_read_only', 'on', true)");
      text = `select ${sets.join(", ")}`;
      texts.set(key, text);
    }
    return text;
  }
}

const fixedNames = [
  "search_path",
  "role",
  "request.jwt.claims",
  "request.method",
  "request.path",
  "request.headers",
  "request.cookies",
] as const;

/** Cookies as a JSON object; names and values as sent. */
function cookiesJson(header: string): string {
  const pairs = new Map<string, string>();
  for (const part of header.split(";")) {
    const equals = part.indexOf("=");
    if (equals > 0) pairs.set(part.slice(0, equals).trim(), part.slice(equals + 1).trim());
  }
  return `{${[...pairs].map(([name, value]) => `${JSON.stringify(name)}:${JSON.stringify(value)}`).join(",")}}`;
}

/** `schema.name` or `name`, quoted. */
function functionName(name: string): string {
  return name.split(".", 2).map(ident).join(".");
}

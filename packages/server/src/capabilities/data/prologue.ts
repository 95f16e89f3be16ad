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

export type Prologue = (
  call: Pick<Call, "who" | "method" | "path" | "headers">,
  options: ContextOptions,
) => readonly Statement[];

const isolationLevels = new Set(["read uncommitted", "read committed", "repeatable read", "serializable"]);

/** What the app's schema and the extra ones make as a `search_path`. */
export function searchPathOf(schema: string, extra: readonly string[]): string {
  return [...new Set([schema, ...extra])].map(ident).join(", ");
}

/**
 * Makes what goes ahead of every statement: the role, and all that SQL may ask about the request (PostgREST documentation, Transactions). All of it
 * is `local`: it ends with the flight, so that a connection carries nothing from one caller to the next (threat B04).
 *
 * Each setting costs PostgreSQL a look-up, a copy and an undo, so those it has already are left out, and those about the request that
 * nobody in the database reads. `request.jwt.claim.sub` is the old form of one claim: with it, `auth.uid()` need not parse the
 * whole token for every statement.
 * @param mountLength Length of the mount's path, which functions do not see.
 */
export function createPrologue(needs: {
  readonly extraSearchPath: readonly string[];
  readonly preRequest: string | null;
  readonly mountLength: number;
  readonly catalog: Catalog;
  /** Settings the connections start with. */
  readonly defaults: ReadonlyMap<string, string>;
}): Prologue {
  const { catalog, defaults } = needs;
  const { readsRequest, changesSession } = catalog.settingsUse;
  const searchPaths = new Map<string, string>();
  const texts = new Map<string, string>();
  const roles = new Map<string, RoleContext>();
  const preRequest: Statement | null =
    needs.preRequest === null ? null : { text: `select ${functionName(needs.preRequest)}()`, values: [] };

  return (call, options) => {
    const { who } = call;
    const role = roleContext(who.role);
    const values: Param[] = [who.role, who.claimsJson, who.subject ?? ""];
    let { names } = role;
    if (readsRequest) {
      const { cookie } = call.headers;
      values.push(
        call.method,
        call.path.slice(needs.mountLength),
        JSON.stringify(call.headers),
        cookie === undefined ? "{}" : cookiesJson(cookie),
      );
    }
    for (const value of role.values) values.push(value);
    const path = searchPath(options.schema);
    if (path !== defaults.get("search_path")) {
      names += ",search_path";
      values.push(path);
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
    if (options.isolation === null && preRequest === null && !changesSession) return [context];
    const statements: Statement[] = [];
    if (changesSession) statements.push(resetAll);
    // Must come before anything that takes a snapshot.
    if (options.isolation !== null && isolationLevels.has(options.isolation)) {
      statements.push({ text: `set transaction isolation level ${options.isolation}`, values: [] });
    }
    statements.push(context);
    if (preRequest !== null) statements.push(preRequest);
    return statements;
  };

  /** The role's own settings, less those the connections start with. */
  function roleContext(role: string): RoleContext {
    let context = roles.get(role);
    if (context === undefined) {
      const settings = [...(catalog.roleSettings.get(role) ?? [])].filter(
        ([name, value]) => !isDefault(name, value, defaults),
      );
      context = { names: settings.map(([name]) => `,${name}`).join(""), values: settings.map(([, value]) => value) };
      if (roles.size < maxRoles) roles.set(role, context);
    }
    return context;
  }

  function searchPath(schema: string): string {
    let path = searchPaths.get(schema);
    if (path === undefined) {
      path = searchPathOf(schema, needs.extraSearchPath);
      searchPaths.set(schema, path);
    }
    return path;
  }

  /** One text per set of names: few, since the names are those of roles' and functions' settings. */
  function contextText(isReadOnly: boolean, names: string): string {
    const key = isReadOnly ? names : `w${names}`;
    let text = texts.get(key);
    if (text === undefined) {
      const extra = names === "" ? [] : names.slice(1).split(",");
      const all = [...identityNames, ...(readsRequest ? requestNames : []), ...extra];
      const sets = all.map((name, index) => `set_config(${literal(name)}, $${index + 1}, true)`);
      if (isReadOnly) sets.push("set_config('transaction_read_only', 'on', true)");
      text = `select ${sets.join(", ")}`;
      texts.set(key, text);
    }
    return text;
  }
}

/**
 * Where the app's code changes settings for longer than its transaction (`set_config(…, false)`), the next caller on the connection
 * must not find them: a tenant's id, another search path (threat B04). It leaves the role alone, which is set next.
 */
const resetAll: Statement = { text: "reset all", values: [] };

interface RoleContext {
  /** Each with a comma before it. */
  readonly names: string;
  readonly values: readonly string[];
}

/** Tokens may name any role the login may become; more than these are worked out each time. */
const maxRoles = 256;

const identityNames = ["role", "request.jwt.claims", "request.jwt.claim.sub"] as const;
const requestNames = ["request.method", "request.path", "request.headers", "request.cookies"] as const;

function isDefault(name: string, value: string, defaults: ReadonlyMap<string, string>): boolean {
  const known = defaults.get(name);
  if (known === undefined) return false;
  return known === value || (name === "statement_timeout" && durationMs(known) === durationMs(value));
}

/** A duration as PostgreSQL reads it: a number of milliseconds, or with a unit. NaN when it is neither. */
function durationMs(text: string): number {
  const match = /^\s*(\d+(?:\.\d+)?)\s*(ms|s|min|h|d)?\s*$/.exec(text);
  const scale = { ms: 1, s: 1_000, min: 60_000, h: 3_600_000, d: 86_400_000 } as const;
  return match === null ? Number.NaN : Number(match[1]) * scale[(match[2] ?? "ms") as keyof typeof scale];
}

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

import { durationMs } from "./duration.ts";

/**
 * Settings are values: a name, a type, a default, a unit and a sentence. The environment, `--help`, `mainstay config`
 * and `docs/reference/config.md` derive from them.
 */
interface SettingBase<T> {
  /** Environment variables that set it, ours (`MAINSTAY_…`) first, then the aliases of other products. */
  readonly env: readonly string[];
  readonly default: T;
  /** One sentence, without the default and the unit: these are shown from the value. */
  readonly summary: string;
  /** Never printed, and also read from a file named by `<ENV>_FILE` (Docker secrets). */
  readonly isSecret?: boolean;
}

export interface StringSetting<T extends string | null> extends SettingBase<T> {
  readonly type: "string";
  /** The only values allowed. */
  readonly choices?: readonly string[];
}
export interface IntegerSetting<T extends number | null> extends SettingBase<T> {
  readonly type: "integer";
  /** `ms`, `bytes`, `rows`, `connections` …: every number has one. Where it is `s` or `ms`, a Go duration is taken besides. */
  readonly unit: string;
  readonly min?: number;
  readonly max?: number;
}
export interface BooleanSetting extends SettingBase<boolean> {
  readonly type: "boolean";
}
/** Comma-separated in the environment. */
export interface ListSetting extends SettingBase<readonly string[]> {
  readonly type: "list";
}
/** JSON in the environment. What is in it is for its reader to check. */
export interface ObjectSetting extends SettingBase<Readonly<Record<string, unknown>>> {
  readonly type: "object";
}

// biome-ignore lint/suspicious/noExplicitAny: the union is closed over its type parameter on purpose
export type Setting = StringSetting<any> | IntegerSetting<any> | BooleanSetting | ListSetting | ObjectSetting;
export type Settings = Readonly<Record<string, Setting>>;
/** The values a group of settings gives: `{ port: IntegerSetting<number> }` → `{ port: number }`. */
export type Values<S extends Settings> = { readonly [K in keyof S]: S[K]["default"] };

type Define<S> = Omit<S, "type">;

// Overloads, so that a default of 54321 gives a `number` and not the type `54321`; a narrower type is asked for by name.
export function text(s: Define<StringSetting<string>>): StringSetting<string>;
export function text<T extends string | null>(s: Define<StringSetting<T>>): StringSetting<T>;
export function text<T extends string | null>(s: Define<StringSetting<T>>): StringSetting<T> {
  return { type: "string", ...s };
}
export function integer(s: Define<IntegerSetting<number>>): IntegerSetting<number>;
export function integer<T extends number | null>(s: Define<IntegerSetting<T>>): IntegerSetting<T>;
export function integer<T extends number | null>(s: Define<IntegerSetting<T>>): IntegerSetting<T> {
  return { type: "integer", ...s };
}
export const flag = (s: Define<BooleanSetting>): BooleanSetting => ({ type: "boolean", ...s });
export const list = (s: Define<ListSetting>): ListSetting => ({ type: "list", ...s });
export const object = (s: Define<ObjectSetting>): ObjectSetting => ({ type: "object", ...s });

/** A setting that could not be read: which, from where, why. */
export class SettingError extends Error {
  override readonly name = "SettingError";
}

/**
 * Parses one raw value. `origin` names where it came from (`MAINSTAY_PORT`, `--port`, `mainstay.config.ts`) for the message.
 * @throws SettingError naming the origin, what was expected and, unless it is a secret, what was found.
 */
export function parseSetting(setting: Setting, raw: unknown, origin: string): unknown {
  const refuse = (expected: string): never => {
    const found = setting.isSecret ? "something else" : JSON.stringify(raw);
    throw new SettingError(`${origin} must be ${expected}, not ${found}.`);
  };
  switch (setting.type) {
    case "string": {
      if (typeof raw !== "string") return refuse("text");
      if (setting.choices && !setting.choices.includes(raw)) return refuse(`one of ${setting.choices.join(", ")}`);
      return raw;
    }
    case "integer": {
      const value =
        typeof raw === "number" ? raw : typeof raw === "string" ? numberOf(raw.trim(), setting.unit) : Number.NaN;
      const min = setting.min ?? Number.MIN_SAFE_INTEGER;
      const max = setting.max ?? Number.MAX_SAFE_INTEGER;
      if (!Number.isSafeInteger(value) || value < min || value > max) return refuse(expectedOf(setting, raw));
      return value;
    }
    case "boolean": {
      if (typeof raw === "boolean") return raw;
      const word = typeof raw === "string" ? raw.trim().toLowerCase() : "";
      if (["true", "1", "yes", "on"].includes(word)) return true;
      if (["false", "0", "no", "off", ""].includes(word)) return false;
      return refuse("true or false");
    }
    case "list": {
      if (Array.isArray(raw) && raw.every((item) => typeof item === "string")) return raw;
      if (typeof raw !== "string") return refuse("a comma-separated list");
      return raw
        .split(",")
        .map((item) => item.trim())
        .filter((item) => item !== "");
    }
    case "object": {
      const value: unknown = typeof raw === "string" ? parseJson(raw) : raw;
      if (typeof value !== "object" || value === null || Array.isArray(value)) return refuse("a JSON object");
      return value;
    }
  }
}

/** How many milliseconds a unit of time has: settings in one are written as durations, too. */
const unitMs: Readonly<Record<string, number>> = { ms: 1, s: 1_000 };

/** A part of a unit counts as one: what is asked to last 300 ms does not last 0 s. NaN for what is neither number nor duration. */
function numberOf(text: string, unit: string): number {
  if (/^-?\d+$/.test(text)) return Number(text);
  const sizeMs = unitMs[unit];
  const ms = sizeMs === undefined ? null : durationMs(text);
  return ms === null || sizeMs === undefined ? Number.NaN : Math.ceil(ms / sizeMs);
}

function expectedOf({ min, max, unit }: IntegerSetting<number | null>, raw: unknown): string {
  const number = `a whole number${boundsOf(min, max)}`;
  if (unitMs[unit] !== undefined) return `${number} (${unit}), or a duration like 1h30m`;
  // Supabase's rates, `30/1h`: the time ours are counted in is their own.
  return typeof raw === "string" && /^\d+\/\w+$/.test(raw.trim())
    ? `${number}, without a time to count them in`
    : number;
}

function boundsOf(min: number | undefined, max: number | undefined): string {
  if (min !== undefined && max !== undefined) return ` from ${min} to ${max}`;
  if (min !== undefined) return ` of at least ${min}`;
  return max === undefined ? "" : ` of at most ${max}`;
}

/** `undefined` for what is no JSON. */
function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** Where each value came from, for `mainstay config show`. */
export type Origins<S extends Settings> = { readonly [K in keyof S]: string };

/**
 * Reads a group of settings. Order of truth: `given` (flags, then the project's config file), the environment, the default.
 * `readFile` resolves `<ENV>_FILE` for secrets. Empty environment variables count as unset.
 */
export function readSettings<S extends Settings>(
  settings: S,
  sources: {
    readonly flags?: Readonly<Partial<Record<keyof S, unknown>>>;
    readonly env: Readonly<Record<string, string | undefined>>;
    readonly file?: Readonly<Partial<Record<keyof S, unknown>>>;
    readonly readFile?: (path: string) => string;
  },
): { values: Values<S>; origins: Origins<S> } {
  const values: Record<string, unknown> = {};
  const origins: Record<string, string> = {};
  for (const [name, setting] of Object.entries(settings)) {
    const [raw, origin] = find(name, setting);
    values[name] = raw === undefined ? setting.default : parseSetting(setting, raw, origin);
    origins[name] = origin;
  }
  return { values: values as Values<S>, origins: origins as Origins<S> };

  function find(name: string, setting: Setting): [raw: unknown, origin: string] {
    const flagged = sources.flags?.[name];
    if (flagged !== undefined) return [flagged, `--${name.replace(/[A-Z]/g, (c) => `-${c.toLowerCase()}`)}`];
    for (const variable of setting.env) {
      const value = sources.env[variable];
      if (value !== undefined && value !== "") return [value, variable];
      const path = setting.isSecret ? sources.env[`${variable}_FILE`] : undefined;
      if (path && sources.readFile) return [sources.readFile(path).trim(), `${variable}_FILE`];
    }
    const filed = sources.file?.[name];
    if (filed !== undefined) return [filed, "mainstay.config.ts"];
    return [undefined, "default"];
  }
}

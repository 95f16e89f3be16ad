import type { Principal } from "../../../kernel/principal.ts";
import type { KnownFunction } from "../compile/index.ts";
import type { Role } from "./roles.ts";

/** A function of the schema `auth` without arguments. */
export interface AuthFunctionRow {
  /** `uid`, `role`, `email`, `jwt`. */
  readonly name: string;
  readonly body: string;
  /** `language sql`, as whoever calls it, without settings of its own. */
  readonly isPlain: boolean;
  readonly returns: string;
  /** Roles that may execute it, by number. */
  readonly callers: readonly number[];
}

/**
 * How a body is known to read the caller. `exact`: as `evaluate/caller.ts` does, whatever the claims. `text`: also, as long as the claim is
 * a string, because json and jsonb print other values differently. `setting`: the setting of the single claim counts first.
 */
type Reading = "exact" | "text" | "setting";

const types: Readonly<Record<KnownFunction, string>> = {
  "auth.uid": "uuid",
  "auth.role": "text",
  "auth.email": "text",
  "auth.jwt": "jsonb",
};

const setting = (name: string): string => `nullif(current_setting('${name}',true),'')`;

/** Bodies without blanks. All ways to say the same that databases are known to have: JSON or jsonb, with parentheses or casts or without. */
const known: ReadonlyMap<KnownFunction, ReadonlyMap<string, Reading>> = new Map(
  (Object.keys(types) as KnownFunction[]).map((name) => [name, new Map(bodiesOf(name))]),
);

function* bodiesOf(name: KnownFunction): Iterable<readonly [string, Reading]> {
  const [claims, claim] = [setting("request.jwt.claims"), setting("request.jwt.claim")];
  if (name === "auth.jwt") {
    // Nothing sets the second one.
    for (const [first, second] of [
      [claims, claim],
      [claim, claims],
    ]) {
      yield [`coalesce(${first},${second})::jsonb`, "exact"];
    }
    return;
  }
  const key = name.slice("auth.".length);
  const single = setting(`request.jwt.claim.${key}`.replace("claim.uid", "claim.sub"));
  const member = key === "uid" ? "sub" : key;
  for (const type of ["json", "jsonb"] as const) {
    for (const [open, close] of [
      ["", ""],
      ["(", ")"],
    ]) {
      const whole = `${open}${claims}::${type}->>'${member}'${close}`;
      const reading = type === "json" ? "exact" : "text";
      for (const cast of key === "uid" ? ["::uuid"] : ["", "::text"]) {
        // The single claim of `uid` is the same claim, and of `email` nobody sets it: only for `role` the order counts.
        yield [`coalesce(${single},${whole})${cast}`, key === "role" ? "setting" : reading];
        if (key !== "uid") yield [`coalesce(${whole},${single})${cast}`, reading];
      }
    }
  }
}

/** Blanks, case and comments mean nothing, except within quotes. */
const plain = (body: string): string =>
  body
    .replaceAll(/'[^']*'|--[^\n]*|[^'-]+|-/g, (part) =>
      part.startsWith("'") ? part : part.startsWith("--") ? "" : part.replaceAll(/\s+/g, "").toLowerCase(),
    )
    .replace(/^select/, "")
    .replace(/;$/, "");

/** A function whose body is one that is known. */
export interface AuthFunction {
  readonly name: KnownFunction;
  readonly reading: Reading;
  readonly callers: readonly number[];
}

/** Those that are known, at least for some callers; the others are anybody's code. */
export function readAuthFunctions(rows: readonly AuthFunctionRow[]): readonly AuthFunction[] {
  return rows.flatMap(({ name: word, body, isPlain, returns, callers }) => {
    const name = `auth.${word}` as KnownFunction;
    const reading = isPlain && types[name] === returns ? known.get(name)?.get(plain(body)) : undefined;
    return reading === undefined ? [] : [{ name, reading, callers }];
  });
}

/** Which of the functions mean for this caller what they mean here. */
export function knownFunctions(
  functions: readonly AuthFunction[],
  role: Role,
  who: Principal,
): ReadonlySet<KnownFunction> {
  const found = functions.filter(
    ({ name, reading, callers }) => isSame(reading, name, who) && callers.some((oid) => role.has(oid)),
  );
  return new Set(found.map(({ name }) => name));
}

function isSame(reading: Reading, name: KnownFunction, { claims, role }: Principal): boolean {
  if (reading === "exact") return true;
  const claim = claims[name === "auth.uid" ? "sub" : name.slice("auth.".length)];
  if (reading === "setting") return claim === role;
  return claim === undefined || claim === null || typeof claim === "string";
}

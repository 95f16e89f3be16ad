/** What an import asks for, whatever runtime's way of writing it was used. */
export type Wanted =
  /** A package of npm's: `name`, a range or tag or `null`, and what comes after the name, with its `/`. */
  | {
      readonly kind: "package";
      readonly name: string;
      readonly range: string | null;
      readonly subpath: string;
      /** Other names it may be installed under, looked for after `name`. */
      readonly aliases: readonly string[];
    }
  /** A module of Deno's standard library: `http/server`. */
  | { readonly kind: "std"; readonly module: string }
  | { readonly kind: "node"; readonly name: string }
  /** Beside the file, or absolute. */
  | { readonly kind: "file"; readonly path: string }
  /** Only types: nothing at run time. */
  | { readonly kind: "types" }
  /** From the network, and we do not know which package it would be. */
  | { readonly kind: "remote"; readonly url: string };

/** Modules of deno.land/x and jsr.io that npm has under another name. */
const knownAs: Readonly<Record<string, string>> = {
  "x/hono": "hono",
  "x/zod": "zod",
  "x/lodash": "lodash",
  "x/nanoid": "nanoid",
  "x/postgresjs": "postgres",
  "x/openai": "openai",
  "x/supabase": "@supabase/supabase-js",
  "x/grammy": "grammy",
  "x/kysely": "kysely",
  "x/jose": "jose",
  "x/superstruct": "superstruct",
  "jsr/@hono/hono": "hono",
  "jsr/@zod/zod": "zod",
  "jsr/@openai/openai": "openai",
};

const packagePattern = /^((?:@[\w.~-]+\/)?[\w.~-]+)(?:@([^/]+))?(\/.*)?$/;

/** Reads an import specifier. Pure: whether what it asks for is there is another question. */
export function readSpecifier(specifier: string): Wanted {
  if (/\.d\.[cm]?ts(?:\?.*)?$/.test(specifier)) return { kind: "types" };
  if (specifier.startsWith("node:")) return { kind: "node", name: specifier.slice(5) };
  if (/^\.{1,2}(?:\/|$)|^\/(?!\/)|^file:/.test(specifier)) return { kind: "file", path: specifier };
  if (specifier.startsWith("npm:")) return npm(specifier.slice(4), specifier);
  if (specifier.startsWith("jsr:")) return jsr(specifier.slice(4), specifier);
  if (/^https?:/.test(specifier)) return fromAddress(specifier);
  return npm(specifier, specifier);
}

function npm(text: string, specifier: string): Wanted {
  const match = packagePattern.exec(text.replace(/^\/+/, ""));
  if (match === null) return { kind: "remote", url: specifier };
  const [, name = "", range, subpath = ""] = match;
  return { kind: "package", name, range: decode(range), subpath: trimmed(subpath), aliases: [] };
}

function jsr(text: string, specifier: string): Wanted {
  const match = packagePattern.exec(text.replace(/^\/+/, ""));
  const [, name = "", range, subpath = ""] = match ?? [];
  const [scope = "", base = ""] = name.split("/");
  if (match === null || !scope.startsWith("@") || base === "") return { kind: "remote", url: specifier };
  // Of Supabase's client libraries: jsr and npm have the same. Its edge-runtime is types alone.
  if (name === "@supabase/functions-js" && /^\/edge-runtime/.test(subpath)) return { kind: "types" };
  if (scope === "@std") return { kind: "std", module: withoutExtension(`${base}${trimmed(subpath)}`) };
  const known = knownAs[`jsr/${name}`];
  // jsr.io serves npm clients under its own scope: `npx jsr add` installs that.
  const served = `@jsr/${scope.slice(1)}__${base}`;
  return {
    kind: "package",
    name: known ?? name,
    range: decode(range),
    subpath: trimmed(subpath),
    aliases: known === undefined ? [served] : [name, served],
  };
}

function fromAddress(specifier: string): Wanted {
  const url = new URL(specifier);
  const path = decodeURIComponent(url.pathname);
  switch (url.hostname) {
    case "esm.sh": {
      const rest = path.replace(/^\/(?:v\d+|stable)\//, "/").replace(/^\/\*/, "/");
      if (rest.startsWith("/gh/") || rest.startsWith("/pr/")) return { kind: "remote", url: specifier };
      return rest.startsWith("/jsr/") ? jsr(rest.slice(5), specifier) : npm(withoutFlags(rest), specifier);
    }
    case "cdn.skypack.dev": {
      // Pinned addresses: `/-/name@v1.2.3-hash/dist=…/file.js`.
      const pinned = /^\/-\/((?:@[^/]+\/)?[^/@]+)@v([\d.]+)/.exec(path);
      return npm(pinned ? `${pinned[1]}@${pinned[2]}` : path, specifier);
    }
    case "unpkg.com":
      return npm(path, specifier);
    case "esm.run":
      return npm(path, specifier);
    case "cdn.jsdelivr.net":
      return path.startsWith("/npm/")
        ? npm(path.slice(5).replace(/\/\+esm$/, ""), specifier)
        : { kind: "remote", url: specifier };
    case "jsr.io":
    case "esm.jsr.io":
      return jsr(path, specifier);
    case "deno.land":
      return fromDenoLand(path, specifier);
    default:
      return { kind: "remote", url: specifier };
  }
}

function fromDenoLand(path: string, specifier: string): Wanted {
  const std = /^\/std(?:@[^/]+)?\/(.+)$/.exec(path);
  if (std) return { kind: "std", module: withoutExtension(std[1]!) };
  const third = /^\/x\/([^/@]+)(?:@v?([^/]+))?(\/.*)?$/.exec(path);
  const name = third && knownAs[`x/${third[1]}`];
  if (!third || !name) return { kind: "remote", url: specifier };
  // Its files are laid out in another way than the package's: the package's own entrance stands for `mod.ts`.
  const subpath = withoutExtension(third[3] ?? "");
  const isEntrance = /^(?:\/(?:mod|index|lib\/(?:mod|index)|src\/(?:mod|index)|deno\/lib\/mod))?$/.test(subpath);
  return { kind: "package", name, range: third[2] ?? null, subpath: isEntrance ? "" : subpath, aliases: [] };
}

/** `stripe@14.21.0&target=deno`: esm.sh takes its flags behind the version too. */
const withoutFlags = (path: string): string =>
  path.replace(/&[^/]*/, "").replace(/\/(?:es20\d\d|denonext|deno)\/.*$/, "");
const withoutExtension = (path: string): string => path.replace(/\.[cm]?[jt]sx?$/, "");
const trimmed = (subpath: string): string => (subpath === "/" ? "" : subpath.replace(/\/$/, ""));
const decode = (range: string | undefined): string | null => (range === undefined ? null : safeDecode(range));

function safeDecode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

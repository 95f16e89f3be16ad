import { existsSync, readdirSync, statSync } from "node:fs";
import { join, resolve } from "node:path";

/** An app developer's project: a folder, and where in it everything lies. Nothing of it is required to exist. */
export interface Project {
  /** Absolute. */
  readonly dir: string;
  /** `supabase` when the project keeps its files in `supabase/`, as that product's CLI lays them out. */
  readonly layout: "mainstay" | "supabase";
  /** `.mainstay`: PostgreSQL's files, keys, objects. Private (0700), never committed. */
  readonly dataDir: string;
  /** `null` when there is no such folder. */
  readonly migrationsDir: string | null;
  /** In the order they run. */
  readonly seedFiles: readonly string[];
  readonly functionsDir: string | null;
  readonly templatesDir: string | null;
  /** `site`: the app's own web pages, served at `/`. */
  readonly siteDir: string | null;
  /** `mainstay.config.ts`, or `.js`/`.mjs`. */
  readonly configFile: string | null;
  /** `supabase/config.toml`, read where it matters. */
  readonly supabaseConfigFile: string | null;
}

/** Looks at `dir` and says what is there. Creates nothing. */
export function findProject(dir: string): Project {
  const root = resolve(dir);
  const isSupabase = !isFolder(join(root, "migrations")) && isFolder(join(root, "supabase"));
  const base = isSupabase ? join(root, "supabase") : root;
  const toml = join(root, "supabase", "config.toml");
  return {
    dir: root,
    layout: isSupabase ? "supabase" : "mainstay",
    dataDir: join(root, ".mainstay"),
    migrationsDir: folder(join(base, "migrations")),
    seedFiles: seedFilesIn(base),
    functionsDir: folder(join(base, "functions")),
    templatesDir: folder(join(base, "templates")),
    siteDir: folder(join(root, "site")),
    configFile:
      ["ts", "mjs", "js"].map((ext) => join(root, `mainstay.config.${ext}`)).find((file) => existsSync(file)) ?? null,
    supabaseConfigFile: existsSync(toml) ? toml : null,
  };
}

/** `seed.sql`, `seed.ts`, then whatever lies in `seeds/`, by name. */
function seedFilesIn(base: string): string[] {
  const single = ["seed.sql", "seed.ts"].map((name) => join(base, name)).filter((file) => existsSync(file));
  const dir = join(base, "seeds");
  const many = isFolder(dir)
    ? readdirSync(dir)
        .filter((name) => name.endsWith(".sql") || name.endsWith(".ts"))
        .sort()
        .map((name) => join(dir, name))
    : [];
  return [...single, ...many];
}

const isFolder = (path: string): boolean => existsSync(path) && statSync(path).isDirectory();
const folder = (path: string): string | null => (isFolder(path) ? path : null);

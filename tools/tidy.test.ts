import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { dirname, join, posix, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";

/** The rules of the house that a machine can check: ARCHITECTURE.md says why they are. */
const root = join(dirname(fileURLToPath(import.meta.url)), "..");
const tracked = execFileSync("git", ["ls-files", "--cached", "--others", "--exclude-standard"], {
  cwd: root,
  encoding: "utf8",
})
  .split("\n")
  .filter((path) => path !== "");
const sources = tracked.filter((path) => path.endsWith(".ts"));
const isTest = (path: string): boolean => /\.test\.ts$|[./]testing\.ts$/.test(path);
const read = (path: string): string => readFileSync(join(root, path), "utf8");

const server = "packages/server/src/";
/** Floors of the server, lowest first. Imports go down, or stay on the floor as the rules below allow. */
const floors = ["kernel", "platform", "capabilities", "adapters"];
const rootFiles = new Set([
  "compose.ts",
  "config.ts",
  "examine.ts",
  "index.ts",
  "main.ts",
  "open-project.ts",
  "preflight.ts",
  "project-parts.ts",
  "project.ts",
  "supabase-buckets.ts",
  "supabase-config.ts",
]);

function importsOf(path: string): { readonly to: string; readonly isType: boolean }[] {
  const found = read(path).matchAll(/^(?:import|export)\s+(type\s)?[^;]*?from\s+"(\.[^"]+)"|import\("(\.[^"]+)"\)/gm);
  return [...found].map((match) => ({
    to: posix.normalize(posix.join(posix.dirname(path), (match[2] ?? match[3])!)),
    isType: match[1] !== undefined,
  }));
}

describe("imports", () => {
  const inServer = sources.filter((path) => path.startsWith(server) && !isTest(path));

  test("go down only", () => {
    const wrong = inServer.flatMap((path) => {
      const from = path.slice(server.length).split("/");
      const floor = floors.indexOf(from[0]!);
      if (floor < 0) return [];
      return importsOf(path)
        .filter(({ to }) => to.startsWith(server))
        .filter(({ to }) => {
          const target = to.slice(server.length).split("/");
          return rootFiles.has(target[0]!) || floors.indexOf(target[0]!) > floor;
        })
        .map(({ to }) => `${path} imports ${to}`);
    });
    expect(wrong).toEqual([]);
  });

  test("a capability is not entered by another one", () => {
    const wrong = inServer
      .filter((path) => path.startsWith(`${server}capabilities/`))
      .flatMap((path) => {
        const own = path.split("/").slice(0, 5).join("/");
        return importsOf(path)
          .filter(({ to }) => to.startsWith(`${server}capabilities/`) && !to.startsWith(`${own}/`))
          .map(({ to }) => `${path} reaches into ${to}`);
      });
    expect(wrong).toEqual([]);
  });

  test("the server's insides are its own: other packages use its exports", () => {
    const wrong = sources
      .filter((path) => !path.startsWith("packages/server/"))
      .filter((path) => /from "[^"]*packages\/server\/src|from "(\.\.\/)+server\/src/.test(read(path)));
    expect(wrong).toEqual([]);
  });

  test("the conformance suite knows the server only from outside", () => {
    const wrong = sources.filter(
      (path) => path.startsWith("conformance/") && /from "@mainstay\/server/.test(read(path)),
    );
    expect(wrong).toEqual([]);
  });
});

describe("only where they belong", () => {
  const using = (pattern: RegExp): string[] =>
    sources.filter((path) => path.startsWith(server) && !isTest(path) && pattern.test(read(path)));

  test("the environment is read in config.ts", () => {
    // In the process of functions it is the functions' own, which the server has made for them.
    const own = `${server}capabilities/functions/thread/`;
    const users = using(/\bprocess\.env\b/).filter((path) => !path.startsWith(own));
    expect(users.map((path) => relative(server, path))).toEqual(["config.ts"]);
  });

  test("connections to PostgreSQL are opened in platform/postgres", () => {
    const wrong = using(/new pg\.(Client|Pool)\(/).filter((path) => !path.startsWith(`${server}platform/postgres/`));
    expect(wrong).toEqual([]);
  });

  test("SQL of a capability is in its store or its compiler", () => {
    const wrong = using(/\bsql`/).filter(
      (path) => path.startsWith(`${server}capabilities/`) && !/\/([a-z-]*store)\.ts$|\/compile\//.test(path),
    );
    expect(wrong).toEqual([]);
  });
});

describe("files", () => {
  test("are one idea each", () => {
    const long = sources.filter((path) => !isTest(path) && read(path).split("\n").length > 420);
    expect(long).toEqual([]);
  });

  test("are named in kebab-case", () => {
    const odd = sources.filter((path) => !/^[a-z0-9]+([.-][a-z0-9]+)*\.ts$/.test(posix.basename(path)));
    expect(odd).toEqual([]);
  });

  test("hold no address of a registry: the lockfile works anywhere", () => {
    expect(read("package-lock.json")).not.toMatch(/"resolved": "http/);
  });
});

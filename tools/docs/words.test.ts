import { existsSync, globSync, readFileSync, statSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import type { Settings } from "@mainstay/server";
import { settingGroups } from "@mainstay/server/config";
import { describe, expect, it } from "vitest";

/** What people read names only what exists: files, headings, variables, commands. */
const root = join(import.meta.dirname, "../..");
const pages = globSync(["*.md", "docs/**/*.md", "deploy/**/*.md"], { cwd: root }).toSorted();
const deployFiles = globSync("deploy/*", { cwd: root })
  .filter((path) => statSync(join(root, path)).isFile())
  .toSorted();
const read = (path: string): string => readFileSync(join(root, path), "utf8");
const withoutCode = (text: string): string => text.replace(/^```[\s\S]*?^```/gm, "").replace(/`[^`\n]*`/g, "");

/** A heading's anchor, as GitHub makes it. */
const anchorOf = (heading: string): string =>
  heading
    .toLowerCase()
    .replace(/[^\p{L}\p{N}\s_-]/gu, "")
    .trim()
    .replace(/\s/g, "-");
const anchorsIn = (path: string): ReadonlySet<string> =>
  new Set([...read(path).matchAll(/^#{1,6} (.*)$/gm)].map(([, heading = ""]) => anchorOf(heading)));

describe.each(pages)("%s", (path) => {
  it("links to files and headings that are there", () => {
    const broken = [...withoutCode(read(path)).matchAll(/\]\(([^)\s]+)\)/g)]
      .map(([, target = ""]) => target)
      .filter((target) => !/^[a-z]+:/.test(target))
      .filter((target) => {
        const [file = "", anchor] = target.split("#");
        const to = file === "" ? path : relative(root, join(root, dirname(path), file));
        if (!existsSync(join(root, to))) return true;
        return anchor !== undefined && !anchorsIn(to).has(anchor);
      });
    expect(broken).toEqual([]);
  });
});

it("names variables that set something", () => {
  const known = new Set(
    Object.values<Settings>(settingGroups)
      .flatMap((group) => Object.values(group))
      .flatMap((setting) => setting.env.flatMap((name) => (setting.isSecret ? [name, `${name}_FILE`] : [name]))),
  );
  // Said of families: `MAINSTAY_POSTGRES_…`.
  const isFamily = (name: string) => name.endsWith("_");
  // The demo's own, and those of tests.
  const others = new Set(["MAINSTAY_URL", "MAINSTAY_POLICY_CASES", "MAINSTAY_POLICY_SEED"]);
  const wrong = [...pages, ...deployFiles].flatMap((path) =>
    [...read(path).matchAll(/\b(?:MAINSTAY|PGRST|GOTRUE)_[A-Z0-9_]+/g)]
      .map(([name]) => name)
      .filter((name) => !known.has(name) && !isFamily(name) && !others.has(name))
      .map((name) => `${path}: ${name}`),
  );
  expect(wrong).toEqual([]);
});

it("names commands that there are, with options they have", () => {
  const sections = new Map(
    read("docs/reference/cli.md")
      .split(/^#{2,3} `mainstay (?=[^`]*`$)/m)
      .slice(1)
      .map((section) => [section.slice(0, section.indexOf("`")), section] as const),
  );
  const wrong = pages.flatMap((path) =>
    [...read(path).matchAll(/(?:npx |`)mainstay ((?:[a-z]+ ?){1,2})([^`\n|]*)/g)].flatMap(
      ([call, words = "", rest = ""]) => {
        const [first = "", second = ""] = words.trim().split(" ");
        const section = sections.get(`${first} ${second}`) ?? sections.get(first);
        if (section === undefined) return [`${path}: ${call}`];
        // What follows "--" is psql's, what follows "#" is said to the reader.
        const own = rest.split(/ -- |#/)[0] ?? "";
        return [...own.matchAll(/--[a-z][a-z-]*/g)]
          .filter(([option]) => !section.includes(option))
          .map(([option]) => `${path}: ${call.trim()} has no ${option}`);
      },
    ),
  );
  expect(wrong).toEqual([]);
});

// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the source that is read here is text
import { describe, expect, it } from "vitest";
import { generatedPages, stalePages } from "../generate-docs.ts";
import { code, table } from "./markdown.ts";
import { readRows, readSpecialStates, readTranslations } from "./read-boundary.ts";
import { helpersIn, readProblems, readThrown } from "./read-problems.ts";
import { splitAtCommas, textOf, tokenize } from "./tokens.ts";

const words = (source: string) => tokenize(source).map(({ text }) => text);

describe("tokenize", () => {
  it("tells texts, templates, comments and expressions apart from what is in them", () => {
    expect(words('a("new Problem(", /* new Problem( */ `x${f({ b: `}` })}y`); // c')).toEqual([
      "a",
      "(",
      '"new Problem("',
      ",",
      "`x${f({ b: `}` })}y`",
      ")",
      ";",
    ]);
    expect(words('/["/]/.test(x) / 2')).toEqual(['/["/]/', ".", "test", "(", "x", ")", "/", "2"]);
    expect(() => tokenize("const a = `never ends")).toThrow(/line 1/);
  });

  it("gives a doc comment to the word after it, on one line and without tags", () => {
    const [first, second] = tokenize("/**\n * One,\n * two.\n * @throws never\n */\na b");
    expect(first?.doc).toBe("One, two.");
    expect(second?.doc).toBeNull();
    expect(first?.line).toBe(6);
  });

  it("reads what a template says", () => {
    const [template] = tokenize("`a \\`b\\` ${at.file}:${x ? `}` : 1}`");
    expect(textOf(template!, (expression) => `<${expression}>`)).toBe("a `b` <at.file>:<x ? `}` : 1>");
  });

  it("splits at commas outside of brackets", () => {
    const parts = splitAtCommas(tokenize("a: Map<string, number>, b = [1, 2],"), true);
    expect(parts.map((part) => part.map(({ text }) => text).join(""))).toEqual(["a:Map<string,number>", "b=[1,2]"]);
  });
});

describe("readProblems", () => {
  it("reads direct calls, helpers, choices of status and one problem in the words of another", () => {
    const source = `
      const local = (code: string, message: string, hint: string, log: readonly string[] = []): Problem =>
        new Problem(\`disk/\${code}\`, 503, log.length === 0 ? message : \`\${message} \${log}\`, { hint });
      const indent = (lines: readonly string[]) => lines.join();
      export const diskProblems = {
        /** Nothing fits. Free some space. */
        full: (path: string, free: number | null) => local("full", \`No room on \${path}.\`, "Look around."),
        /** Somebody is out. */
        banned: (status: 400 | 403, map: Map<string, string>) => new Problem("a/banned", status, "Out."),
        /** Too many. */
        many: (what: string, max: number) => diskProblems.banned(\`At most \${max} \${what}\`),
        /** It is not allowed. */
        refused: (message = "Not you") => { const a = 1; return new Problem("a/refused", 401, message); },
      };`;
    expect(readProblems(source, "x.ts")).toEqual([
      {
        code: "disk/full",
        statuses: [503],
        message: "No room on {path}.",
        meaning: "Nothing fits. Free some space.",
        hint: "Look around.",
      },
      { code: "a/banned", statuses: [400, 403], message: "Out.", meaning: "Somebody is out.", hint: null },
      { code: "a/banned", statuses: [400, 403], message: "At most {max} {what}", meaning: "Too many.", hint: null },
      { code: "a/refused", statuses: [401], message: "Not you", meaning: "It is not allowed.", hint: null },
    ]);
  });

  it("reads what is made with a helper of the folder above", () => {
    const above =
      "export const room = (code: string, status: number, words: string) => new Problem(`a/${code}`, status, words);";
    const source = 'export const doorProblems = { /** Shut. */ shut: () => room("shut", 403, "Not now.") };';
    expect(readProblems(source, "x.ts", helpersIn(tokenize(above)))).toEqual([
      { code: "a/shut", statuses: [403], message: "Not now.", meaning: "Shut.", hint: null },
    ]);
    expect(() => readProblems(source, "x.ts")).toThrow("makes no Problem");
  });

  it("refuses what would be missing from the page", () => {
    const one = (entry: string) => () => readProblems(`export const problems = { ${entry} };`, "x.ts");
    expect(one('gone: () => new Problem("a/gone", 410, "Gone.")')).toThrow("x.ts:1 (gone) has no doc comment");
    expect(one('/** Gone. */ gone: () => new Problem(code(), 410, "Gone.")')).toThrow("cannot be told");
    expect(one('/** Gone. */ gone: () => new Problem("a/gone", status, "Gone.")')).toThrow("cannot be told");
    expect(one("/** Gone. */ gone: () => other()")).toThrow("makes no Problem");
    expect(() => readProblems("export const other = {};", "x.ts")).toThrow("exports no object");
  });
});

it("finds problems thrown where they arise, also through a function of another file", () => {
  const shared = helpersIn(
    tokenize(
      "export function failure(code: string, at: Place): Problem { return new Problem(code, 500, `${at.file}: no`); }",
    ),
  );
  const source = `throw failure("seed/failed", here); throw new Problem(error.sqlstate, status, "x");
    throw new Problem("seed/large", 413, \`\${nameOf(path)} is large\`, { hint: "Cut it." });`;
  expect(readThrown(source, shared)).toEqual([
    { code: "seed/failed", statuses: [500], message: "{file}: no", meaning: null, hint: null },
    { code: "seed/large", statuses: [413], message: "{…} is large", meaning: null, hint: "Cut it." },
  ]);
});

describe("readBoundary", () => {
  it("reads what a boundary makes of other codes", () => {
    const source = `function translate(problem: Problem): Rendered {
      switch (code) {
        case "a/one":
        case "a/two":
          return { ...same, code: "X1", status: 401 };
        case "a/three":
          return isIt ? { status: 403, code: "X2" } : { code: "X3" };
        default:
          return same;
      }
    }`;
    expect(readTranslations(source)).toEqual([
      { code: "a/one", becomes: [{ code: "X1", status: "401" }] },
      { code: "a/two", becomes: [{ code: "X1", status: "401" }] },
      {
        code: "a/three",
        becomes: [
          { code: "X2", status: "403" },
          { code: "X3", status: null },
        ],
      },
    ]);
  });

  it("reads rows of a constant, and the states a function treats by themselves", () => {
    const source = `const byCode: ReadonlyMap<string, number> = new Map([["23505", 409], ["P0001", 400]]);
      export function statusOf() { if (sqlstate === "42501") return 1; return sqlstate === "21000" ? 2 : "no"; }`;
    expect(readRows(source, "byCode")).toEqual([
      ["23505", "409"],
      ["P0001", "400"],
    ]);
    expect(readSpecialStates(source)).toEqual(["21000", "42501"]);
    expect(() => readRows(source, "byClass")).toThrow("no list named byClass");
  });
});

it("writes tables that no cell can break", () => {
  expect(table(["a", "b"], [["x|y", "two\nlines"]])).toBe("| a | b |\n|---|---|\n| x\\|y | two lines |");
  expect(code("a`b")).toBe("`` a`b ``");
});

it("keeps docs/reference as the code says: `npm run docs` writes it", async () => {
  const pages = await generatedPages();
  expect(stalePages(pages)).toEqual([]);
  for (const [path, text] of pages) expect(text.split("\n").length, path).toBeGreaterThan(50);
});

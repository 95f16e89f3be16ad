import { describe, expect, it } from "vitest";
import { lex } from "./lex.ts";
import { parse } from "./parse.ts";
import { defaultQueryLimits, type QueryLimits } from "./settings.ts";

const read = (query: string, limits: QueryLimits = defaultQueryLimits) =>
  parse(lex(query, "relation", limits).shape, limits);
const wide: QueryLimits = {
  queryBytes: 10_000_000,
  queryParameters: 1_000_000,
  queryDepth: 32,
  queryNodes: 1_000_000,
  listElements: 1_000_000,
};
const nest = (open: string, inside: string, close: string, depth: number) =>
  open.repeat(depth) + inside + close.repeat(depth);

describe("B08 limits hold before anything recurses", () => {
  it.each<[name: string, limits: QueryLimits, query: string, setting: string]>([
    ["a query string of 1 MB", defaultQueryLimits, `a=eq.${"x".repeat(1_000_000)}`, "MAINSTAY_QUERY_BYTES"],
    ["10,000 parameters", wide, "a=eq.1&".repeat(10_000), ""],
    ["10,000 parameters", defaultQueryLimits, "a=eq.1&".repeat(9_000), "MAINSTAY_QUERY_PARAMETERS"],
    ["embeds 10,000 deep", wide, `select=${nest("a(", "b", ")", 10_000)}`, "MAINSTAY_QUERY_DEPTH"],
    ["embeds 10,000 deep that never close", wide, `select=${"a(".repeat(10_000)}`, "MAINSTAY_QUERY_DEPTH"],
    ["logic 10,000 deep", wide, `or=${nest("(and", "(a.eq.1)", ")", 10_000)}`, "MAINSTAY_QUERY_DEPTH"],
    ["logic 10,000 deep that never closes", wide, `or=(${"or(".repeat(10_000)}`, "MAINSTAY_QUERY_DEPTH"],
    [
      "100,000 conditions",
      { ...wide, queryNodes: 1_000 },
      `or=(${"a.eq.1,".repeat(100_000)}b.eq.1)`,
      "MAINSTAY_QUERY_NODES",
    ],
    ["100,000 items", { ...wide, queryNodes: 1_000 }, `select=${"a,".repeat(100_000)}a`, "MAINSTAY_QUERY_NODES"],
    ["100,000 order terms", { ...wide, queryNodes: 1_000 }, `order=${"a,".repeat(100_000)}a`, "MAINSTAY_QUERY_NODES"],
    ["100,000 columns", { ...wide, queryNodes: 1_000 }, `columns=${"a,".repeat(100_000)}a`, "MAINSTAY_QUERY_NODES"],
    [
      "a path of 100,000 steps",
      { ...wide, queryNodes: 1_000 },
      `a${"->b".repeat(100_000)}=eq.1`,
      "MAINSTAY_QUERY_NODES",
    ],
    [
      "a scope of 100,000 names",
      { ...wide, queryNodes: 1_000 },
      `${"a.".repeat(100_000)}b=eq.1`,
      "MAINSTAY_QUERY_NODES",
    ],
    [
      "a list of 100,000",
      { ...wide, listElements: 10_000 },
      `a=in.(${"1,".repeat(100_000)}1)`,
      "MAINSTAY_LIST_ELEMENTS",
    ],
    [
      "a list of 100,000 in a tree",
      { ...wide, listElements: 10_000 },
      `or=(a.in.(${"1,".repeat(100_000)}1))`,
      "MAINSTAY_LIST_ELEMENTS",
    ],
  ])("%s", (_, limits, query, setting) => {
    if (setting === "") return expect(read(query, limits).conditions).toHaveLength(10_000);
    expect(() => read(query, limits)).toThrow(
      expect.objectContaining({ code: "PGRST100", status: 400, hint: expect.stringContaining(setting) }),
    );
  });

  it("echoes little of what it refuses", () => {
    const query = `a=${"x".repeat(60_000)}`;
    expect(() => read(query)).toThrow(expect.objectContaining({ message: expect.stringMatching(/^.{0,400}$/) }));
  });
});

/** Characters that string methods look at while `work` runs: what grows with the text, whatever the machine. */
function charactersRead(work: () => void): number {
  const prototype = String.prototype;
  const { charCodeAt, slice, indexOf, startsWith, includes, replaceAll, codePointAt } = prototype;
  let count = 0;
  Object.assign(prototype, {
    charCodeAt(this: string, at: number) {
      count++;
      return charCodeAt.call(this, at);
    },
    slice(this: string, from?: number, to?: number) {
      const result = slice.call(this, from, to);
      count += result.length;
      return result;
    },
    indexOf(this: string, searched: string, from = 0) {
      const result = indexOf.call(this, searched, from);
      count += (result < 0 ? this.length : result) - from;
      return result;
    },
    includes(this: string, searched: string) {
      count += this.length;
      return includes.call(this, searched);
    },
    startsWith(this: string, searched: string, from?: number) {
      count += searched.length;
      return startsWith.call(this, searched, from);
    },
  });
  try {
    work();
  } catch (error) {
    if ((error as { code?: unknown }).code !== "PGRST100") throw error;
  } finally {
    Object.assign(prototype, { charCodeAt, slice, indexOf, startsWith, includes, replaceAll, codePointAt });
  }
  return count;
}

describe("B08 reading is linear", () => {
  it.each([
    ["dotless arguments", "", "a=1&", ""],
    ["dots", "a=", ".", ""],
    ["nots", "a=", "not.", ""],
    ["open quotes in a list", "a=in.(", '",', ""],
    ["escaped quotes in a list", "a=in.(", '"\\",', ""],
    ["backslashes in a list", "a=in.(", '"\\\\', ")"],
    ["open braces in a tree", "or=(", "a.eq.{,", "a.eq.1)"],
    ["closed braces in a tree", "or=(", "a.eq.{}{,", "a.eq.1)"],
    ["open quotes in a tree", "or=(", 'a.eq.",', "a.eq.1)"],
    ["unclosed lists in a tree", "or=(", "a.in.(", ")"],
    ["operators without an end", "or=(", "a.eq(", ")"],
    ["open parentheses", "or=", "(", ""],
    ["branches", "or=(", "and(", ""],
    ["dashes in a name", "select=", "a-", ""],
    ["arrows", "select=a", "->", ""],
    ["indexes", "select=a", "->1-", ""],
    ["digits in a path", "select=a->", "1", "x"],
    ["aliases", "select=", "a:", ""],
    ["casts", "select=a", "::b", ""],
    ["modifiers", "select=a", "!b", ""],
    ["spreads", "select=", "...", ""],
    ["quoted names", "select=", '"a",', "a"],
    ["encoded everything", "select=", "%2C%22", ""],
    ["escapes in values", "", "a=eq.%2B&", ""],
    ["blanks", "select=a", " ", ",b"],
    ["order terms", "order=", "a.asc.", ""],
    ["encoded keys", "", "%61=eq.1&", ""],
  ])("%s", (_, before, repeated, after) => {
    const cost = (times: number) =>
      charactersRead(() => {
        const query = before + repeated.repeat(times) + after;
        for (const target of ["relation", "function"] as const) parse(lex(query, target, wide).shape, wide);
      });
    const [small, large] = [cost(1_000), cost(4_000)];
    expect(large).toBeLessThan(small * 4.5 + 1_000);
  });
});

import { describe, expect, it } from "vitest";
import type { Condition, ParsedQuery, SelectItem } from "../request.ts";
import { lex, type QueryTarget } from "./lex.ts";
import { parse } from "./parse.ts";
import { fillIn } from "./print.testing.ts";

const read = (query: string, target: QueryTarget = "relation"): ParsedQuery => {
  const { shape, values } = lex(query, target);
  return fillIn(parse(shape), values);
};
const select = (text: string) => read(`select=${text}`).select;
const column = (name: string, more: object = {}): SelectItem => ({
  kind: "column",
  field: { name, path: [] },
  alias: null,
  cast: null,
  aggregate: null,
  ...more,
});
const embed = (target: string, more: object = {}) => ({
  kind: "embed",
  alias: null,
  target,
  hint: null,
  join: null,
  items: [],
  ...more,
});
const text = (value: string) => ({ kind: "literal", text: value });
const compare = (name: string, operator: string, value: string, more: object = {}) => ({
  kind: "compare",
  field: { name, path: [] },
  negated: false,
  operator,
  quantifier: null,
  operand: text(value),
  ...more,
});
const filter = (query: string): Condition => {
  const { conditions } = read(query);
  expect(conditions).toHaveLength(1);
  expect(conditions[0]!.path).toEqual([]);
  return conditions[0]!.value;
};

describe("select", () => {
  it.each<[string, readonly unknown[]]>([
    ["", []],
    ["*", [{ kind: "star" }]],
    ["*,a", [{ kind: "star" }, column("a")]],
    ["a,b", [column("a"), column("b")]],
    [" a ,\tb ,\n c ", [column("a"), column("b"), column("c")]],
    ["first name", [column("first name")]],
    ["a-b,$x,été,名前", [column("a-b"), column("$x"), column("été"), column("名前")]],
    ['"a,b(c)","say \\"hi\\" \\\\"', [column("a,b(c)"), column('say "hi" \\')]],
    ["x:a", [column("a", { alias: "x" })]],
    ['"x y":a::text', [column("a", { alias: "x y", cast: "text" })]],
    ["a::text", [column("a", { cast: "text" })]],
    ["a::double precision", [column("a", { cast: "double precision" })]],
    [
      "data->a->>b",
      [
        column("", {
          field: {
            name: "data",
            path: [
              { arrow: "->", key: "a" },
              { arrow: "->>", key: "b" },
            ],
          },
        }),
      ],
    ],
    [
      "data->0->-1->>2nd",
      [
        column("", {
          field: {
            name: "data",
            path: [
              { arrow: "->", index: 0 },
              { arrow: "->", index: -1 },
              { arrow: "->>", key: "2nd" },
            ],
          },
        }),
      ],
    ],
    [
      'x:data->>"a.b(c)"::int',
      [column("", { alias: "x", cast: "int", field: { name: "data", path: [{ arrow: "->>", key: "a.b(c)" }] } })],
    ],
    [
      "data->a-b->1-2",
      [
        column("", {
          field: {
            name: "data",
            path: [
              { arrow: "->", key: "a-b" },
              { arrow: "->", key: "1-2" },
            ],
          },
        }),
      ],
    ],
    ["count", [column("count")]],
    ["rel(count)", [embed("rel", { items: [column("count")] })]],
    ["count()", [{ kind: "count", alias: null, cast: null }]],
    ["n:count()::text", [{ kind: "count", alias: "n", cast: "text" }]],
    ["a.count()", [column("a", { aggregate: { name: "count", cast: null } })]],
    ["t:a.sum()::int", [column("a", { alias: "t", aggregate: { name: "sum", cast: "int" } })]],
    ["a::numeric.avg()::int", [column("a", { cast: "numeric", aggregate: { name: "avg", cast: "int" } })]],
    [
      "data->n.max()",
      [
        column("", {
          field: { name: "data", path: [{ arrow: "->", key: "n" }] },
          aggregate: { name: "max", cast: null },
        }),
      ],
    ],
    ["rel()", [embed("rel")]],
    ["x:rel!fk(a,*)", [embed("rel", { alias: "x", hint: "fk", items: [column("a"), { kind: "star" }] })]],
    ["rel!inner(a)", [embed("rel", { join: "inner", items: [column("a")] })]],
    ["rel!left!fk(a)", [embed("rel", { join: "left", hint: "fk", items: [column("a")] })]],
    ["rel!fk!inner(a)", [embed("rel", { join: "inner", hint: "fk", items: [column("a")] })]],
    ['"count"(a)', [embed("count", { items: [column("a")] })]],
    ["a(b(c),d)", [embed("a", { items: [embed("b", { items: [column("c")] }), column("d")] })]],
    [
      "...rel(a,...b!inner(c))",
      [
        {
          kind: "spread",
          target: "rel",
          hint: null,
          join: null,
          items: [column("a"), { kind: "spread", target: "b", hint: null, join: "inner", items: [column("c")] }],
        },
      ],
    ],
  ])("%s", (query, items) => {
    expect(select(query.replace(/\s/g, encodeURIComponent))).toEqual(items);
    expect(select(encodeURIComponent(query))).toEqual(items);
  });

  it("is everything when absent, and the first of several", () => {
    expect(read("").select).toEqual([{ kind: "star" }]);
    expect(read("select=a&select=b").select).toEqual([column("a")]);
  });

  it.each<[string, number, string]>([
    ["a,", 3, "unexpected end of input expecting field name (* or [a..z0..9_$])"],
    ["a,,b", 3, 'unexpected "," expecting field name (* or [a..z0..9_$])'],
    ["a(b", 4, 'unexpected end of input expecting ")"'],
    ["a)", 2, 'unexpected ")" expecting "," or end of input'],
    ["*a", 2, 'unexpected "a" expecting "->", "::", ".", ")", "," or end of input'],
    ["x:*", 3, 'unexpected "*" expecting field name (* or [a..z0..9_$])'],
    ["count(a)", 6, 'unexpected "(" expecting "()"'],
    ["a.median()", 3, 'unexpected "m" expecting an aggregate: sum(), avg(), min(), max() or count()'],
    ["a::", 4, "unexpected end of input expecting the name of a type"],
    ["a::text[]", 8, 'unexpected "[" expecting "->", "::", ".", ")", "," or end of input'],
    ["a::numeric(10,2)", 11, 'unexpected "(" expecting "->", "::", ".", ")", "," or end of input'],
    ["a::text;drop table x", 8, 'unexpected ";" expecting "->", "::", ".", ")", "," or end of input'],
    ["a->", 4, "unexpected end of input expecting any non reserved character different from: ( - : . , > )"],
    ["a->99999999999", 4, 'unexpected "9" expecting an array index within 32 bits'],
    ["r!a!b(c)", 4, 'unexpected "!" expecting "("'],
    ["r!inner!left(c)", 8, 'unexpected "!" expecting "("'],
    ["r!inner", 8, 'unexpected end of input expecting "("'],
    ["x:...r(a)", 3, 'unexpected "." expecting field name (* or [a..z0..9_$])'],
    ['"a', 3, 'unexpected end of input expecting "\\""'],
    ["🙂;", 3, 'unexpected ";" expecting "->", "::", ".", ")", "," or end of input'],
  ])("refuses %s", (query, at, details) => {
    expect(() => select(query)).toThrow(
      expect.objectContaining({
        code: "PGRST100",
        status: 400,
        message: `"failed to parse select parameter (${query})" (line 1, column ${at})`,
        details,
      }),
    );
  });
});

describe("filters", () => {
  it.each([
    "eq",
    "neq",
    "gt",
    "gte",
    "lt",
    "lte",
    "like",
    "ilike",
    "match",
    "imatch",
    "isdistinct",
    "cs",
    "cd",
    "ov",
    "sl",
    "sr",
    "nxr",
    "nxl",
    "adj",
  ])("%s", (operator) => {
    expect(filter(`a=${operator}.x.y,(z)`)).toEqual(compare("a", operator, "x.y,(z)"));
    expect(filter(`a=not.${operator}.`)).toEqual(compare("a", operator, "", { negated: true }));
  });

  it.each(["eq", "gt", "gte", "lt", "lte", "like", "ilike", "match", "imatch"])("%s(any) and %s(all)", (operator) => {
    for (const quantifier of ["any", "all"]) {
      expect(filter(`a=${operator}(${quantifier}).{1,2}`)).toEqual(compare("a", operator, "{1,2}", { quantifier }));
      expect(filter(`a=${operator}%28${quantifier}%29.%7B1%2C2%7D`)).toEqual(
        compare("a", operator, "{1,2}", { quantifier }),
      );
    }
  });

  it.each([
    "neq(any).1",
    "cs(any).1",
    "in(any).(1)",
    "is(any).null",
    "fts(any)",
    "eq(some).1",
    "eq(any)1",
    "EQ.1",
    "eq",
    "",
    "foo.1",
    "not.not.eq.1",
    "not.foo",
    ".eq.1",
  ])("refuses %s", (value) => {
    expect(() => filter(`a=${value}`)).toThrow(
      expect.objectContaining({
        code: "PGRST100",
        message: expect.stringContaining(`failed to parse filter (${value})`),
      }),
    );
  });

  it.each([
    ["null", "null"],
    ["NULL", "null"],
    ["not_null", "not_null"],
    ["True", "true"],
    ["false", "false"],
    ["Unknown", "unknown"],
  ])("is.%s", (word, test) => {
    expect(filter(`a=is.${word}`)).toEqual({ kind: "is", field: { name: "a", path: [] }, negated: false, test });
    expect(filter(`a=not.is.${word}`)).toMatchObject({ negated: true, test });
  });

  it.each(["nil", "", "nulls", "null ,"])("refuses is.%s", (word) => {
    expect(() => filter(`a=is.${word}`)).toThrow(expect.objectContaining({ code: "PGRST100" }));
  });

  it.each(["()", "(1,2)", '("a,b","c)")', '( "x" ,y)', "(a b)", '("a"b)'])("in.%s", (list) => {
    expect(filter(`a=in.${list}`)).toEqual({
      kind: "in",
      field: { name: "a", path: [] },
      negated: false,
      operand: text(list),
    });
    expect(filter(`a=not.in.${encodeURIComponent(list)}`)).toMatchObject({
      kind: "in",
      negated: true,
      operand: text(list),
    });
  });

  it.each(["1,2", "(1,2", "1,2)", "(1)2", ""])("refuses in.%s", (list) => {
    expect(() => filter(`a=in.${list}`)).toThrow(expect.objectContaining({ code: "PGRST100" }));
  });

  it.each(["fts", "plfts", "phfts", "wfts"])("%s with and without a configuration", (operator) => {
    const expected = {
      kind: "fts",
      field: { name: "a", path: [] },
      negated: false,
      operator,
      operand: text("fat & rat"),
    };
    expect(filter(`a=${operator}.fat+%26+rat`)).toEqual({ ...expected, config: null });
    expect(filter(`a=${operator}(german).fat+%26+rat`)).toEqual({ ...expected, config: "german" });
    expect(filter(`a=not.${operator}%28german%29.fat+%26+rat`)).toEqual({
      ...expected,
      config: "german",
      negated: true,
    });
  });

  it("reads keys: paths of embeds, quoted names and JSON arrows", () => {
    expect(read("a.b.c=eq.1").conditions).toEqual([{ path: ["a", "b"], value: compare("c", "eq", "1") }]);
    expect(read('"x.y"."z"=eq.1').conditions).toEqual([{ path: ["x.y"], value: compare("z", "eq", "1") }]);
    expect(read("a.data->>b=eq.1").conditions[0]).toMatchObject({
      path: ["a"],
      value: { field: { name: "data", path: [{ arrow: "->>", key: "b" }] } },
    });
    expect(read("data-%3E0-%3E%3Eb=eq.1")).toEqual(read("data->0->>b=eq.1"));
    expect(read("embed=not.is.null").conditions[0]!.value).toMatchObject({ kind: "is", negated: true });
  });

  it("joins repeated keys, in the order written", () => {
    expect(read("age=gte.18&age=lt.65").conditions.map(({ value }) => value)).toEqual([
      compare("age", "gte", "18"),
      compare("age", "lt", "65"),
    ]);
  });

  it("skips parameters without =, and the API key", () => {
    expect(read("junk&a=eq.1&apikey=secret&&more")).toEqual(read("a=eq.1"));
    expect(lex("apikey=secret.of.mine&a=eq.1", "relation")).toEqual(lex("a=eq.1", "relation"));
    expect(JSON.stringify(lex("a=eq.1&%61pikey=secret", "relation"))).not.toContain("secret");
  });

  it.each(["=eq.1", "a.=eq.1", ".a=eq.1", "a..b=eq.1", "a b!=eq.1", "a->=eq.1", '"a=eq.1', "a->b(c)=eq.1"])(
    "refuses the key of %s",
    (query) => {
      expect(() => read(query)).toThrow(
        expect.objectContaining({ code: "PGRST100", message: expect.stringContaining("failed to parse tree path") }),
      );
    },
  );

  it("B12 takes names of object members for names", () => {
    expect(
      read("__proto__=eq.1&constructor.prototype=eq.2").conditions.map(({ path, value }) => [path, value]),
    ).toEqual([
      [[], compare("__proto__", "eq", "1")],
      [["constructor"], compare("prototype", "eq", "2")],
    ]);
  });
});

describe("logic", () => {
  const logic = (query: string) => filter(query) as Extract<Condition, { kind: "logic" }>;

  it("nests, negates, and keeps lists together", () => {
    expect(logic('or=(a.eq.1,and(b.gt.2,c.not.in.(x,"y,z")),not.or(d.is.null,e.neq.3))')).toEqual({
      kind: "logic",
      negated: false,
      operator: "or",
      conditions: [
        compare("a", "eq", "1"),
        {
          kind: "logic",
          negated: false,
          operator: "and",
          conditions: [
            compare("b", "gt", "2"),
            { kind: "in", field: { name: "c", path: [] }, negated: true, operand: text('(x,"y,z")') },
          ],
        },
        {
          kind: "logic",
          negated: true,
          operator: "or",
          conditions: [
            { kind: "is", field: { name: "d", path: [] }, negated: false, test: "null" },
            compare("e", "neq", "3"),
          ],
        },
      ],
    });
  });

  it.each<[string, string]>([
    ["x y", "x y"],
    [" x", " x"],
    ["x ", "x "],
    ['"a,b)"', "a,b)"],
    ['"say \\"x\\" \\\\"', 'say "x" \\'],
    ['"a"b', '"a"b'],
    ["{a,b}", "{a,b}"],
    ["*ro*", "*ro*"],
    ["", ""],
    ["2024-01-01T00:00:00%2B00:00", "2024-01-01T00:00:00+00:00"],
    ["[1.5;2.5]", "[1.5;2.5]"],
  ])("reads the operand %s", (written, meant) => {
    expect(logic(`or=(a.eq.${written},b.eq.1)`).conditions).toEqual([
      compare("a", "eq", meant),
      compare("b", "eq", "1"),
    ]);
    expect(logic(`or=(b.eq.1,not.and(a.eq.${written}))`).conditions[1]).toMatchObject({
      conditions: [compare("a", "eq", meant)],
    });
  });

  it.each<[string, readonly string[], boolean, string]>([
    ["or", [], false, "or"],
    ["not.and", [], true, "and"],
    ["embed.or", ["embed"], false, "or"],
    ["embed.not.and", ["embed"], true, "and"],
    ["not.embed.or", ["embed"], true, "or"],
    ["a.b.or", ["a", "b"], false, "or"],
    ['"a.b".or', ["a.b"], false, "or"],
  ])("%s=", (key, path, negated, operator) => {
    expect(read(`${key}=(x.eq.1)`).conditions).toEqual([
      { path, value: { kind: "logic", negated, operator, conditions: [compare("x", "eq", "1")] } },
    ]);
  });

  it("allows blanks around parentheses and commas", () => {
    expect(logic("or=( a.eq.1,%09b.is.null , and( c.eq.2 ) )").conditions).toMatchObject([
      compare("a", "eq", "1"),
      { kind: "is", test: "null" },
      { kind: "logic", conditions: [compare("c", "eq", "2 ")] },
    ]);
  });

  it("takes and, or and not for columns where an operator follows", () => {
    expect(logic("or=(and.eq.1,or.is.null,not.eq.2)").conditions).toMatchObject([
      compare("and", "eq", "1"),
      { field: { name: "or" } },
      compare("not", "eq", "2"),
    ]);
  });

  it("reads JSON paths, quantifiers and full text", () => {
    expect(logic("or=(data->a->>b.eq.1,n.like(any).{a*,b},t.wfts(german).x y)").conditions).toMatchObject([
      { field: { name: "data", path: [{ key: "a" }, { key: "b" }] } },
      { operator: "like", quantifier: "any", operand: text("{a*,b}") },
      { kind: "fts", operator: "wfts", config: "german", operand: text("x y") },
    ]);
  });

  it.each([
    "",
    "()",
    "a.eq.1",
    "(a.eq.1",
    "(a.eq.1))",
    "(a.eq.1)x",
    "(a.eq.1,)",
    "(a)",
    "(a.foo.1)",
    "(a.is.nothing)",
    "(a.in.1)",
    "(a.in.(1)",
    "(a.eq.{1}2)",
    "(xor(a.eq.1))",
    "(not.a.eq.1)",
    "(and (a.eq.1))",
  ])("refuses or=%s", (value) => {
    expect(() => read(`or=${value}`)).toThrow(
      expect.objectContaining({ code: "PGRST100", message: expect.stringContaining("failed to parse logic tree") }),
    );
  });
});

describe("order, limit, offset, columns", () => {
  it("reads directions, nulls, paths and embeds", () => {
    expect(read("order=a,b.desc,c.nullslast,d.asc.nullsfirst,data->>e.desc,rel(f).desc.nullslast").order).toEqual([
      {
        path: [],
        value: [
          { embed: null, field: { name: "a", path: [] }, direction: null, nulls: null },
          { embed: null, field: { name: "b", path: [] }, direction: "desc", nulls: null },
          { embed: null, field: { name: "c", path: [] }, direction: null, nulls: "last" },
          { embed: null, field: { name: "d", path: [] }, direction: "asc", nulls: "first" },
          { embed: null, field: { name: "data", path: [{ arrow: "->>", key: "e" }] }, direction: "desc", nulls: null },
          { embed: "rel", field: { name: "f", path: [] }, direction: "desc", nulls: "last" },
        ],
      },
    ]);
    expect(read("actors.roles.order=a").order[0]!.path).toEqual(["actors", "roles"]);
  });

  it.each(["", "a,", "a.up", "a.nullsfirst.asc", "a.asc.desc", "a(b", "a(b).x", "a asc;"])(
    "refuses order=%s",
    (value) => {
      expect(() => read(`order=${value}`)).toThrow(
        expect.objectContaining({ code: "PGRST100", message: expect.stringContaining("failed to parse order") }),
      );
    },
  );

  it("keeps numbers, negative ones too, and ignores everything else", () => {
    expect(read("limit=10&offset=-2&a.b.limit=0").limits).toEqual([
      { path: [], value: text("10") },
      { path: ["a", "b"], value: text("0") },
    ]);
    expect(read("limit=10&offset=-2").offsets).toEqual([{ path: [], value: text("-2") }]);
    for (const value of ["", "x", "1.5", "1e3", "-", "0x1", "null"])
      expect(read(`limit=${value}&offset=${value}`)).toEqual(read(""));
    expect(read("limit=%205%20").limits).toEqual([{ path: [], value: text("5") }]);
    expect(read("limit=1&limit=2").limits).toEqual([{ path: [], value: text("2") }]);
  });

  it("reads columns quoted or not, each once", () => {
    expect(read('columns="a","b c",d,a').columns).toEqual(["a", "b c", "d"]);
    expect(read("on_conflict=a, b").onConflict).toEqual(["a", "b"]);
    expect(read("").columns).toBeNull();
    expect(() => read("columns=")).toThrow(expect.objectContaining({ code: "PGRST100" }));
  });
});

describe("calls", () => {
  it("takes what is no filter for an argument", () => {
    const query = "a=1&b=eq.2&c=is.foo&d=in.x&e={a,b}&a=3&f=&g=x.y&h=not.null&i=fts(.x";
    const { arguments: given, conditions } = read(query, "function");
    expect(given.map(({ name, operand }) => [name, operand])).toEqual([
      ["a", text("1")],
      ["c", text("is.foo")],
      ["d", text("in.x")],
      ["e", text("{a,b}")],
      ["a", text("3")],
      ["f", text("")],
      ["g", text("x.y")],
      ["h", text("not.null")],
      ["i", text("fts(.x")],
    ]);
    expect(conditions).toEqual([{ path: [], value: compare("b", "eq", "2") }]);
  });

  it("gives one shape to calls that differ in arguments", () => {
    expect(lex("a=1&b=x%20y", "function").shape).toBe(lex("a=2&b=%7B%7D", "function").shape);
    expect(lex("a=1", "function").values).toEqual(["1"]);
  });
});

describe("encoding", () => {
  it.each([
    "a=eq.%",
    "a=eq.%2",
    "a=eq.%zz",
    "a=eq.%ff",
    "a=eq.%C3%28",
    "%zz=eq.1",
    "select=%zz",
    "or=(a.eq.%zz)",
    "limit=%zz",
    "a=in.(%zz)",
  ])("refuses %s", (query) => {
    expect(() => read(query)).toThrow(expect.objectContaining({ code: "PGRST100", status: 400 }));
  });

  it("refuses raw control characters, so that nobody forges a slot", () => {
    for (const query of ["a=eq.\u0001", "select=\u0001", "\u0001=eq.1", "a=\u0001", "limit=\u0001"])
      expect(() => lex(query, "relation")).toThrow(expect.objectContaining({ code: "PGRST100" }));
    expect(() => read("select=%01")).toThrow(expect.objectContaining({ code: "PGRST100" }));
    expect(read('or=("a%01".eq.%01,b.eq.2)').conditions[0]!.value).toMatchObject({
      conditions: [compare("a\u0001", "eq", "\u0001"), compare("b", "eq", "2")],
    });
  });

  it("B14 passes every character of a value on", () => {
    for (const value of ["\u0000", "é🙂", "\u0001", "a+b", "100%", "a&b=c", '"\\', " x "])
      expect(lex(`a=eq.${encodeURIComponent(value)}`, "relation").values).toEqual([value]);
  });

  it("takes + for a space everywhere", () => {
    expect(read("select=first+name&a=eq.x+y&or=(b.eq.x+y)")).toEqual(
      read("select=first%20name&a=eq.x%20y&or=(b.eq.x%20y)"),
    );
  });
});

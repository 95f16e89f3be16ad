import { describe, expect, it } from "vitest";
import { parseFile } from "./parser.ts";
import { splitScript } from "./script.ts";

const split = (text: string) => [...splitScript(text, "seed.sql")];

const scripts = [
  "select 1; select 2;;  ; select 3",
  "-- only a comment\n",
  "select ';' ; select ';;''' , \"a;\"\";\" from t; select E'it\\'s; ' ; select e'\\\\'; select 1",
  "select U&'\\0041;' , x'1f' , b'01', n'a;b' ; select U&\"d\\0061t;a\" from t",
  "select $$ ; $$, $a$ $$ ; $b$ $a$ ; select a$1 from t; select 1",
  "/* ; /* nested ; */ ; */ select 1; -- ; \n select 2 -- end;",
  "create rule r as on insert to t do also (insert into a values (1); insert into b values (2)); select 1",
  "create function f() returns int language sql begin atomic select case when true then 1 else 2 end; select 3; end; select 1",
  "create or replace procedure p() language sql begin atomic insert into t values (1); end ; select 1",
  "begin; insert into t values (1); commit; select (select case when a then b end) from t;",
  "insert into t values ('é;ü', '🙂;', 1e5, 1.5, $1) ; select 'a'\n'b;' ; select 1",
  "do $do$ begin perform ';'; end; $do$; select e'a''b;', 'a\\'; select 2",
  'select a.b, "case", end_date from begin_atomic; select 1;',
];

describe("splitScript", () => {
  it.each(scripts.map((script) => [script]))("cuts as the parser does: %s", async (script) => {
    const parsed = await parseFile(script, "seed.sql");
    const ours = split(script);
    expect(ours.map(({ sql }) => sql)).toEqual(parsed.statements.map(({ recorded }) => recorded));
    expect(ours.map(({ line }) => line)).toEqual(parsed.statements.map(({ line }) => line));
  });

  it("takes a quote of any length in one go", () => {
    for (const quote of ["'", "e'", "$$"]) {
      const literal = `${quote}${"ab\\n''".repeat(2_000_000)}${quote === "$$" ? "$$" : "'"}`;
      expect(split(`select ${literal}; select 2`)).toHaveLength(2);
    }
  });

  it("takes the data of COPY as data", () => {
    const script = "select 1;\ncopy t (a, b) from stdin;\n1\t;'x\n2\t$$\n\\.\n\nselect 2;";
    expect(split(script).map(({ sql, line, copyData }) => [sql, line, copyData])).toEqual([
      ["select 1", 1, null],
      ["copy t (a, b) from stdin", 2, "1\t;'x\n2\t$$\n"],
      ["select 2", 7, null],
    ]);
  });

  it("leaves out what frames a dump, and never obeys psql's commands", () => {
    expect(split("\\restrict abc\nselect 1;\n\\unrestrict abc\n").map(({ sql }) => sql)).toEqual(["select 1"]);
    for (const command of ["\\! rm -rf /", "\\connect other", "\\i file.sql"]) {
      expect(() => split(`select 1;\n${command}\n`)).toThrow(/seed\.sql:2: .* is a command of psql/);
    }
  });

  it.each(["select 'open", 'select "open', "select $a$ open $b$", "/* open", "select e'open\\'", "select '"])(
    "says where an open quote begins: %s",
    (script) => {
      expect(() => split(`select 1;\n${script};\n`)).toThrow(/seed\.sql:2: a .* begins here and never ends/);
    },
  );
});

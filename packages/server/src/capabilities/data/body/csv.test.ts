import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { csvToJson, readCsv } from "./csv.ts";
import { formToJson } from "./form.ts";

describe("readCsv", () => {
  it("reads RFC 4180, with LF or CRLF, a mark at its start, or no end of line", () => {
    const text = '\ufeffa,b\r\n"x, ""y""\nz",NULL\n"NULL",\n';
    expect([...readCsv(text)]).toEqual([
      ["a", "b"],
      ['x, "y"\nz', null],
      ["NULL", ""],
    ]);
    expect([...readCsv("a\n1")]).toEqual([["a"], ["1"]]);
  });

  it("gives back what was quoted, whatever it was", () => {
    const cell = fc.string().map((text) => ({ text, csv: `"${text.replaceAll('"', '""')}"` }));
    fc.assert(
      fc.property(fc.array(fc.array(cell, { minLength: 2, maxLength: 4 }), { minLength: 1 }), (rows) => {
        const text = rows.map((row) => row.map(({ csv }) => csv).join(",")).join("\r\n");
        expect([...readCsv(text)]).toEqual(rows.map((row) => row.map((each) => each.text)));
      }),
    );
  });

  it.each(['a\n"x', 'a\n"x"y', "a,b\n1"])("refuses %j", (text) => {
    expect(() => csvToJson(text)).toThrow(expect.objectContaining({ code: "PGRST102" }));
  });
});

it("a form is one object, the last of a name counts", () => {
  expect(JSON.parse(formToJson("a=1&b=x+y%26&a=2").toString())).toEqual({ a: "2", b: "x y&" });
});

import { describe, expect, it } from "vitest";
import { viewOrigins } from "./view-origins.ts";

/** A query tree as PostgreSQL prints it, with what does not matter left out. */
const rule = (targets: string, before = "") =>
  `({QUERY :commandType 1 :cteList <> ${before} :jointree {FROMEXPR :fromlist ({RANGETBLREF :rtindex 1}) :quals <>} :targetList (${targets}) :override 0 :limitOption 0})`;
const target = (position: number, relation: number, column: number, expression = "{VAR :varno 1}", more = "false") =>
  `{TARGETENTRY :expr ${expression} :resno ${position} :resname x :ressortgroupref 0 :resorigtbl ${relation} :resorigcol ${column} :resjunk ${more}}`;

describe("viewOrigins", () => {
  it("reads the outermost targets, and no others", () => {
    const inner = `{SUBLINK :subselect {QUERY :targetList (${target(1, 99, 9)}) :override 0}}`;
    const table = `:rtable ({RANGETBLENTRY :subquery {QUERY :targetList (${target(2, 98, 8)}) :override 0}})`;
    expect(viewOrigins(rule(`${target(1, 16385, 1)} ${target(2, 16385, 3, inner)} ${target(3, 0, 0)}`, table))).toEqual(
      [
        { position: 1, relation: 16385, column: 1 },
        { position: 2, relation: 16385, column: 3 },
      ],
    );
  });

  it("leaves out junk columns", () => {
    expect(viewOrigins(rule(target(1, 5, 1, "{VAR}", "true")))).toEqual([]);
  });

  it("is not led astray by names that look like the tree", () => {
    const name = ":targetList\\ \\(\\{TARGETENTRY\\ :resno\\ 7\\ :resorigtbl\\ 7\\ :resorigcol\\ 7\\}\\)";
    const named = target(1, 5, 2).replace(":resname x", `:resname ${name}`);
    expect(viewOrigins(rule(named, `:rtable ({ALIAS :aliasname ${name}})`))).toEqual([
      { position: 1, relation: 5, column: 2 },
    ]);
  });

  it.each(["", "<>", "({QUERY", ")", "({QUERY :targetList ({TARGETENTRY :resno 1", "\\"])(
    "makes nothing of %j",
    (text) => {
      expect(viewOrigins(text)).toEqual([]);
    },
  );
});

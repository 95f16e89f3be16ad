import { describe, expect, test } from "vitest";
import { idsOf, namedTests } from "../named-tests.ts";

const everywhere = namedTests("*.test.ts");
const here = namedTests("conformance/abuse/storage");
const ids = idsOf("S", 14);

describe("every threat of section S to files has a test that names it", () => {
  test.each(ids)("%s", (id) => {
    expect(everywhere(id), `no test is named after ${id}`).toBe(true);
  });
});

describe("from outside", () => {
  const others = ["A03", "A04", "B12", "B13", "X06", "X07", "X08", "X09"];
  test.each([...ids, ...others])("%s", (id) => {
    expect(here(id), `no test of this folder is named after ${id}`).toBe(true);
  });
});

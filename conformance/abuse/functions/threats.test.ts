import { describe, expect, test } from "vitest";
import { namedTests } from "../named-tests.ts";

const here = namedTests("conformance/abuse/functions");
const everywhere = namedTests("*.test.ts");

describe("every threat that applies to functions, jobs and webhooks has a test that names it", () => {
  const ids = "A01 A03 A17 A28 B01 B02 B03 B04 X01 X03 X08 X09 X11 X12 X18 X23 X24".split(" ");
  test.each(ids)("%s", (id) => {
    expect(here(id), `no test of this folder is named after ${id}`).toBe(true);
  });
  // Once more where it is done: events of providers, whose entrance is the functions'.
  test("X13", () => {
    expect(everywhere("X13")).toBe(true);
  });
});

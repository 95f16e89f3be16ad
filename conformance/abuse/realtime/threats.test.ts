import { describe, expect, test } from "vitest";
import { idsOf, namedTests } from "../named-tests.ts";

const everywhere = namedTests("*.test.ts");
const here = namedTests("conformance/abuse/realtime");
// R16, what offline clients upload, is a threat to sync, and has its tests where that is.
const ids = idsOf("R", 15);

describe("every threat of section R to realtime has a test that names it", () => {
  test.each(ids)("%s", (id) => {
    expect(everywhere(id), `no test is named after ${id}`).toBe(true);
  });
});

describe("from outside, over a websocket", () => {
  // R13 is tried with real outages in `conformance/outage`; R14 is a promise of the log and tried in `platform/changes`.
  const elsewhere = new Set(["R13", "R14"]);
  const others = ["A03", "A04", "A22", "A28", "B02", "B07", "B10", "B12", "X07", "X09"];
  test.each([...ids.filter((id) => !elsewhere.has(id)), ...others])("%s", (id) => {
    expect(here(id), `no test of this folder is named after ${id}`).toBe(true);
  });
});

import { describe, expect, it } from "vitest";
import { isStorable } from "./storable.ts";

describe("JSON that PostgreSQL may keep", () => {
  it.each([
    '{"a":1e99,"b":[-1E-12,1.5e+07,1e0000012]}',
    "true",
    "[false,null,1]",
    '"1e131071"',
    '["\\"",1,"e1234","\\\\"]',
    '{"e999":1}',
  ])("%s: yes", (json) => {
    JSON.parse(json);
    expect(isStorable(Buffer.from(json))).toBe(true);
  });

  it.each(["1e131071", "[1E100]", '{"a":"\\"","b":1e-999}', '["\\\\",1e+00100]'])("R12: %s: no", (json) => {
    JSON.parse(json);
    expect(isStorable(Buffer.from(json))).toBe(false);
  });
});

import { describe, expect, it } from "vitest";
import { claimsKey } from "./claims-key.ts";
import { principal } from "./testing.ts";

const key = (
  paths: readonly (readonly string[])[] | "all",
  claims: Record<string, unknown>,
  subject: string | null = null,
) => claimsKey(paths, principal("authenticated", claims, subject));

describe("the key of claims", () => {
  it("is the same for callers who differ elsewhere", () => {
    expect(key([["org"]], { org: 1, sub: "a" }, "a")).toBe(key([["org"]], { org: 1, sub: "b" }, "b"));
    expect(key([["meta", "org"]], { meta: { org: 1, x: 2 } })).toBe(key([["meta", "org"]], { meta: { org: 1 } }));
    expect(key([], { org: 1 })).toBe(key([], { org: 2 }));
  });

  it("differs whenever a value does, in kind or in being there", () => {
    const values = [undefined, null, "", "1", 1, true, [1], ["1"], { a: 1 }, { a: "1" }];
    const keys = values.map((org) => key([["org"]], org === undefined ? {} : { org }));
    expect(new Set(keys).size).toBe(values.length);
  });

  it("R02 differs where SQL reads another number, though JavaScript does not", () => {
    const written = (claimsJson: string) =>
      claimsKey([["org"]], { ...principal("authenticated", JSON.parse(claimsJson)), claimsJson });
    expect(written('{"org":9007199254740993}')).not.toBe(written('{"org":9007199254740992}'));
    expect(written('{"org":1.0}')).not.toBe(written('{"org":1}'));
    expect(written('{"org": 1, "exp": 2}')).toBe(written('{"exp":3,"org":1}'));
  });

  it("has the subject's own setting", () => {
    expect(key([["sub"]], { sub: "a" }, "a")).not.toBe(key([["sub"]], { sub: "a" }, null));
  });

  it("is all of the token where all of it may be read", () => {
    expect(key("all", { org: 1 })).not.toBe(key("all", { org: 1, x: 1 }));
    expect(key("all", { org: 1 }, "a")).not.toBe(key("all", { org: 1 }, "b"));
  });

  it("B12 does not find what every object has", () => {
    expect(key([["constructor"]], {})).toBe(key([["constructor"]], Object.create(null)));
    expect(key([["meta", "toString"]], { meta: {} })).toBe(key([["meta", "toString"]], {}));
  });

  it("takes an array as a whole, whatever position is read of it", () => {
    expect(key([["roles", "0"]], { roles: ["a", "b"] })).not.toBe(key([["roles", "0"]], { roles: ["b", "a"] }));
  });
});

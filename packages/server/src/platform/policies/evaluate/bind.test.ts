import { describe, expect, it } from "vitest";
import type { Principal } from "../../../kernel/principal.ts";
import type { Expression } from "../compile/expression.ts";
import type { CompiledPolicy, SetQuery } from "../compile/types.ts";
import { bindPolicy, buildSet, type Verdict } from "./index.ts";

const user = "00000000-0000-4000-8000-00000000000a";
const who = (claims: object, subject: string | null = user): Principal => ({
  role: "authenticated",
  claims: { ...claims },
  claimsJson: JSON.stringify(claims),
  subject,
  isAuthenticated: true,
  expiresAtMs: Number.POSITIVE_INFINITY,
});
const policyOf = (
  predicate: Expression,
  sets: readonly SetQuery[] = [],
): Extract<CompiledPolicy, { kind: "predicate" }> => ({
  kind: "predicate",
  predicate,
  sets,
  columns: ["owner", "public"],
  beyond: null,
  depends: { claims: [], tables: [], readsClock: false },
});
const columns = ["owner", "public"];
const owner: Expression = { node: "column", type: "uuid", name: "owner", collation: null };
const isPublic: Expression = { node: "column", type: "boolean", name: "public", collation: null };
const uid: Expression = { node: "cast", type: "uuid", of: { node: "caller", type: "text", what: "subject" } };
const isOwn: Expression = { node: "compare", type: "boolean", operator: "=", by: "uuid", left: owner, right: uid };
const beyond: Expression = { node: "beyond", type: "boolean", reason: "code" };
const or = (...of: Expression[]): Expression => ({ node: "or", type: "boolean", of });
const and = (...of: Expression[]): Expression => ({ node: "and", type: "boolean", of });

function decide(
  predicate: Expression,
  row: readonly (string | null | undefined)[],
  options: { who?: Principal; hasRun?: boolean } = {},
): Verdict {
  const policy = policyOf(predicate);
  const bound = bindPolicy({
    policy,
    who: options.who ?? who({}),
    indexOf: (name) => columns.indexOf(name),
    hasRun: options.hasRun ?? true,
  });
  return bound.decide(row, { sets: [], now: null });
}

describe("what is not in the log", () => {
  it("is asked for, unless something else decides", () => {
    expect(decide(isOwn, [undefined, "t"])).toBe("ask");
    expect(decide(or(isOwn, isPublic), [undefined, "t"])).toBe(true);
    expect(decide(or(isOwn, isPublic), [undefined, "f"])).toBe("ask");
    expect(decide(and(isOwn, isPublic), [undefined, "f"])).toBe(false);
    expect(decide({ node: "not", type: "boolean", of: isOwn }, [undefined, null])).toBe("ask");
  });

  it("covers columns that are not published", () => {
    expect(decide({ ...isOwn, left: { ...owner, name: "hidden" } } as Expression, [user, "t"])).toBe("ask");
  });
});

describe("a caller whose id is no UUID", () => {
  it("is never told yes: in PostgreSQL the policy is an error", () => {
    for (const sub of ["user_1", "", " ", `{${user}}`]) {
      expect(decide(or(isPublic, isOwn), [user, "t"], { who: who({ sub }, null) })).toBe("ask");
    }
    expect(decide(or(isPublic, isOwn), [user, "t"], { who: who({}, null) })).toBe(true);
  });

  it("is told the same when nothing asks for the id", () => {
    expect(decide(isPublic, [user, "t"], { who: who({ sub: "user_1" }, "user_1") })).toBe(true);
  });
});

describe("what is beyond", () => {
  it("leaves rows to the other conditions once PostgreSQL has run it", () => {
    expect(decide(or(isPublic, beyond), [user, "t"])).toBe(true);
    expect(decide(or(isPublic, beyond), [user, "f"])).toBe("ask");
    expect(decide(and(isPublic, beyond), [user, "f"])).toBe(false);
  });

  it("leaves nothing before: the caller may not be allowed to run it", () => {
    expect(decide(or(isPublic, beyond), [user, "t"], { hasRun: false })).toBe("ask");
  });
});

describe("sets", () => {
  const query: SetQuery = { sql: "", tables: [], correlates: [], value: "integer", isScalar: false };
  const inSet = (at: string | null, rows: readonly (readonly (string | null)[])[] | null): Verdict => {
    const value: Expression = { node: "column", type: "int4", name: "owner", collation: null };
    const policy = policyOf({ node: "inSet", type: "boolean", set: 0, correlates: [], value }, [query]);
    const bound = bindPolicy({ policy, who: who({}), indexOf: (name) => columns.indexOf(name), hasRun: true });
    return bound.decide([at, null], { sets: [rows && buildSet(query, rows)], now: null });
  };

  it("know SQL's NULL", () => {
    expect(inSet("1", [["1"], ["2"]])).toBe(true);
    expect(inSet("3", [["1"], ["2"]])).toBe(false);
    expect(inSet("3", [["1"], [null]])).toBe(null);
    expect(inSet(null, [["1"]])).toBe(null);
    expect(inSet(null, [])).toBe(false);
  });

  it("that could not be fetched decide nothing, whatever else is true", () => {
    expect(inSet("1", null)).toBe("ask");
    const value: Expression = { node: "column", type: "int4", name: "owner", collation: null };
    const predicate = or(isPublic, { node: "inSet", type: "boolean", set: 0, correlates: [], value });
    const bound = bindPolicy({
      policy: policyOf(predicate, [query]),
      who: who({}),
      indexOf: (name) => columns.indexOf(name),
      hasRun: true,
    });
    expect(bound.decide(["1", "t"], { sets: [null], now: null })).toBe("ask");
  });

  it("are not built of what is in another format", () => {
    expect(buildSet({ ...query, value: "timestamptz" }, [["01/05/2024 12:00:00 CEST"]])).toBeNull();
  });

  it("tell tuples apart that look alike when joined", () => {
    const two: SetQuery = { ...query, correlates: ["text", "text"], value: null };
    const keys = [
      ...buildSet(two, [
        ["a1:", "b"],
        ["a", "1:b"],
        ["1:a", "b"],
      ])!.groups.keys(),
    ];
    expect(new Set(keys).size).toBe(3);
  });
});

describe("the clock", () => {
  const expires: Expression = { node: "column", type: "timestamptz", name: "owner", collation: null };
  const future: Expression = {
    node: "compareNow",
    type: "boolean",
    operator: ">",
    left: expires,
    minShiftUs: 0n,
    maxShiftUs: 0n,
  };
  const now = { earliestUs: 1_000_000n, latestUs: 3_000_000n };
  const at = (text: string, known: typeof now | null): Verdict => {
    const bound = bindPolicy({
      policy: policyOf(future),
      who: who({}),
      indexOf: (name) => columns.indexOf(name),
      hasRun: true,
    });
    return bound.decide([text, null], { sets: [], now: known });
  };

  it("decides only what both ends of it agree on", () => {
    expect(at("1970-01-01 00:00:00.5+00", now)).toBe(false);
    expect(at("1970-01-01 00:00:04+00", now)).toBe(true);
    expect(at("1970-01-01 00:00:02+00", now)).toBe("ask");
    expect(at("1970-01-01 00:00:01+00", now)).toBe("ask");
    expect(at("infinity", now)).toBe(true);
    expect(at("1970-01-01 00:00:04+00", null)).toBe("ask");
  });
});

import { describe, expect, it } from "vitest";
import { principal } from "../testing.ts";
import { type AuthFunctionRow, knownFunctions, readAuthFunctions } from "./auth-functions.ts";
import { Roles } from "./roles.ts";

const role = new Roles([{ oid: 5, name: "app", isSuperuser: false, bypassesRowSecurity: false }], [], 1).named("app")!;
const returns: Readonly<Record<string, string>> = { uid: "uuid", role: "text", email: "text", jwt: "jsonb" };
const whole = "nullif(current_setting('request.jwt.claims', true), '')";
const single = (name: string): string => `nullif(current_setting('request.jwt.claim.${name}', true), '')`;

const isKnown = (
  name: string,
  body: string,
  more: Partial<AuthFunctionRow> = {},
  claims: Record<string, unknown> = {},
) =>
  knownFunctions(
    readAuthFunctions([{ name, body, isPlain: true, returns: returns[name]!, callers: [0], ...more }]),
    role,
    principal("app", { role: "app", ...claims }),
  ).size === 1;

const uid = `select coalesce(${single("sub")}, ${whole}::json ->> 'sub')::uuid`;

describe("functions of auth are known", () => {
  it("as our migrations make them", () => {
    expect(isKnown("uid", uid)).toBe(true);
    expect(isKnown("role", `select coalesce(${whole}::json ->> 'role', ${single("role")})`)).toBe(true);
    expect(isKnown("email", `select coalesce(${whole}::json ->> 'email', ${single("email")})`)).toBe(true);
    expect(
      isKnown("jwt", `select coalesce(${whole}, nullif(current_setting('request.jwt.claim', true), ''))::jsonb`),
    ).toBe(true);
  });

  it("in other words that mean the same", () => {
    expect(isKnown("uid", `  SELECT coalesce(${single("sub")},\n (${whole}::jsonb ->> 'sub') )::uuid; -- a word`)).toBe(
      true,
    );
    expect(
      isKnown("jwt", `select coalesce(nullif(current_setting('request.jwt.claim', true), ''), ${whole})::jsonb`),
    ).toBe(true);
  });

  it("as far as they mean the same for this caller", () => {
    const byJsonb = `select coalesce(${single("sub")}, (${whole}::jsonb ->> 'sub'))::uuid`;
    expect(isKnown("uid", byJsonb, {}, { sub: 1e21 })).toBe(false);
    expect(isKnown("uid", byJsonb, {}, { sub: "a" })).toBe(true);
    const settingFirst = `select coalesce(${single("role")}, (${whole}::jsonb ->> 'role'))::text`;
    expect(isKnown("role", settingFirst)).toBe(true);
    expect(isKnown("role", settingFirst, {}, { role: "another" })).toBe(false);
  });

  it("and nothing else is", () => {
    expect(isKnown("uid", "select '00000000-0000-4000-8000-000000000000'::uuid")).toBe(false);
    expect(isKnown("uid", uid.replace("claim.sub", "claim.role"))).toBe(false);
    expect(isKnown("uid", uid.replace("'sub'", "'org'"))).toBe(false);
    expect(isKnown("uid", uid.replace("'sub'", "'SUB'"))).toBe(false);
    expect(isKnown("uid", uid.replace("'sub'", "'s ub'"))).toBe(false);
    expect(isKnown("uid", uid.replace("'sub'", "'sub--'"))).toBe(false);
    expect(isKnown("email", uid)).toBe(false);
    expect(isKnown("uid", uid, { isPlain: false })).toBe(false);
    expect(isKnown("uid", uid, { returns: "text" })).toBe(false);
    expect(isKnown("uid", uid, { callers: [7] })).toBe(false);
    expect(isKnown("uid", uid, { callers: [5] })).toBe(true);
  });
});

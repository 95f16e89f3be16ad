import { describe, expect, it } from "vitest";
import { type MembershipRow, type RoleRow, Roles, readAllDataOid } from "./roles.ts";

const row = (oid: number, more: Partial<RoleRow> = {}): RoleRow => ({
  oid,
  name: `r${oid}`,
  isSuperuser: false,
  bypassesRowSecurity: false,
  ...more,
});
const member = (memberOid: number, roleOid: number, inherits = true): MembershipRow => ({
  memberOid,
  roleOid,
  inherits,
});

describe("a role has the privileges", () => {
  const roles = new Roles(
    [row(1), row(2), row(3), row(4), row(9, { isSuperuser: true })],
    [member(1, 2), member(2, 3), member(3, 1), member(1, 4, false), member(3, readAllDataOid)],
    3,
  );

  it("of itself, of everybody, and of all above it, in a circle too", () => {
    const one = roles.named("r1")!;
    expect([0, 1, 2, 3, readAllDataOid].map((oid) => one.has(oid))).toEqual([true, true, true, true, true]);
  });

  it("but not of a role it would have to take on first", () => {
    expect(roles.named("r1")!.has(4)).toBe(false);
    expect(roles.named("r4")!.has(1)).toBe(false);
  });

  it("of the database's owner, when it is that", () => {
    expect(roles.named("r3")!.has(6171)).toBe(true);
    expect(roles.named("r1")!.has(6171)).toBe(true);
    expect(roles.named("r4")!.has(6171)).toBe(false);
  });

  it("of all, when it is a superuser", () => {
    expect(roles.named("r9")!.has(12345)).toBe(true);
  });

  it("and of none, when there is no such role", () => {
    expect(roles.named("constructor")).toBeNull();
  });
});

import { describe, expect, it } from "vitest";
import { patchLevelOf } from "./patch-level.ts";
import { type ExternalFacts, judge } from "./requirements.ts";

const superuser: ExternalFacts = {
  version: "18.6",
  user: "postgres",
  database: "app",
  encoding: "UTF8",
  walLevel: "logical",
  maxSlotWalKeepSize: "2GB",
  isReplica: false,
  isSuperuser: true,
  canCreateRoles: true,
  canReplicate: true,
  bypassesRowSecurity: true,
  canCreateSchemas: true,
  existingRoles: [],
  usableRoles: [],
  availableExtensions: ["pgcrypto", "uuid-ossp"],
  connections: 100,
};
const plain: Partial<ExternalFacts> = {
  user: "app",
  isSuperuser: false,
  canCreateRoles: false,
  canReplicate: false,
  bypassesRowSecurity: false,
  canCreateSchemas: false,
};

/** Names of what is not met, by state. */
const verdict = (changes: Partial<ExternalFacts>) => {
  const all = judge({ ...superuser, ...changes });
  const names = (state: string) => all.filter((one) => one.state === state).map(({ name }) => name);
  return { missing: names("missing"), warning: names("warning") };
};

describe("B06 patch levels", () => {
  it.each([
    ["14.23", "unsupported"],
    ["9.6.24", "unsupported"],
    ["not a version", "unsupported"],
    ["15.18 (Debian 15.18-1)", "behind"],
    ["15.19", "current"],
    ["17.10", "behind"],
    ["17.11", "current"],
    ["18.4", "behind"],
    ["18beta1", "behind"],
    ["18.6", "current"],
    ["18.10", "current"],
    ["19.0", "current"],
  ])("%s is %s", (version, kind) => {
    expect(patchLevelOf(version).kind).toBe(kind);
  });
});

describe("requirements", () => {
  it("are all met by a fresh superuser", () => {
    expect(verdict({})).toEqual({ missing: [], warning: [] });
  });

  it("warn of an unpatched version and refuse an old one (B06)", () => {
    expect(verdict({ version: "18.4" })).toEqual({ missing: [], warning: ["version"] });
    expect(verdict({ version: "14.1" })).toEqual({ missing: ["version"], warning: [] });
  });

  it("list everything a plain user lacks at once", () => {
    expect(verdict(plain)).toEqual({
      missing: ["create schemas", "roles", "service role"],
      warning: ["replication", "event triggers"],
    });
  });

  it("are content with roles made beforehand", () => {
    const roles = ["anon", "authenticated", "authenticator", "service_role"];
    expect(verdict({ ...plain, canCreateSchemas: true, existingRoles: roles, usableRoles: roles }).missing).toEqual([]);
  });

  it("see roles that exist and cannot be acted as", () => {
    const found = judge({ ...superuser, ...plain, existingRoles: ["anon"], usableRoles: [], canCreateRoles: true });
    expect(found.find(({ name }) => name === "act as roles")).toMatchObject({
      state: "missing",
      remedy: "As a superuser: grant anon to app",
    });
  });

  it("name a replica, a wrong encoding, WAL settings and few connections", () => {
    expect(
      verdict({ isReplica: true, encoding: "LATIN1", walLevel: "replica", maxSlotWalKeepSize: "-1", connections: 10 }),
    ).toEqual({ missing: ["primary", "encoding"], warning: ["wal_level", "wal retention", "connections"] });
  });

  it("say what to do for each that is not met, and only for those", () => {
    const all = judge({ ...superuser, ...plain, version: "13.1", isReplica: true, availableExtensions: [] });
    for (const { state, remedy } of all) expect(remedy === null).toBe(state === "met");
  });
});

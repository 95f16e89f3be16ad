import { describe, expect, it } from "vitest";
import { parseConfig } from "./config.ts";

const nothing = {
  isPrivate: false,
  broadcast: { ack: false, self: false, replay: undefined, isReplicationReadyWanted: false },
  presence: { key: "", enabled: false },
  rowChanges: [],
  rowChangesWaitMs: null,
};

describe("a join's configuration", () => {
  it("is read whole", () => {
    const bindings = [{ event: "*", schema: "public", table: "todos", filter: "id=eq.1" }, { event: "INSERT" }];
    expect(
      parseConfig({
        config: {
          broadcast: { ack: true, self: true, replay: { since: 1, limit: 2 }, replication_ready: true },
          presence: { key: "ada", enabled: true },
          postgres_changes: bindings,
          postgres_changes_options: { wait: true, timeout: 500 },
          private: true,
        },
        access_token: "x",
        version: "js/2",
      }),
    ).toEqual({
      isPrivate: true,
      broadcast: { ack: true, self: true, replay: { since: 1, limit: 2 }, isReplicationReadyWanted: true },
      presence: { key: "ada", enabled: true },
      rowChanges: bindings,
      rowChangesWaitMs: 500,
    });
  });

  it("takes booleans that come as text", () => {
    const config = { broadcast: { ack: "true", self: "false" }, presence: { enabled: "true" }, private: "true" };
    expect(parseConfig({ config })).toMatchObject({
      isPrivate: true,
      broadcast: { ack: true, self: false },
      presence: { enabled: true },
    });
  });

  it.each([
    [undefined],
    [null],
    ["config"],
    [[]],
    [{}],
    [{ config: null }],
    [{ config: [] }],
    [{ config: { broadcast: "yes", presence: 1, postgres_changes: {}, private: 1 } }],
    [{ config: { broadcast: { ack: 1, self: "TRUE" }, presence: { key: 7, enabled: "on" } } }],
    [JSON.parse('{"config":{"__proto__":{"private":true},"presence":{"__proto__":{"enabled":true}}}}')],
    [JSON.parse('{"__proto__":{"config":{"private":true}}}')],
  ])("falls back to what is asked for least, for %j", (payload) => {
    expect(parseConfig(payload)).toEqual(nothing);
  });

  it.each([
    [{ wait: true }, 15_000],
    [{ wait: "true", timeout: "long" }, 15_000],
    [{ wait: true, timeout: -1 }, 15_000],
    [{ wait: true, timeout: 0 }, 0],
    [{ wait: false, timeout: 5 }, null],
    [{ timeout: 5 }, null],
    [true, null],
  ])("waits for row changes with %j: %s ms", (postgres_changes_options, waitMs) => {
    expect(parseConfig({ config: { postgres_changes_options } }).rowChangesWaitMs).toBe(waitMs);
  });

  it("leaves out bindings that are no objects, and keeps the others as they are", () => {
    const config = { postgres_changes: [1, null, [], { event: "x", extra: { deep: [1] } }] };
    expect(parseConfig({ config }).rowChanges).toEqual([{ event: "x", extra: { deep: [1] } }]);
  });
});

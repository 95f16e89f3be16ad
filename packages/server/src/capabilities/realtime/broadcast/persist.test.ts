import { describe, expect, it } from "vitest";
import { persistInQuery, persistOf, readPersist } from "./persist.ts";

const days = 3 * 86_400;

describe("what a sender asks for with persist", () => {
  it.each([undefined, null, false, "false"])("%j: nothing", (value) => {
    expect(readPersist(value, days)).toBeNull();
  });

  it.each([
    [true, null],
    ["true", null],
    [{}, null],
    [{ ttl: null }, null],
    [{ ttl: 1 }, 1],
    [{ ttl: "60" }, 60],
    [{ ttl: days }, days],
  ])("%j: to be stored", (value, ttlSeconds) => {
    expect(readPersist(value, days)).toEqual({ ttlSeconds });
  });

  it.each([
    1,
    "",
    "yes",
    [],
    [true],
    { ttl: 0 },
    { ttl: -1 },
    { ttl: 1.5 },
    { ttl: "1e3" },
    { ttl: " 1" },
    { ttl: true },
    { ttl: days + 1 },
    { ttl: "9".repeat(15) },
  ])("%j: refused, never less than asked for", (value) => {
    expect(() => readPersist(value, days)).toThrowError(
      expect.objectContaining({ code: "realtime/persist-invalid", status: 422 }),
    );
  });

  it("stands in a frame's metadata, and in a query as the client's library writes it", () => {
    expect(persistOf("")).toBeUndefined();
    expect(persistOf("null")).toBeUndefined();
    expect(persistOf("[]")).toBeUndefined();
    expect(persistOf('{"other":1}')).toBeUndefined();
    expect(persistOf('{"persist":{"ttl":5}}')).toEqual({ ttl: 5 });
    expect(persistInQuery(new URLSearchParams("private=true"))).toBeUndefined();
    expect(persistInQuery(new URLSearchParams("persist=true"))).toBe("true");
    expect(persistInQuery(new URLSearchParams("persist%5Bttl%5D=60"))).toEqual({ ttl: "60" });
  });
});

import { describe, expect, test } from "vitest";
import { parseBindings } from "./bindings.ts";

const limits = { bindings: 100, filterLength: 200 };
const parse = (...sent: Record<string, unknown>[]) => parseBindings(sent, limits);

describe("bindings", () => {
  test("are given back in their order with all they came with, and a number of 31 bits", () => {
    const sent = [
      { event: "INSERT", schema: "public", table: "todos", filter: "id=eq.5" },
      { event: "*", schema: "public" },
      { event: "update", table: "todos", select: ["id"], more: { kept: true } },
    ];
    const { given, problem } = parse(...sent);
    expect(problem).toBeNull();
    expect(given.map(({ id: _, ...rest }) => rest)).toEqual(sent);
    for (const { id } of given) {
      expect(Number.isInteger(id)).toBe(true);
      expect(id).toBeGreaterThanOrEqual(0);
      expect(id).toBeLessThan(2 ** 31);
    }
    expect(Object.keys(given[1]!)).toEqual(["event", "schema", "id"]);
  });

  test("numbers come from the parameters, and are distinct within a channel", () => {
    const binding = { event: "*", schema: "public", table: "todos" };
    const [first, second] = parse(binding, binding).given;
    expect(first!.id).not.toBe(second!.id);
    expect(parse({ ...binding }).given[0]!.id).toBe(first!.id);
    expect(parse({ ...binding, filter: "id=eq.1" }).given[0]!.id).not.toBe(first!.id);
  });

  test.each([
    [{ event: "insert" }, "INSERT"],
    [{ event: "Delete" }, "DELETE"],
    [{ event: "upsert" }, "*"],
    [{ event: 5 }, "*"],
    [{}, "*"],
  ])("the event of %j is %s", (given, event) => {
    expect(parse({ ...given, schema: "public" }).bindings?.[0]?.event).toBe(event);
  });

  test.each([
    [{ table: "todos" }, "public", "todos"],
    [{ schema: "app" }, "app", null],
    [{ schema: "app", table: "*" }, "app", null],
    [{ schema: "*" }, null, null],
    [{ schema: "*", table: "todos" }, null, "todos"],
  ])("%j is of schema %s and table %s", (given, schema, table) => {
    expect(parse(given).bindings?.[0]).toMatchObject({ schema, table });
  });

  test.each([
    [{}],
    [{ table: "*" }],
    [{ schema: "public", filter: "id=eq.1" }],
    [{ schema: "public", table: "*", filter: "id=eq.1" }],
    [{ schema: "*", table: "todos", select: ["id"] }],
    [{ schema: "", table: "todos" }],
    [{ table: "todos", filter: "x".repeat(201) }],
  ])("is refused: %j", (given) => {
    const { given: back, bindings, problem } = parse(given);
    expect(bindings).toBeNull();
    expect(problem).toEqual(expect.any(String));
    expect(back[0]).toMatchObject(given);
  });

  test("R03 what only looks like a text or a list is refused", () => {
    const shapes: unknown[] = [{ 0: "id", length: 1 }, "id", 5, true, ["id", 5], [["id"]], { toString: "id" }];
    for (const select of shapes) expect(parse({ table: "todos", select }).bindings).toBeNull();
    for (const filter of [["id=eq.1"], { 0: "id=eq.1" }, 5, true]) {
      expect(parse({ table: "todos", filter }).bindings).toBeNull();
    }
    for (const name of [["todos"], { toString: "todos" }, 5]) {
      expect(parse({ table: name }).bindings).toBeNull();
      expect(parse({ schema: name, table: "todos" }).bindings).toBeNull();
    }
  });

  test("one that is malformed keeps all of them from being subscribed to, as clients see them together", () => {
    expect(parse({ table: "todos" }, { table: "todos", filter: "id" }).bindings).toBeNull();
  });

  test("more than a channel may have are refused", () => {
    const many = Array.from({ length: 101 }, (_, at) => ({ table: `t${at}` }));
    expect(parse(...many).problem).toMatch(/at most 100/);
  });
});

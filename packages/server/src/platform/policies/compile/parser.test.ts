import { afterEach, describe, expect, it } from "vitest";
import { createExpressionParser, type ExpressionParser } from "./parser.ts";

const open: ExpressionParser[] = [];
const parser = (idleMs: number): ExpressionParser => {
  const made = createExpressionParser({ idleMs });
  open.push(made);
  return made;
};
afterEach(() => Promise.all(open.splice(0).map((one) => one.close())));

async function until(isTrue: () => boolean): Promise<void> {
  while (!isTrue()) await new Promise((resolve) => setTimeout(resolve, 5));
}

describe("the parser's process", () => {
  it("parses what is an expression, and nothing else", async () => {
    const trees = await parser(1_000).parse(["(a = 1)", "a = ", "1; select 2", "1, 2", "1 from t", ""]);
    expect(trees[0]).toHaveProperty("A_Expr");
    expect(trees.slice(1, 4)).toEqual([null, null, null]);
    expect(trees[5]).toBeNull();
  });

  it("is started by the first need, ends when idle, and starts again", async () => {
    const one = parser(20);
    expect(one.isLoaded()).toBe(false);
    await one.parse(["true"]);
    expect(one.isLoaded()).toBe(true);
    await until(() => !one.isLoaded());
    expect((await one.parse(["false"]))[0]).toHaveProperty("A_Const");
  });

  it("answers all that is asked at once", async () => {
    const one = parser(1);
    const answers = await Promise.all(Array.from({ length: 50 }, (_, at) => one.parse([String(at)])));
    expect(answers.every(([tree]) => tree !== null)).toBe(true);
  });

  it("refuses what is asked after its end, and what was waiting", async () => {
    const one = parser(1_000);
    const waiting = expect(one.parse(["true"])).rejects.toThrow("closed");
    await one.close();
    await waiting;
    await expect(one.parse(["true"])).rejects.toThrow("closed");
  });
});

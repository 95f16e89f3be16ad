import { expect, it } from "vitest";
import { SetMemory } from "./set-memory.ts";

it("the oldest sets go when all together have too many rows", () => {
  const forgotten: string[] = [];
  const memory = new SetMemory(30);
  const one = (name: string, rows: number) => ({ rows, forget: () => void forgotten.push(name) });
  const first = one("first", 9);
  memory.keep(first);
  memory.keep(one("second", 9));
  memory.keep(one("third", 9));
  expect([forgotten, memory.rows]).toEqual([[], 30]);
  memory.release(first);
  memory.keep(one("fourth", 9));
  expect(forgotten).toEqual([]);
  memory.keep(one("fifth", 12));
  expect([forgotten, memory.rows]).toEqual([["second", "third"], 23]);
  // One that is larger than all is kept, alone.
  memory.keep(one("sixth", 100));
  expect([forgotten, memory.rows]).toEqual([["second", "third", "fourth", "fifth"], 101]);
});

import { expect, test } from "vitest";
import { FunctionsProcess } from "./functions-process.ts";

test("X23 a thread that is wanted as its process dies is begun in the next one, and not what died prepared", async () => {
  const functions = new FunctionsProcess({
    limits: {
      memoryBytes: 268_435_456,
      threads: 4,
      blockedMs: 2_000,
      bootMs: 10_000,
      lookMs: 100,
      threadFile: null,
    },
    code: null,
    hangMs: 10_000,
    readable: [],
    onFull() {},
    onRoom() {},
    onDeath() {},
  });
  // No thread comes so far as to read what it is started with.
  const start = { init: {}, measuresCpu: false } as unknown as Parameters<FunctionsProcess["prepare"]>[0];
  const module = {} as Parameters<FunctionsProcess["start"]>[0]["module"];
  const limits = { memoryMb: 32, stackMb: 4 };
  const quiet = { connected() {}, ended() {}, memory() {} };
  try {
    const again = await new Promise<unknown>((resolve) => {
      functions.start({ ...start, module }, limits, {
        ...quiet,
        ended() {
          try {
            resolve(functions.start({ ...start, module }, limits, quiet));
          } catch (error) {
            resolve(error);
          }
        },
      });
      functions.prepare({ ...start, module: null }, limits);
      functions.kill();
    });
    // 1 has died, and 2 was prepared.
    expect(again).toBe(3);
  } finally {
    await functions.close();
  }
});

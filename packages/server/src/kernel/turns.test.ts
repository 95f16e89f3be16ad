import { expect, it } from "vitest";
import { Turns } from "./turns.ts";

/** Work that ends when it is told to. */
function held() {
  let end: (error?: Error) => void = () => {};
  const done = new Promise<void>((resolve, reject) => {
    end = (error) => (error === undefined ? resolve() : reject(error));
  });
  return { end: (error?: Error) => end(error), done };
}

it("lets so many work at once, the others in their order, whatever becomes of those before", async () => {
  const turns = new Turns(2);
  const begun: number[] = [];
  const works = [held(), held(), held(), held()];
  const results = works.map(({ done }, at) =>
    turns.take(async () => {
      begun.push(at);
      await done;
    }),
  );
  await Promise.resolve();
  expect(begun).toEqual([0, 1]);
  works[1]!.end(new Error("failed"));
  await expect(results[1]).rejects.toThrow("failed");
  expect(begun).toEqual([0, 1, 2]);
  works[0]!.end();
  await results[0];
  expect(begun).toEqual([0, 1, 2, 3]);
  works[2]!.end();
  works[3]!.end();
  await Promise.all([results[2], results[3]]);
  // All places are free again.
  const after = [held(), held()];
  const last = after.map(({ done }, at) =>
    turns.take(async () => {
      begun.push(at + 4);
      await done;
    }),
  );
  await Promise.resolve();
  expect(begun.slice(4)).toEqual([4, 5]);
  for (const { end } of after) end();
  await Promise.all(last);
});

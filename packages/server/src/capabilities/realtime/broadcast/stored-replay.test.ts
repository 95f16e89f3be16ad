import { expect, it } from "vitest";
import type { StoredBroadcast } from "./message-rows.ts";
import { inOrder } from "./stored-replay.ts";

const broadcasts = (ids: string): readonly StoredBroadcast[] =>
  [...ids].map((id) => ({ id }) as unknown as StoredBroadcast);
const idsOf = (all: readonly StoredBroadcast[]): string => all.map(({ id }) => id).join("");

it.each([
  ["nothing came", "abc", "", "abc"],
  ["nothing was read", "", "abc", "abc"],
  ["some came before the reading, and some after", "abc", "bcde", "abcde"],
  ["all came after", "abc", "de", "abcde"],
  ["more came than is read", "cde", "abcdef", "abcdef"],
  ["one that came could not be read", "abd", "bcd", "abcd"],
  ["the log tells of some in another order", "abc", "cb", "abc"],
])("what was read and what came are one: %s", (_, stored, arrived, all) => {
  expect(idsOf(inOrder(broadcasts(stored), broadcasts(arrived)))).toBe(all);
});

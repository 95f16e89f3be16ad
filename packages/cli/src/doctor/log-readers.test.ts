import { expect, test } from "vitest";
import { readerFindings } from "./log-readers.ts";

test("R14 a reader of the log that is far behind is named", () => {
  const readers = [
    { name: "sync", lagBytes: 50, unreadMs: 10 },
    { name: "push", lagBytes: 51, unreadMs: 10 },
    { name: "webhooks", lagBytes: 2 * 1024 ** 3, unreadMs: 7_200_000 },
  ];
  expect(readerFindings(readers, 100).map(({ name, state, found }) => [name, state, found])).toEqual([
    ["log: sync", "ok", "0 MiB behind"],
    ["log: push", "warn", "0 MiB behind"],
    ["log: webhooks", "warn", "2048 MiB behind, and not read for since 2 h"],
  ]);
});

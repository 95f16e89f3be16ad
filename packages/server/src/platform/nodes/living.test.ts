import { describe, expect, test } from "vitest";
import { Living } from "./living.ts";
import type { NodeRow } from "./store.ts";

const [beatMs, goneMs] = [2_000, 10_000];
const start = 1_000_000;

/** What a node says that knows of others, and one that is alone. */
const [inCompanyMs, aloneMs] = [8_000, 38_000];

const row = (silentMs: number, given: Partial<NodeRow> = {}): NodeRow => ({
  id: "a",
  silentMs,
  patienceMs: inCompanyMs,
  isConnected: true,
  ...given,
});

const open = (): Living => new Living({ beatMs, goneMs });
const idsOf = (living: Living): readonly string[] => living.others.map(({ id }) => id);

/** Looks every beat until `atMs`, with the same rows growing older unless `rowsAt` says otherwise. */
function look(living: Living, atMs: number, rows: readonly NodeRow[]) {
  return living.take({ nowMs: start + atMs, rows }, beatMs);
}

describe("at the first look", () => {
  test("who has spoken in time is there", () => {
    const living = open();
    expect(look(living, 0, [row(1_000)])).toEqual({ came: [{ id: "a" }], gone: [] });
    expect(idsOf(living)).toEqual(["a"]);
  });

  test("who has been silent for longer than promised is not, nor who has lost its connection and been silent for some beats", () => {
    for (const one of [row(inCompanyMs), row(5_000, { isConnected: false }), row(aloneMs, { patienceMs: aloneMs })]) {
      const living = open();
      expect(look(living, 0, [one])).toEqual({ came: [], gone: [] });
      expect(idsOf(living)).toEqual([]);
    }
  });

  test("one that was alone may have been silent for long, and one whose connection has just gone may get another", () => {
    for (const one of [row(aloneMs - 1, { patienceMs: aloneMs }), row(4_999, { isConnected: false })]) {
      const living = open();
      look(living, 0, [one]);
      expect(idsOf(living)).toEqual(["a"]);
    }
  });
});

test("X18 who falls silent is gone within the time promised, looks included", () => {
  const living = open();
  look(living, 0, [row(0)]);
  for (let atMs = beatMs; atMs < inCompanyMs; atMs += beatMs) {
    expect(look(living, atMs, [row(atMs)]).gone).toEqual([]);
  }
  expect(look(living, inCompanyMs, [row(inCompanyMs)]).gone).toEqual([{ id: "a" }]);
  expect(inCompanyMs + beatMs).toBeLessThanOrEqual(goneMs);
});

test("who falls silent as its connection goes is gone sooner", () => {
  const living = open();
  look(living, 0, [row(0)]);
  expect(look(living, 4_000, [row(4_000, { isConnected: false })]).gone).toEqual([]);
  expect(look(living, 6_000, [row(6_000, { isConnected: false })]).gone).toEqual([{ id: "a" }]);
});

test("one that was alone and does not answer is gone, though it promised little", () => {
  const living = open();
  for (let atMs = 0; atMs < inCompanyMs; atMs += beatMs) {
    look(living, atMs, [row(10_000 + atMs, { patienceMs: aloneMs })]);
    expect(idsOf(living)).toEqual(["a"]);
  }
  expect(look(living, inCompanyMs, [row(10_000 + inCompanyMs, { patienceMs: aloneMs })]).gone).toEqual([{ id: "a" }]);
});

test("X09 when nobody could look, nobody has died of it, connected or not; who stays silent then has", () => {
  for (const isConnected of [true, false]) {
    const living = open();
    look(living, 0, [row(0)]);
    const awayMs = 60_000;
    expect(look(living, awayMs, [row(awayMs, { isConnected })])).toEqual({ came: [], gone: [] });
    look(living, awayMs + beatMs, [row(awayMs + beatMs, { isConnected })]);
    expect(idsOf(living)).toEqual(["a"]);
    let gone: readonly unknown[] = [];
    for (let atMs = 2 * beatMs; atMs <= inCompanyMs; atMs += beatMs) {
      const { gone: now } = look(living, awayMs + atMs, [row(awayMs + atMs, { isConnected })]);
      gone = [...gone, ...now];
    }
    expect(gone).toEqual([{ id: "a" }]);
  }
});

test("X09 after a lost connection others have a while to find theirs", () => {
  const living = open();
  look(living, 0, [row(0)]);
  living.interrupt();
  const cut = (silentMs: number) => [row(silentMs, { isConnected: false })];
  expect(look(living, 4_900, cut(4_900)).gone).toEqual([]);
  expect(look(living, 6_900, cut(6_900)).gone).toEqual([]);
  expect(look(living, 8_900, cut(8_900)).gone).toEqual([]);
  expect(look(living, 10_900, cut(10_900)).gone).toEqual([{ id: "a" }]);
});

test("X18 a clock that goes back kills nobody", () => {
  const living = open();
  look(living, 0, [row(0)]);
  expect(look(living, -3_600_000, [row(-3_600_000)])).toEqual({ came: [], gone: [] });
  expect(look(living, -3_600_000 + beatMs, [row(100)])).toEqual({ came: [], gone: [] });
});

test("who has said goodbye is not in the table, and gone", () => {
  const living = open();
  look(living, 0, [row(0), row(0, { id: "b" })]);
  expect(look(living, beatMs, [row(0, { id: "b" })])).toEqual({ came: [], gone: [{ id: "a" }] });
  expect(look(living, 2 * beatMs, [row(0), row(0, { id: "b" })])).toEqual({ came: [{ id: "a" }], gone: [] });
});

test("a time for being gone that is no longer than some beats is made longer", () => {
  const living = new Living({ beatMs: 2_000, goneMs: 100 });
  expect(living.patienceMs).toBe(4_000);
});

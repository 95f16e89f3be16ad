import { afterEach, beforeEach, expect, it, vi } from "vitest";
import type { Observation } from "../../platform/observe/observation.ts";
import type { RealtimeStats } from "./index.ts";
import { reportState } from "./report.ts";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const nobody: RealtimeStats = {
  sockets: { connections: 0, queuedBytes: 0, refused: 0, cutAsSlow: 0, cutAsFlood: 0 },
  channels: 0,
  privateChannels: 0,
  rooms: 0,
};

it("tells how many are here when that has changed, and how far the log has been read", () => {
  let stats = nobody;
  let lagBytes = 0;
  const observed: Observation[] = [];
  const stop = reportState({
    stats: () => stats,
    logStats: () => ({
      state: "following",
      problem: null,
      lagBytes,
      retainedBytes: 4_096,
      ring: { bytes: 0, entries: 0, oldest: null },
      readers: [],
    }),
    observe: (observation) => void observed.push(observation),
    everyMs: 1_000,
  });
  vi.advanceTimersByTime(3_000);
  expect(observed).toEqual([]);
  stats = { ...nobody, sockets: { ...nobody.sockets, connections: 2, cutAsSlow: 1 }, channels: 3, rooms: 2 };
  lagBytes = 100;
  vi.advanceTimersByTime(1_000);
  expect(observed).toEqual([
    {
      kind: "realtime.state",
      connections: 2,
      refused: 0,
      cutAsSlow: 1,
      cutAsFlood: 0,
      channels: 3,
      privateChannels: 0,
      rooms: 2,
      queuedBytes: 0,
      log: "following",
      lagBytes: 100,
      retainedBytes: 4_096,
    },
  ]);
  lagBytes = 200;
  vi.advanceTimersByTime(2_000);
  expect(observed).toHaveLength(1);
  stats = nobody;
  vi.advanceTimersByTime(1_000);
  expect(observed).toHaveLength(2);
  stop();
  stats = { ...nobody, rooms: 9 };
  vi.advanceTimersByTime(5_000);
  expect(observed).toHaveLength(2);
});

it("costs nothing where nobody reads it", () => {
  const observe = Object.assign(() => {}, { wants: () => false });
  const never = (): never => {
    throw new Error("Nobody asked");
  };
  reportState({ stats: never, logStats: never, observe, everyMs: 1 });
  reportState({ stats: never, logStats: never, observe: () => {}, everyMs: 0 });
  expect(vi.getTimerCount()).toBe(0);
});

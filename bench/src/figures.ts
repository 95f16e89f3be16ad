import { familyOf, processorMsOf } from "./machine.ts";
import type { Figure } from "./scenarios.ts";
import type { BenchServer } from "./server.ts";

export interface Cost<Result> {
  readonly result: Result;
  /** Processor time, in ms. */
  readonly nodeMs: number;
  readonly postgresMs: number;
}

/** What something costs the server while it is done. */
export async function costOf<Result>(server: BenchServer, work: () => Promise<Result>): Promise<Cost<Result>> {
  const spent = (): Map<number, number> =>
    new Map(
      familyOf(server.pid)
        .slice(1)
        .map((pid) => [pid, processorMsOf(pid)]),
    );
  const before = spent();
  const nodeBeforeMs = processorMsOf(server.pid);
  const result = await work();
  const nodeMs = processorMsOf(server.pid) - nodeBeforeMs;
  // A process that has ended meanwhile has taken its time with it: those that count live as long as the server.
  const ofEach = [...spent()].map(([pid, ms]) => ms - (before.get(pid) ?? 0)).filter((ms) => !Number.isNaN(ms));
  return { result, nodeMs, postgresMs: ofEach.reduce((sum, ms) => sum + ms, 0) };
}

export const whole = (n: number): string => Math.round(n).toLocaleString("en-US");
export const ms = (n: number): string => `${n < 10 ? n.toFixed(1) : n.toFixed(0)} ms`;
export const us = (n: number): string => `${n < 10 ? n.toFixed(1) : n.toFixed(0)} µs`;
export const mb = (bytes: number): string => `${(bytes / 2 ** 20).toFixed(0)} MB`;
export const failed = (count: number): string => (count === 0 ? "" : `, ${whole(count)} FAILED`);

export const limit = (name: string, value: string): Figure => ({
  name,
  value,
  against: "the limit in this run",
  isMet: true,
});
export const reported = (name: string, value: string): Figure => ({ name, value, against: "reported", isMet: true });

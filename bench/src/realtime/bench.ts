import type pg from "pg";
import { familyOf, processorMsOf } from "../machine.ts";
import type { Figure } from "../scenarios.ts";
import type { BenchServer } from "../server.ts";
import type { Crowd } from "./crowd.ts";

/** What every scenario of realtime works with. */
export interface RealtimeBench {
  readonly server: BenchServer;
  /** Its clients. Who uses it leaves it without connections. */
  readonly crowd: Crowd;
  /** The administrator's connection. */
  readonly sql: pg.Client;
  readonly databaseUrl: string;
  readonly anonKey: string;
  /** Of one measurement. */
  readonly seconds: number;
  /** Where another server may listen. */
  readonly freePort: number;
}

/** Processor time of the server while something is done, in ms. */
export async function costOf(
  server: BenchServer,
  work: () => Promise<unknown>,
): Promise<{ node: number; postgres: number }> {
  const postgres = (): readonly number[] => familyOf(server.pid).slice(1);
  const before = new Map(postgres().map((pid) => [pid, processorMsOf(pid)]));
  const nodeBefore = processorMsOf(server.pid);
  await work();
  // A process that has ended meanwhile has taken its time with it: those that count live as long as the server.
  const spent = postgres().map((pid) => processorMsOf(pid) - (before.get(pid) ?? 0));
  return {
    node: processorMsOf(server.pid) - nodeBefore,
    postgres: spent.filter((ms) => !Number.isNaN(ms)).reduce((sum, ms) => sum + ms, 0),
  };
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

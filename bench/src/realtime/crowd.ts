import { type ChildProcess, fork } from "node:child_process";
import { fileURLToPath } from "node:url";
import type { Answer, Order, Rounds, RoundsResult } from "./crowd-messages.ts";
import type { Join } from "./phoenix.ts";

/** Many clients in one process of their own. One order at a time. */
export interface Crowd {
  readonly pid: number;
  /** @returns how long it took, in ms */
  connect(count: number): Promise<number>;
  /** The nth by socket `n % sockets`. @returns how long it took, in ms */
  join(joins: readonly Join[]): Promise<number>;
  rounds(order: Omit<Rounds, "kind">): Promise<RoundsResult>;
  /** Waits for so many rows since the last time. @returns when that was, in ms since the epoch */
  rows(count: number): Promise<number>;
  /** Ends the connections. */
  leave(): Promise<void>;
  stop(): Promise<void>;
}

/** @param target whose websockets at `paths` it opens, in turn */
export function startCrowd(target: { readonly port: number; readonly paths: readonly string[] }): Crowd {
  const child = fork(fileURLToPath(new URL("./crowd-process.ts", import.meta.url)));
  const timed = async (order: Order): Promise<{ ms: number; atMs: number }> => {
    const answer = await put(child, order);
    if (!("ms" in answer)) throw new Error(`The crowd did not ${order.kind}.`);
    return answer;
  };
  return {
    pid: child.pid!,
    connect: async (count) => (await timed({ kind: "connect", ...target, count })).ms,
    join: async (joins) => (await timed({ kind: "join", joins })).ms,
    async rounds(order) {
      const answer = await put(child, { kind: "rounds", ...order });
      if (!("rounds" in answer)) throw new Error("The crowd had no rounds.");
      return answer.rounds;
    },
    rows: async (count) => (await timed({ kind: "await-rows", count })).atMs,
    leave: async () => void (await timed({ kind: "close" })),
    stop: () =>
      new Promise((resolve) => {
        child.on("exit", () => resolve());
        child.disconnect();
      }),
  };
}

function put(child: ChildProcess, order: Order): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const ended = (): void => reject(new Error("The crowd has ended."));
    child.once("exit", ended);
    child.once("message", (message) => {
      child.off("exit", ended);
      const answer = message as Answer; // the other end is `crowd-process.ts`
      if ("failed" in answer) reject(new Error(answer.failed));
      else resolve(answer);
    });
    child.send(order);
  });
}

import { Agent } from "node:http";
import { shoot } from "../load.ts";
import type { Rounds, RoundsResult } from "./crowd-messages.ts";
import { broadcastDelivered, broadcastPush } from "./phoenix.ts";
import type { LightSocket } from "./websocket.ts";

interface Round {
  readonly beganMs: number;
  readonly room: number;
  left: number;
}

/** How long a message may take before it counts as lost, in ms. */
const patienceMs = 10_000;

/** Runs rounds over the sockets there are. `arrived` is told of every message that somebody has received. */
export class RoundRunner {
  readonly #sockets: readonly LightSocket[];
  readonly #order: Rounds;
  readonly #open = new Map<number, Round>();
  readonly #lastMs: number[] = [];
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 16 });
  readonly #done = Promise.withResolvers<void>();
  #next: number;
  #deliveries = 0;
  #failures = 0;
  #endMs = 0;
  #isEnding = false;

  /** @param first number of the first message: none is used twice on one socket */
  constructor(sockets: readonly LightSocket[], order: Rounds, first: number) {
    this.#sockets = sockets;
    this.#order = order;
    this.#next = first;
  }

  /** The first number that is free afterwards. */
  get next(): number {
    return this.#next;
  }

  async run(): Promise<RoundsResult> {
    const { seconds, pace, by } = this.#order;
    const startMs = performance.now();
    this.#endMs = startMs + seconds * 1000;
    const rooms = by.how === "broadcast" ? by.rooms.length : 1;
    if ("inFlight" in pace) {
      for (let i = 0; i < pace.inFlight; i++)
        for (let room = 0; room < rooms; room++) this.#begin(room, performance.now());
    } else await this.#beginPaced(pace.perSecond, rooms, startMs);
    const patience = setTimeout(() => this.#done.resolve(), Math.max(0, this.#endMs - performance.now()) + patienceMs);
    const stop = setTimeout(() => this.#end(), Math.max(0, this.#endMs - performance.now()));
    await this.#done.promise;
    clearTimeout(patience);
    clearTimeout(stop);
    const tookMs = performance.now() - startMs;
    this.#agent.destroy();
    return {
      messages: this.#lastMs.length,
      deliveries: this.#deliveries,
      seconds: tookMs / 1000,
      lastMs: this.#lastMs.sort((a, b) => a - b),
      failures: this.#failures + this.#open.size,
    };
  }

  arrived(n: number, nowMs: number): void {
    const round = this.#open.get(n);
    if (round === undefined) return;
    this.#deliveries++;
    if (--round.left > 0) return;
    this.#open.delete(n);
    this.#lastMs.push(nowMs - round.beganMs);
    if ("inFlight" in this.#order.pace && nowMs < this.#endMs) this.#begin(round.room, nowMs);
    else if (this.#isEnding && this.#open.size === 0) this.#done.resolve();
  }

  async #beginPaced(perSecond: number, rooms: number, startMs: number): Promise<void> {
    const total = perSecond * this.#order.seconds;
    for (let i = 0; i < total; i++) {
      const dueMs = startMs + (i * 1000) / perSecond;
      // Timers are a millisecond apart: what is due by then goes now, and counts from when it was due.
      const waitMs = dueMs - performance.now();
      if (waitMs > 0) await new Promise((resolve) => setTimeout(resolve, waitMs));
      this.#begin(i % rooms, Math.max(dueMs, startMs));
    }
  }

  #end(): void {
    this.#isEnding = true;
    if (this.#open.size === 0) this.#done.resolve();
  }

  #begin(room: number, beganMs: number): void {
    const { by } = this.#order;
    const n = this.#next++;
    if (by.how === "broadcast") {
      const { topic, sender, receivers } = by.rooms[room]!;
      this.#open.set(n, { beganMs, room, left: receivers });
      this.#sockets[sender]!.send(2, by.isAsDelivered ? broadcastDelivered(topic, n) : broadcastPush(topic, n));
      return;
    }
    this.#open.set(n, { beganMs, room, left: by.receivers });
    const shot = { ...by.shot, body: by.shot.body!.replace("$n", String(n)) };
    void shoot(by.url, shot, this.#agent).then(({ isOk }) => {
      if (isOk) return;
      this.#failures++;
      this.#open.delete(n);
    });
  }
}

import { Lru } from "../../../kernel/lru.ts";
import { networkOf } from "../../../kernel/network.ts";
import type { Call } from "../../../kernel/route.ts";
import { broadcastProblems } from "./problems.ts";

/** So many at once, then as many a second. */
class Bucket {
  readonly #name: string;
  readonly #perSecond: number;
  #level: number;
  #atMs: number;

  constructor(name: string, perSecond: number, nowMs: number) {
    this.#name = name;
    this.#perSecond = perSecond;
    this.#level = perSecond;
    this.#atMs = nowMs;
  }

  /** Says when to come again, and by which rule (draft-ietf-httpapi-ratelimit-headers). @throws Problem when nothing is left */
  check(nowMs: number): void {
    this.#level = Math.min(this.#perSecond, this.#level + ((nowMs - this.#atMs) / 1_000) * this.#perSecond);
    this.#atMs = nowMs;
    if (this.#level >= 1) return;
    const waitSeconds = Math.max(1, Math.ceil((1 - this.#level) / this.#perSecond));
    throw broadcastProblems.tooMany({
      "Retry-After": String(waitSeconds),
      "RateLimit-Policy": `"${this.#name}";q=${this.#perSecond};w=1`,
      RateLimit: `"${this.#name}";r=0;t=${waitSeconds}`,
    });
  }

  take(count: number): void {
    this.#level -= count;
  }
}

/** Users are counted by who they are, everybody else by where they are (threat A12). */
export const callerOf = ({ who, address }: Pick<Call, "who" | "address">): string =>
  who.subject === null ? `at ${networkOf(address)}` : `by ${who.subject}`;

/** Callers remembered: some 5 MB when full. The longest idle one is forgotten first, and begins anew. */
const maxCallers = 32_768;

/**
 * Messages a second, per caller and for all of them together (threat R12). A batch is taken as a whole: whoever has something left may
 * send it, and waits until its debt is paid.
 */
export class BroadcastRate {
  readonly #perCaller: number;
  readonly #nowMs: () => number;
  readonly #callers = new Lru<string, Bucket>(maxCallers);
  readonly #all: Bucket;

  /** `nowMs` must never jump (threat X18). */
  constructor(perSecond: { readonly caller: number; readonly total: number }, nowMs = () => performance.now()) {
    this.#perCaller = perSecond.caller;
    this.#nowMs = nowMs;
    this.#all = new Bucket("total", perSecond.total, nowMs());
  }

  /** @throws Problem; nothing is counted then */
  take(caller: string, messages: number): void {
    const nowMs = this.#nowMs();
    let own = this.#callers.get(caller);
    if (own === undefined) {
      own = new Bucket("caller", this.#perCaller, nowMs);
      this.#callers.set(caller, own);
    }
    own.check(nowMs);
    this.#all.check(nowMs);
    own.take(messages);
    this.#all.take(messages);
  }
}

import { type Linked, LinkedList } from "../../kernel/linked-list.ts";

/** What is to be known of a request that is held. */
export interface Held extends Linked<Held> {
  /** Tick at which the wait for the reply began. */
  waitsSinceTick: number;
  isReceivingBody: boolean;
  /** Tick at which the current window of the body's rate began, and the bytes that came in it. */
  windowSinceTick: number;
  windowBytes: number;
  /** Tick at which we began, or went on, to wait for the body, and the ticks we had waited before. */
  receivesSinceTick: number;
  receivedTicks: number;
  /** Longest time to wait for the whole body. */
  readonly receiveTimeoutMs: number;
  /** Longest time to wait for the reply. */
  readonly replyTimeoutMs: number;
  /** True once the reply has begun: from then on only the reader's pace counts. */
  readonly isReplying: boolean;
  /** No reply in time. */
  onDeadline(): void;
  /** The body comes too slowly, or has taken too long as a whole. */
  onSlowBody(): void;
}

export interface InFlightNeeds {
  readonly requestTimeoutMs: number;
  readonly receiveTimeoutMs: number;
  readonly bodyStallMs: number;
  readonly bodySlowestBytesPerSecond: number;
}

/**
 * Every request being worked on. One clock sweeps them all: a timer per request would cost more than the routing does, and
 * deadlines need no precision beyond a tick.
 */
export class InFlight {
  tick = 0;
  readonly #held = new LinkedList<Held>();
  readonly #tickMs: number;
  readonly #windowTicks: number;
  readonly #windowLeastBytes: number;
  readonly #timer: NodeJS.Timeout;
  #onEmpty: (() => void) | null = null;

  constructor(needs: InFlightNeeds) {
    const shortestMs = Math.min(needs.requestTimeoutMs, needs.receiveTimeoutMs, needs.bodyStallMs);
    const tickMs = Math.min(250, Math.max(5, Math.floor(shortestMs / 10)));
    this.#tickMs = tickMs;
    this.#windowTicks = Math.ceil(needs.bodyStallMs / tickMs);
    this.#windowLeastBytes = Math.max(1, Math.floor((needs.bodySlowestBytesPerSecond * needs.bodyStallMs) / 1000));
    this.#timer = setInterval(() => this.#sweep(), tickMs).unref();
  }

  get count(): number {
    return this.#held.count;
  }

  add(held: Held): void {
    held.waitsSinceTick = this.tick;
    this.#held.add(held);
  }

  remove(held: Held): void {
    if (this.#held.remove(held) && this.#held.count === 0) this.#onEmpty?.();
  }

  /**
   * We wait for the sender: starts the window in which a body has to keep up its rate. The reply's deadline does not run meanwhile.
   * Again after each `endReceiving`, when it was us who were slow.
   */
  startReceiving(held: Held): void {
    held.isReceivingBody = true;
    held.windowSinceTick = held.receivesSinceTick = this.tick;
    held.windowBytes = 0;
  }

  /** The body is in, or is not read on for now: the deadline runs. */
  endReceiving(held: Held): void {
    held.isReceivingBody = false;
    held.receivedTicks += this.tick - held.receivesSinceTick;
    held.waitsSinceTick = this.tick;
  }

  /** Calls `listener` whenever the last request leaves. */
  onEmpty(listener: () => void): void {
    this.#onEmpty = listener;
  }

  close(): void {
    clearInterval(this.#timer);
  }

  #sweep(): void {
    this.tick++;
    for (const held of this.#held) {
      if (held.isReceivingBody) this.#sweepBody(held);
      else if (!held.isReplying && (this.tick - held.waitsSinceTick - 1) * this.#tickMs >= held.replyTimeoutMs)
        held.onDeadline();
    }
  }

  #sweepBody(held: Held): void {
    const receivedTicks = held.receivedTicks + this.tick - held.receivesSinceTick;
    if (receivedTicks * this.#tickMs > held.receiveTimeoutMs) return held.onSlowBody();
    if (this.tick - held.windowSinceTick < this.#windowTicks) return;
    if (held.windowBytes < this.#windowLeastBytes) held.onSlowBody();
    else {
      held.windowSinceTick = this.tick;
      held.windowBytes = 0;
    }
  }
}

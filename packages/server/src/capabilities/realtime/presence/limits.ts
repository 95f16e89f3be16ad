/** Counts calls in windows that begin with their first call. */
class Window {
  #startedAtMs = Number.NEGATIVE_INFINITY;
  #calls = 0;

  /** @returns false beyond `most` */
  take(nowMs: number, windowMs: number, most: number): boolean {
    if (nowMs - this.#startedAtMs >= windowMs) {
      this.#startedAtMs = nowMs;
      this.#calls = 0;
    }
    this.#calls += 1;
    return this.#calls <= most;
  }
}

export interface LimitSettings {
  readonly realtimePresenceCalls: number;
  readonly realtimePresenceWindowMs: number;
  readonly realtimePresencePerSecond: number;
}

/** How often clients may track (threat R12): each connection within its window, and all of this node together within a second. */
export class PresenceLimits {
  readonly #settings: LimitSettings;
  readonly #nowMs: () => number;
  readonly #bySocket = new WeakMap<object, Window>();
  readonly #all = new Window();

  /** `nowMs` must never jump (threat X18). */
  constructor(settings: LimitSettings, nowMs = () => performance.now()) {
    this.#settings = settings;
    this.#nowMs = nowMs;
  }

  /** One more call of this connection. @returns false when it is one too many */
  takeCall(socket: object): boolean {
    let window = this.#bySocket.get(socket);
    if (window === undefined) {
      window = new Window();
      this.#bySocket.set(socket, window);
    }
    const { realtimePresenceWindowMs, realtimePresenceCalls } = this.#settings;
    return window.take(this.#nowMs(), realtimePresenceWindowMs, realtimePresenceCalls);
  }

  /** One more change of somebody's presence. @returns false when it is one too many */
  takeEvent(): boolean {
    return this.#all.take(this.#nowMs(), 1_000, this.#settings.realtimePresencePerSecond);
  }
}

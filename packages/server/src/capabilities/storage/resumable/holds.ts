import { randomUUID } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import type { Database, Queryable } from "../../../platform/postgres/database.ts";
import type { StopListening } from "../../../platform/postgres/listener.ts";
import { problems } from "../problems.ts";
import { resumableChannel, resumableStore } from "./store.ts";

/** An upload that is one request's to write to, as long as it is not released. */
export interface Hold {
  /** Another request waits: take no more bytes, keep what came, let go. */
  readonly interrupted: AbortSignal;
  /** It is somebody else's by now: what is being written must not count. */
  readonly lost: AbortSignal;
  /** Never rejects: where PostgreSQL is away, the hold runs out. */
  release(): Promise<void>;
}

export interface HoldsNeeds {
  readonly db: Pick<Database, "execute" | "listen">;
  readonly settings: { readonly storageResumableHoldMs: number; readonly storageResumableWaitMs: number };
}

/** Shortest and longest pause between two looks at an upload that another has, in ms. */
const pauses = { first: 10, longest: 250 };

/** Who of all nodes writes to which upload: one at a time, the last who asks (threat S12). */
export class Holds {
  readonly #db: HoldsNeeds["db"];
  readonly #settings: HoldsNeeds["settings"];
  readonly #here = new Map<string, Set<AbortController>>();
  #stopListening: StopListening | null = null;

  constructor({ db, settings }: HoldsNeeds) {
    this.#db = db;
    this.#settings = settings;
  }

  async start(): Promise<void> {
    this.#stopListening = await this.#db.listen([resumableChannel], (version) => {
      // What was missed is told again by whoever still waits.
      if (version !== null) for (const hold of this.#here.get(version) ?? []) hold.abort(problems.resourceLocked());
    });
  }

  async stop(): Promise<void> {
    await this.#stopListening?.();
    this.#stopListening = null;
  }

  /**
   * Takes an upload, from another request if need be.
   * @throws Problem `ResourceLocked` when that does not let go in time, `NoSuchUpload` when there is no such upload
   */
  async take(version: string, signal: AbortSignal): Promise<Hold> {
    const writer = randomUUID();
    const leaseMs = this.#settings.storageResumableHoldMs;
    await this.#until(signal, async () => {
      const isTaken = await resumableStore.take(this.#db, version, writer, leaseMs);
      if (isTaken === null) throw problems.noSuchUpload();
      return isTaken;
    });
    return this.#hold(version, writer);
  }

  /** Resolves when nobody writes to the upload. @throws Problem `ResourceLocked` */
  async settled(version: string, isHeld: () => Promise<boolean>, signal: AbortSignal): Promise<void> {
    await this.#until(signal, async () => {
      if (!(await isHeld())) return true;
      await resumableStore.interrupt(this.#db, version);
      return false;
    });
  }

  async #until(signal: AbortSignal, isDone: () => Promise<boolean>): Promise<void> {
    const endsAtMs = performance.now() + this.#settings.storageResumableWaitMs;
    for (let pauseMs = pauses.first; !(await isDone()); pauseMs = Math.min(pauses.longest, pauseMs * 2)) {
      if (performance.now() + pauseMs > endsAtMs) throw problems.resourceLocked();
      await delay(pauseMs, undefined, { signal });
    }
  }

  #hold(version: string, writer: string): Hold {
    const interrupted = new AbortController();
    const lost = new AbortController();
    const here = this.#here.get(version) ?? new Set();
    this.#here.set(version, here.add(interrupted));
    const stopRenewing = keep(this.#db, version, writer, this.#settings.storageResumableHoldMs, () => {
      lost.abort(problems.resourceLocked());
      interrupted.abort(problems.resourceLocked());
    });
    return {
      interrupted: interrupted.signal,
      lost: lost.signal,
      release: async () => {
        stopRenewing();
        here.delete(interrupted);
        if (here.size === 0) this.#here.delete(version);
        await resumableStore.release(this.#db, version, writer).catch(() => {});
      },
    };
  }
}

/** Says again and again that the writer lives. `onLost` is told once, when it has not been believed in time. @returns how to stop */
function keep(
  db: Pick<Queryable, "execute">,
  version: string,
  writer: string,
  leaseMs: number,
  onLost: () => void,
): () => void {
  let heldUntilMs = performance.now() + leaseMs;
  let isRenewing = false;
  const renew = async (): Promise<void> => {
    const askedAtMs = performance.now();
    isRenewing = true;
    // PostgreSQL may be away for a moment; until the hold runs out nobody else can have it.
    const isOurs = await resumableStore.renew(db, version, writer, leaseMs).catch(() => null);
    isRenewing = false;
    if (isOurs === true) heldUntilMs = askedAtMs + leaseMs;
    else if (isOurs === false) giveUp();
  };
  const timer = setInterval(
    () => {
      if (performance.now() >= heldUntilMs) giveUp();
      else if (!isRenewing) void renew();
    },
    Math.max(50, leaseMs / 4),
  );
  timer.unref();
  let isOver = false;
  const stop = (): void => {
    isOver = true;
    clearInterval(timer);
  };
  const giveUp = (): void => {
    if (isOver) return;
    stop();
    onLost();
  };
  return stop;
}

import type { Lsn } from "../../kernel/change.ts";
import { reasonOf } from "../../kernel/reason.ts";
import type { ChangeLog, Following, LiveReader } from "../../platform/changes/types.ts";
import type { Observe } from "../../platform/observe/observation.ts";
import { within } from "./within.ts";

/** How long a join waits for the log at most, in ms: without it a channel still has what this node has. */
const patienceMs = 3_000;
/** A log that cannot be followed is asked for again after so long, in ms. */
const retryMs = 5_000;

/** Follows the log for one part of realtime, from the moment somebody first needs it. */
export class LogFollower {
  readonly #log: Pick<ChangeLog, "follow">;
  readonly #reader: LiveReader;
  readonly #observe: Observe;
  readonly #onFollowing: () => void;
  #following: Following | null = null;
  #attempt: Promise<void> | null = null;
  #retry: NodeJS.Timeout | null = null;
  #isStopped = false;
  #isReported = false;

  /** `onFollowing`: the log is followed from now on. */
  constructor(needs: {
    readonly log: Pick<ChangeLog, "follow">;
    readonly observe: Observe;
    readonly reader: LiveReader;
    readonly onFollowing?: () => void;
  }) {
    this.#log = needs.log;
    this.#reader = needs.reader;
    this.#observe = needs.observe;
    this.#onFollowing = needs.onFollowing ?? (() => {});
  }

  get isFollowing(): boolean {
    return this.#following !== null;
  }

  /** Everything before it has been taken in; 0 before the log is followed. */
  position(): Lsn {
    return this.#following?.position() ?? 0n;
  }

  /** Sees to it that the log is followed, and waits for that a moment. Never rejects: it is tried again until `stop`. */
  async ensure(): Promise<void> {
    if (this.#following !== null || this.#isStopped) return;
    if (this.#retry === null) this.#attempt ??= this.#try();
    if (this.#attempt === null) return;
    await within(this.#attempt, patienceMs);
  }

  stop(): void {
    this.#isStopped = true;
    if (this.#retry !== null) clearTimeout(this.#retry);
    this.#following?.stop();
    this.#following = null;
  }

  async #try(): Promise<void> {
    try {
      const following = await this.#log.follow(this.#reader);
      if (this.#isStopped) return following.stop();
      this.#following = following;
      this.#onFollowing();
    } catch (error) {
      if (this.#isStopped) return;
      this.#report(error);
      this.#retry = setTimeout(() => {
        this.#retry = null;
        this.#attempt = this.#try();
      }, retryMs);
      this.#retry.unref();
    } finally {
      this.#attempt = null;
    }
  }

  #report(error: unknown): void {
    if (this.#isReported) return;
    this.#isReported = true;
    const message = `The log cannot be followed, so ${this.#reader.name} stays within this node: ${reasonOf(error)}`;
    this.#observe({ kind: "warning", area: "realtime", message });
  }
}

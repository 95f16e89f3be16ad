import { setImmediate as nextTurn } from "node:timers/promises";
import type { Clock } from "../../../kernel/clock.ts";
import type { Principal } from "../../../kernel/principal.ts";
import type { ChannelFeature, ChannelRights } from "../types.ts";
import type { OpenChannel } from "./channel.ts";
import { PacedQueue } from "./paced-queue.ts";
import { canRead, type RightsDesk, unreadable } from "./rights.ts";
import { tokenExpired, tokenRevoked } from "./token.ts";

/** How often what is over is looked for, in ms: one look over all channels, where a timer for each would cost memory. */
const lookEveryMs = 1_000;
/** Rights asked for at the same time. */
const mostAsked = 16;
/** Tokens that are verified in one go: some ms. */
const mostVerified = 64;
/** After PostgreSQL gave no answer, in ms. */
const retryMs = 3_000;

export interface KeeperNeeds {
  readonly clock: Clock;
  readonly rights: RightsDesk;
  readonly features: readonly ChannelFeature[];
  readonly settings: { readonly realtimeRecheckMs: number; readonly realtimeRechecksPerSecond: number };
  /** A feature has failed. */
  readonly onFailure: (channel: OpenChannel, error: unknown) => void;
}

/** Ends channels whose token has run out, and asks again what those who are on private ones may still do (threat R05). */
export class Keeper {
  readonly #needs: KeeperNeeds;
  readonly #channels = new Set<OpenChannel>();
  readonly #privates = new Set<OpenChannel>();
  readonly #due: PacedQueue<OpenChannel>;
  #timer: NodeJS.Timeout | null = null;
  /** Counts how often all rights came into doubt. */
  #round = 0;

  constructor(needs: KeeperNeeds) {
    this.#needs = needs;
    this.#due = new PacedQueue({
      work: (channel) => this.#check(channel),
      atOnce: mostAsked,
      perSecond: needs.settings.realtimeRechecksPerSecond,
    });
  }

  get size(): number {
    return this.#channels.size;
  }

  get privates(): number {
    return this.#privates.size;
  }

  get round(): number {
    return this.#round;
  }

  add(channel: OpenChannel): void {
    this.#channels.add(channel);
    this.#timer ??= setInterval(() => this.#look(), lookEveryMs).unref();
    if (!channel.config.isPrivate) return;
    this.#privates.add(channel);
    // The rules changed while its rights were asked for.
    if (channel.checkedInRound < this.#round) this.#due.add([channel], true);
  }

  remove(channel: OpenChannel): void {
    this.#channels.delete(channel);
    this.#privates.delete(channel);
    this.#due.delete(channel);
    if (this.#channels.size > 0 || this.#timer === null) return;
    clearInterval(this.#timer);
    this.#timer = null;
  }

  /** Something has changed that rights follow from. @param isUrgent not to be paced */
  doubtAll(isUrgent: boolean): void {
    this.#round++;
    this.#needs.rights.doubt();
    this.#due.add(this.#privates, isUrgent);
  }

  /**
   * Other keys are in force: looks at every token anew, and ends the channels of those that are not good any more (threat A04).
   * @param verify throws for such a token
   */
  async reviewTokens(verify: (token: string) => Principal): Promise<void> {
    let verified = 0;
    for (const channel of [...this.#channels]) {
      const { token, isOpen } = channel;
      if (!isOpen || token === null) continue;
      if (verified++ % mostVerified === 0) await nextTurn();
      if (channel.isOpen && channel.token === token) this.#review(channel, token, verify);
    }
  }

  #review(channel: OpenChannel, token: string, verify: (token: string) => Principal): void {
    try {
      const who = verify(token);
      if (who.expiresAtMs === channel.who.expiresAtMs) return;
      // The same words, but good for another time: its key retires.
      channel.who = who;
      if (channel.config.isPrivate) this.#due.add([channel], true);
    } catch {
      channel.end(tokenRevoked);
    }
  }

  stop(): void {
    if (this.#timer !== null) clearInterval(this.#timer);
    this.#timer = null;
    this.#due.stop();
  }

  #look(): void {
    const nowMs = this.#needs.clock.nowMs();
    const oldestMs = nowMs - this.#needs.settings.realtimeRecheckMs;
    for (const channel of [...this.#channels]) {
      if (channel.who.expiresAtMs <= nowMs) channel.end(tokenExpired);
      else if (channel.config.isPrivate && channel.checkedAtMs <= oldestMs) this.#due.add([channel]);
    }
  }

  /** Asks what a private channel's caller may do now, and ends the channel when that is nothing. */
  async #check(channel: OpenChannel): Promise<void> {
    const { who } = channel;
    const round = this.#round;
    let rights: ChannelRights;
    try {
      rights = await this.#needs.rights.ask(channel.name, who);
    } catch {
      // Nothing can have been changed where nothing can be asked; soon it can.
      channel.checkedAtMs = this.#needs.clock.nowMs() - this.#needs.settings.realtimeRecheckMs + retryMs;
      return;
    }
    // It has another token meanwhile, and was asked about with that.
    if (!channel.isOpen || channel.who !== who) return;
    channel.checkedAtMs = this.#needs.clock.nowMs();
    channel.checkedInRound = round;
    if (!canRead(rights)) return channel.end(unreadable(channel.name).message);
    const had = channel.rights;
    channel.rights = rights;
    if (had.readBroadcast === rights.readBroadcast && had.readPresence === rights.readPresence) return;
    this.tell(channel);
  }

  /**
   * Tells the features, in their order, that the caller is another one or may do something else: once all that follows the join has been
   * said, and one change after the other.
   */
  tell(channel: OpenChannel): void {
    channel.settled = channel.settled.then(async () => {
      try {
        for (const feature of this.#needs.features) {
          if (!channel.isOpen) return;
          await feature.identityChanged?.(channel);
        }
      } catch (error) {
        this.#needs.onFailure(channel, error);
      }
    });
  }
}

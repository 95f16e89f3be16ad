import type { Principal } from "../../../kernel/principal.ts";
import type { EndReason } from "../../../platform/identity/types.ts";
import type { RealtimeContext } from "../context.ts";
import { JoinRefusal } from "../join-refusal.ts";
import type { SocketHandler } from "../socket/index.ts";
import { TokenBucket } from "../token-bucket.ts";
import type { ChannelFeature, ChannelRights, Incoming, Socket } from "../types.ts";
import { replyMessage } from "../wire/index.ts";
import { OpenChannel } from "./channel.ts";
import { type Admission, admit, refusalOf, topicPrefix } from "./joins.ts";
import type { Keeper } from "./keeper.ts";
import { canRead, publicRights, type RightsDesk, readableRights, unreadable } from "./rights.ts";
import { tokenEnded, tokenOf, tokenRevoked, whoseToken } from "./token.ts";

/** Topics of one socket that may be worked on at the same time; then the socket's next message waits. */
const mostTurns = 32;

const unknownError = "UnknownErrorOnChannel: Something went wrong here, try again in a moment";

const endings: Readonly<Record<Exclude<EndReason, "keys">, string>> = {
  session: "its session has ended",
  ban: "its user is banned",
  deletion: "its user is gone",
};

export interface SocketChannelsNeeds {
  readonly context: RealtimeContext;
  readonly features: readonly ChannelFeature[];
  readonly rights: RightsDesk;
  readonly keeper: Keeper;
  /** A feature has failed: reports it and ends the channel, so that the client joins again. */
  readonly onFailure: (channel: OpenChannel | null, error: unknown) => void;
}

/** The channels of one socket: what its messages do, in order per topic. */
export class SocketChannels implements SocketHandler {
  readonly #needs: SocketChannelsNeeds;
  readonly #socket: Socket;
  readonly #channels = new Map<string, OpenChannel>();
  /** Topics that are being worked on. */
  readonly #turns = new Map<string, Promise<void>>();
  /** Joins that wait for PostgreSQL, and are no channels yet. */
  #asking = 0;
  #isClosed = false;
  readonly #joins: TokenBucket;

  constructor(needs: SocketChannelsNeeds, socket: Socket) {
    this.#needs = needs;
    this.#socket = socket;
    const perSecond = needs.context.settings.realtimeJoinsPerSecond;
    this.#joins = new TokenBucket({ perSecond, burst: perSecond }, performance.now());
  }

  message(message: Incoming): Promise<void> | void {
    const { topic } = message;
    const turn = this.#turns.get(topic);
    // The socket waits, so that no more than one message does.
    if (turn !== undefined) return turn.then(() => this.message(message));
    const working = this.#work(message);
    if (working === undefined) return;
    const done = working
      .catch((error: unknown) => this.#needs.onFailure(this.#channels.get(topic) ?? null, error))
      .finally(() => this.#turns.delete(topic));
    this.#turns.set(topic, done);
    if (this.#turns.size >= mostTurns) return Promise.race(this.#turns.values());
  }

  closed(_isClean: boolean): void {
    this.#isClosed = true;
    // Nobody has left a channel who has only gone from the socket: a client that ends closes its socket just as one that loses it.
    for (const channel of [...this.#channels.values()]) channel.close(null, true);
  }

  /** @returns nothing when it is done already */
  #work(message: Incoming): Promise<void> | undefined {
    if (this.#isClosed) return undefined;
    const channel = this.#channels.get(message.topic);
    try {
      if (message.event === "phx_join") return this.#join(message);
      if (message.event === "phx_leave") return this.#leave(channel, message);
      if (channel === undefined) return this.#refuse(message, "unmatched topic");
      if (message.event === "access_token") return this.#changeToken(channel, message.payload);
      return this.#offer(channel, message, 0);
    } catch (error) {
      this.#needs.onFailure(channel ?? null, error);
      return undefined;
    }
  }

  /** Hands it to the features until one takes it. What nobody takes is let go: no SDK waits for an answer to it. */
  #offer(channel: OpenChannel, message: Incoming, from: number): Promise<void> | undefined {
    const { features } = this.#needs;
    for (let i = from; i < features.length; i++) {
      const taken = features[i]!.handle?.(channel, message) ?? false;
      if (taken === true) return undefined;
      if (taken !== false) {
        return taken.then((isTaken) => (isTaken ? undefined : this.#offer(channel, message, i + 1)));
      }
    }
    return undefined;
  }

  #leave(channel: OpenChannel | undefined, message: Incoming): undefined {
    // A leave of an older join must not end the one that took its place.
    const isOfThis = message.joinRef === null || channel?.joinRef === null || channel?.joinRef === message.joinRef;
    const { topic, joinRef, ref } = message;
    this.#socket.send(replyMessage({ topic, joinRef, ref, status: "ok", response: {} }));
    if (isOfThis) channel?.close("phx_close", false);
  }

  #refuse({ topic, joinRef, ref }: Incoming, reason: string): undefined {
    this.#socket.send(replyMessage({ topic, joinRef, ref, status: "error", response: { reason } }));
  }

  async #join(message: Incoming): Promise<void> {
    const { topic } = message;
    if (!topic.startsWith(topicPrefix)) return this.#refuse(message, "unmatched topic");
    this.#channels.get(topic)?.close("phx_close", false);
    try {
      const channel = await this.#open(message);
      // Its messages need not wait for all that it missed.
      if (channel !== null) channel.settled = this.#settle(channel);
    } catch (error) {
      const refusal = refusalOf(error);
      if (refusal === null) this.#needs.onFailure(null, error);
      if (this.#isClosed) return;
      this.#refuse(message, refusal?.message ?? unknownError);
      if (refusal?.closesSocket) this.#socket.close(1008, refusal.message);
    }
  }

  /**
   * Lets it in and answers; from then on it is one of its room. `null` when it was over before that.
   * @throws JoinRefusal, and then nothing of it is left
   */
  async #open(message: Incoming): Promise<OpenChannel | null> {
    const { context, keeper, features } = this.#needs;
    this.#countJoin();
    const admission = admit(context, this.#socket, message);
    const checkedInRound = keeper.round;
    const rights = admission.config.isPrivate ? await this.#ask(admission) : publicRights;
    if (this.#isClosed) return null;
    const channel = new OpenChannel({
      ...admission,
      socket: this.#socket,
      topic: message.topic,
      joinRef: message.joinRef,
      rights,
      heldLimitBytes: context.settings.realtimeHeldBytes,
      onClosed: (closed, isLost) => this.#left(closed, isLost),
    });
    channel.checkedInRound = checkedInRound;
    channel.checkedAtMs = context.clock.nowMs();
    this.#channels.set(message.topic, channel);
    let response: Readonly<Record<string, unknown>> = { postgres_changes: [] };
    try {
      for (const feature of features) {
        const joining = feature.join?.(channel);
        const more = joining instanceof Promise ? await joining : joining;
        if (!channel.isOpen) return null;
        if (more !== undefined) response = { ...response, ...more };
      }
    } catch (error) {
      channel.close(null, false);
      throw error;
    }
    channel.reply(message.ref, "ok", response);
    context.rooms.enter(channel);
    channel.release();
    keeper.add(channel);
    this.#watch(channel);
    return channel;
  }

  async #ask(admission: Admission): Promise<ChannelRights> {
    this.#asking++;
    try {
      return await readableRights(this.#needs.rights, admission);
    } finally {
      this.#asking--;
    }
  }

  /** What follows the reply, feature by feature. Never rejects. */
  async #settle(channel: OpenChannel): Promise<void> {
    try {
      for (const feature of this.#needs.features) {
        if (!channel.isOpen) return;
        const joining = feature.joined?.(channel);
        if (joining !== undefined) await joining;
      }
    } catch (error) {
      this.#needs.onFailure(channel, error);
    }
  }

  /** @throws JoinRefusal */
  #countJoin(): void {
    if (!this.#joins.take(performance.now())) {
      throw new JoinRefusal("ClientJoinRateLimitReached", "Too many joins per second", { closesSocket: true });
    }
    if (this.#channels.size + this.#asking >= this.#needs.context.settings.realtimeChannelsPerSocket) {
      throw new JoinRefusal("ChannelRateLimitReached", "Too many channels");
    }
  }

  #changeToken(channel: OpenChannel, payload: unknown): Promise<void> | undefined {
    try {
      const token = tokenOf(payload);
      if (token === null || token === channel.token) return undefined;
      const who = whoseToken(this.#needs.context.identity, token);
      channel.token = token;
      // The same verified token gives the same principal: nothing is new.
      if (who === channel.who) return undefined;
      return this.#becomeSomebody(channel, who);
    } catch (error) {
      if (!(error instanceof JoinRefusal)) throw error;
      channel.end(error.message);
      return undefined;
    }
  }

  async #becomeSomebody(channel: OpenChannel, who: Principal): Promise<void> {
    const { rights: desk, keeper, context } = this.#needs;
    const { round } = keeper;
    if (channel.config.isPrivate) {
      // The rights it had stay until those it has now are known: a token is refreshed every hour, and nothing is lost by that.
      const rights = await desk.ask(channel.name, who).catch(() => null);
      if (!channel.isOpen) return;
      if (rights !== null && !canRead(rights)) return channel.end(unreadable(channel.name).message);
      if (rights !== null) channel.rights = rights;
      channel.checkedInRound = round;
      channel.checkedAtMs = rights === null ? 0 : context.clock.nowMs();
    }
    channel.who = who;
    this.#watch(channel);
    keeper.tell(channel);
  }

  /** Ends the channel when its caller's session does, or the caller is banned or gone. */
  #watch(channel: OpenChannel): void {
    channel.stopWatching();
    channel.stopWatching = this.#needs.context.revocations.watch(channel.who, (reason) => {
      channel.end(reason === "keys" ? tokenRevoked : tokenEnded(endings[reason]));
    });
  }

  #left(channel: OpenChannel, isLost: boolean): void {
    const { context, keeper, features } = this.#needs;
    if (this.#channels.get(channel.topic) === channel) this.#channels.delete(channel.topic);
    context.rooms.leave(channel);
    keeper.remove(channel);
    for (const feature of features) {
      try {
        feature.left?.(channel, isLost);
      } catch (error) {
        this.#needs.onFailure(null, error);
      }
    }
  }
}

import type { Principal } from "../../../kernel/principal.ts";
import { roomOf } from "../rooms.ts";
import type { Channel, ChannelConfig, ChannelRights, Outgoing, Socket } from "../types.ts";
import { channelEnd, replyMessage, systemMessage } from "../wire/index.ts";

/** What a channel needs of where it lives. */
export interface ChannelNeeds {
  readonly socket: Socket;
  readonly topic: string;
  readonly name: string;
  readonly joinRef: string | null;
  readonly config: ChannelConfig;
  readonly who: Principal;
  /** As the client gave it; `null`: the connection's key speaks. */
  readonly token: string | null;
  readonly rights: ChannelRights;
  readonly heldLimitBytes: number;
  /** Takes it out of everything. Called once. @param isLost as in `ChannelFeature.left` */
  readonly onClosed: (channel: OpenChannel, isLost: boolean) => void;
}

/** One topic that one socket has joined, from the moment its join is looked at. Keeps back everything until its join is answered. */
export class OpenChannel implements Channel {
  readonly socket: Socket;
  readonly topic: string;
  readonly name: string;
  readonly room: string;
  readonly joinRef: string | null;
  readonly config: ChannelConfig;
  who: Principal;
  token: string | null;
  rights: ChannelRights;
  /** When its rights were last asked for, and in which round (`Keeper`). */
  checkedAtMs = 0;
  checkedInRound = 0;
  /** Done when all that follows the join's reply, and every change of token since, has been said. Never rejects. */
  settled: Promise<void> = Promise.resolve();
  /** Stops waiting for the end of the caller's session. */
  stopWatching: () => void = () => {};
  isOpen = true;
  readonly #onClosed: ChannelNeeds["onClosed"];
  readonly #heldLimitBytes: number;
  /** How many want it held: the join itself, and who sends what was missed. */
  #holders = 1;
  #held: Outgoing[] = [];
  #heldBytes = 0;

  constructor(needs: ChannelNeeds) {
    this.socket = needs.socket;
    this.topic = needs.topic;
    this.name = needs.name;
    this.room = roomOf(needs.name, needs.config.isPrivate);
    this.joinRef = needs.joinRef;
    this.config = needs.config;
    this.who = needs.who;
    this.token = needs.token;
    this.rights = needs.rights;
    this.#heldLimitBytes = needs.heldLimitBytes;
    this.#onClosed = needs.onClosed;
  }

  send(message: Outgoing): void {
    if (!this.isOpen) return;
    if (this.#holders === 0) this.socket.send(message);
    else this.#keep(message);
  }

  sendNow(message: Outgoing): void {
    if (this.isOpen) this.socket.send(message);
  }

  hold(): void {
    this.#holders++;
  }

  release(): void {
    if (this.#holders > 0) this.#holders--;
    if (this.#holders > 0 || this.#held.length === 0) return;
    const held = this.#held;
    this.#held = [];
    this.#heldBytes = 0;
    for (const message of held) this.sendNow(message);
  }

  reply(ref: string | null, status: "ok" | "error", response: unknown): void {
    const { topic, joinRef } = this;
    this.sendNow(replyMessage({ topic, joinRef, ref, status, response }));
  }

  system(extension: string, status: "ok" | "error", message: string): void {
    const { topic, joinRef } = this;
    this.send(systemMessage({ topic, joinRef, extension, status, message }));
  }

  end(message: string): void {
    if (!this.isOpen) return;
    const { topic, joinRef } = this;
    this.sendNow(systemMessage({ topic, joinRef, extension: "system", status: "error", message }));
    this.close("phx_close", false);
  }

  /** Ends it. @param event what the client is told; `null` when it cannot be told, or need not be */
  close(event: "phx_close" | "phx_error" | null, isLost: boolean): void {
    if (!this.isOpen) return;
    if (event !== null) this.sendNow(channelEnd(this.topic, this.joinRef, event));
    this.isOpen = false;
    this.#held = [];
    this.stopWatching();
    this.#onClosed(this, isLost);
  }

  #keep(message: Outgoing): void {
    const bytes = message.frame(this.socket.version)?.length ?? 0;
    this.#heldBytes += bytes;
    // As a socket that does not read: it comes back, and is sent what it missed.
    if (this.#heldBytes > this.#heldLimitBytes) this.socket.close(1013, "Too much is waiting for this channel");
    else if (bytes > 0) this.#held.push(message);
  }
}

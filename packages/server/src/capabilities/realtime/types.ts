import type { LogEntry, Lsn } from "../../kernel/change.ts";
import type { Principal } from "../../kernel/principal.ts";

/** Of the frames, as the client asks for it with `vsn` (protocols: Phoenix channels). */
export type WireVersion = "1.0.0" | "2.0.0";

/**
 * One message to any number of sockets: encoded at most once per version, and framed for the websocket once, however many
 * receive it. Never changed after it was made (threat R02).
 */
export interface Outgoing {
  /** A whole websocket frame; `null` when this version cannot carry it (bytes to a 1.0.0 client). */
  frame(version: WireVersion): Buffer | null;
}

/** One message of a client. */
export interface Incoming {
  readonly joinRef: string | null;
  readonly ref: string | null;
  /** As on the wire: `realtime:room`, `phoenix`. */
  readonly topic: string;
  readonly event: string;
  /** Parsed JSON; for a binary frame what is in `broadcast`. */
  readonly payload: unknown;
  /** Of a frame of kind 3, whose payload is passed through as it is. */
  readonly broadcast: UserBroadcast | null;
}

/** A broadcast as bytes that nobody here needs to understand. */
export interface UserBroadcast {
  readonly event: string;
  /** JSON text, or `""`. */
  readonly metadata: string;
  readonly encoding: "json" | "bytes";
  readonly payload: Buffer;
}

/** A client's websocket. */
export interface Socket {
  readonly id: string;
  readonly version: WireVersion;
  /** Who the connection's key says it is: the caller of every channel that brings no token. */
  readonly key: Principal;
  readonly address: string;
  /** The SDK by its own word (`X-Client-Info`, or the user agent); `""` when it says nothing. */
  readonly clientInfo: string;
  /** The largest number it has sent as a `ref`: clients that keep counting over a reconnection are known by it. */
  readonly lastRef: number;
  /** Bytes in its queue that have not left yet: whoever has much to send waits until it is little. */
  readonly queuedBytes: number;
  /** Puts it into the socket's queue. Beyond the queue's bytes the socket is cut, never waited for (threat R11). */
  send(message: Outgoing): void;
  /**
   * Told when all that was sent so far has arrived: the client's websocket has said so. At once when nothing was sent since it last did;
   * not at all when it is being asked already, or never answers.
   */
  confirm(told: () => void): void;
  /**
   * Told when the app itself has read all that was sent so far: it sends a heartbeat only after it has read the answer to the last one.
   * A browser confirms what has arrived although its page stands still, and may throw it away unread. Not at all when it is being asked
   * already, or sends no heartbeats.
   */
  confirmRead(told: () => void): void;
  /** The client has closed it because it read no answer in time: what had arrived by then counts only as far as it was read. */
  readonly isGivenUp: boolean;
  /** Sends what is queued, then closes. */
  close(code: number, reason: string): void;
}

/** What a client asked for in `phx_join`, with what was left out filled in. A malformed part is as if left out. */
export interface ChannelConfig {
  readonly isPrivate: boolean;
  readonly broadcast: {
    readonly ack: boolean;
    readonly self: boolean;
    /** As sent: for the broadcast feature to judge. */
    readonly replay: unknown;
    readonly isReplicationReadyWanted: boolean;
  };
  readonly presence: { readonly key: string; readonly enabled: boolean };
  /** As sent, in the order sent: they must be given back unchanged. */
  readonly rowChanges: readonly Readonly<Record<string, unknown>>[];
  /**
   * How long the join may wait for its row changes to be on, in ms; refused when they are not by then. `null`: it is answered in any case,
   * as most clients expect.
   */
  readonly rowChangesWaitMs: number | null;
}

/** What policies on `realtime.messages` allow on a private channel; all of it on a public one. */
export interface ChannelRights {
  readonly readBroadcast: boolean;
  readonly readPresence: boolean;
  /** Asked for when first needed, once per channel and token (threat R07: never taken from reading). */
  writeBroadcast(): Promise<boolean>;
  writePresence(): Promise<boolean>;
  /** Whether broadcasts may be stored, besides being written. */
  storeBroadcast(): Promise<boolean>;
}

/** One topic that one socket has joined. */
export interface Channel {
  readonly socket: Socket;
  /** `realtime:room` */
  readonly topic: string;
  /** `room` */
  readonly name: string;
  /** The room all members share; private and public ones of one name are different rooms (threat R06). */
  readonly room: string;
  readonly joinRef: string | null;
  readonly config: ChannelConfig;
  /** Changes with `access_token`. */
  readonly who: Principal;
  readonly rights: ChannelRights;
  readonly isOpen: boolean;
  /** Sends now; or after what it missed, while that is on its way (`hold`). */
  send(message: Outgoing): void;
  /** Sends ahead of what is held. */
  sendNow(message: Outgoing): void;
  /** Keeps back what is sent until `release`; bounded by the socket's queue. */
  hold(): void;
  release(): void;
  reply(ref: string | null, status: "ok" | "error", response: unknown): void;
  system(extension: string, status: "ok" | "error", message: string): void;
  /** A `system` error, then `phx_close`: the client does not come back by itself. */
  end(message: string): void;
}

/**
 * One thing a channel can do. The order of features is the order of what follows a join's reply: presence, what was replayed or
 * missed, the word that row changes are on.
 */
export interface ChannelFeature {
  readonly name: string;
  /** Before the reply. @returns what to add to its `response` @throws JoinRefusal */
  join?(
    channel: Channel,
  ): Promise<Readonly<Record<string, unknown>> | undefined> | Readonly<Record<string, unknown>> | undefined;
  /** After the reply. */
  joined?(channel: Channel): Promise<void> | void;
  /** @returns false when this event is not this feature's */
  handle?(channel: Channel, message: Incoming): Promise<boolean> | boolean;
  /** The channel has another token, or its rights have been asked for anew. */
  identityChanged?(channel: Channel): Promise<void> | void;
  /** The channel is closed, for whatever reason. `isLost`: without the client's word, so it may come back for what it misses. */
  left?(channel: Channel, isLost: boolean): void;
}

/** Whoever puts entries of the log on channels, live, and can do so again for a channel that has missed some. */
export interface Replayer {
  /** Everything before it has been delivered to all channels. */
  position(): Lsn;
  /**
   * Resolves when all that was put on channels so far is before `position()`: what is not in the log yet cannot be sent again. To be
   * awaited before one asks how far to replay. At once when nothing is on its way; never rejects, never waits long.
   */
  settled?(): Promise<void>;
  /**
   * Resolves when it is settled what the channel waits for, which may be after the reply to its join: until then nothing can be said of what it missed.
   * @returns false when that takes longer than `timeoutMs`, or cannot be known now
   */
  ready?(channel: Channel, timeoutMs: number): Promise<boolean>;
  /** Is told which entries it will be asked to replay, soon and in parts: what must be looked up for them is looked up once. */
  prepare?(channel: Channel, entries: readonly LogEntry[]): Promise<void>;
  /**
   * Sends of these entries, in order, what this channel would have got, judged by its rights of now (threat R08), except what it has
   * got since it joined. `formerSocketId`: the socket it was lost with; what it had sent there was its own.
   */
  replay(channel: Channel, entries: Iterable<LogEntry>, formerSocketId?: string | null): Promise<void>;
}

import type { Socket as TcpSocket } from "node:net";
import type { WebSocket } from "ws";
import type { Principal } from "../../../kernel/principal.ts";
import type { Values } from "../../../kernel/settings.ts";
import { TokenBucket } from "../token-bucket.ts";
import type { Incoming, Outgoing, Socket, WireVersion } from "../types.ts";
import { channelEnd, decode, replyMessage, systemMessage, WireError } from "../wire/index.ts";
import { Confirmations } from "./confirmations.ts";
import type { Handshake } from "./handshake.ts";
import { Inbox } from "./inbox.ts";
import { type Flusher, Outbox } from "./outbox.ts";
import type { socketSettings } from "./settings.ts";

/** What is done with one socket's messages. */
export interface SocketHandler {
  /** In order: the next message is handed over when the promise for this one is done. What it throws closes the socket (1011). */
  message(incoming: Incoming): void | Promise<void>;
  /**
   * The last call, once, after the message in hand is done. `isClean`: the client closed the websocket of its own will. A client that
   * was lost, or that we have cut off, may come back for what it misses.
   */
  closed(isClean: boolean): void;
}

/** What all sockets of a server share. */
export interface SocketNeeds {
  readonly settings: Values<typeof socketSettings>;
  readonly flusher: Flusher;
  /** Milliseconds of a clock that never jumps (threat X18). */
  readonly nowMs: () => number;
  readonly onFailed: (socketId: string, error: unknown) => void;
  readonly onClosed: (socket: ClientSocket) => void;
  /** It was cut off as too slow, or as one that sends too much. */
  readonly onCut: (reason: "slow" | "flood") => void;
}

/** Codes of a close frame (RFC 6455 §7.4.1 and its registry at IANA). */
export const closeCodes = { goingAway: 1001, policy: 1008, failed: 1011, restart: 1012, tryLater: 1013 } as const;

/** Of the reason in a close frame: 125 bytes of a control frame without the code. */
const reasonLimitBytes = 123;

/** realtime-js says a normal goodbye when it gives a connection up that has not answered it, and comes back. */
const givenUp = "heartbeat timeout";

/** One websocket of a client, from the end of the handshake on. */
export class ClientSocket implements Socket {
  readonly id: string;
  readonly address: string;
  readonly version: WireVersion;
  readonly key: Principal;
  readonly keyText: string | null;
  readonly clientInfo: string;
  readonly #websocket: WebSocket;
  readonly #tcp: TcpSocket;
  readonly #needs: SocketNeeds;
  readonly #handler: SocketHandler;
  readonly #inbox: Inbox<Incoming>;
  readonly #outbox: Outbox;
  readonly #bucket: TokenBucket;
  readonly #confirmations = new Confirmations((frame) => this.#put(frame));
  #lastRef = 0;
  #heardAtMs: number;
  #isPinged = false;
  #isGivenUp = false;
  #isOpen = true;
  #isEndedByUs = false;
  /** `bytesRead` of the connection when the last message was whole. */
  #wholeAtBytes = 0;
  #grace: NodeJS.Timeout | null = null;

  constructor(
    given: Handshake & {
      readonly id: string;
      readonly address: string;
      readonly websocket: WebSocket;
      readonly tcp: TcpSocket;
      readonly open: (socket: Socket) => SocketHandler;
    },
    needs: SocketNeeds,
  ) {
    this.id = given.id;
    this.address = given.address;
    this.version = given.version;
    this.key = given.key;
    this.keyText = given.keyText;
    this.clientInfo = given.clientInfo;
    this.#websocket = given.websocket;
    this.#tcp = given.tcp;
    this.#needs = needs;
    const { settings } = needs;
    this.#heardAtMs = needs.nowMs();
    this.#wholeAtBytes = this.#tcp.bytesRead;
    this.#bucket = new TokenBucket(
      { perSecond: settings.realtimeMessagesPerSecond, burst: settings.realtimeMessagesBurst },
      this.#heardAtMs,
    );
    this.#outbox = new Outbox({
      stream: this.#tcp,
      limitBytes: settings.realtimeQueueBytes,
      flusher: needs.flusher,
      isOpen: () => this.#websocket.readyState === this.#websocket.OPEN,
    });
    this.#inbox = new Inbox<Incoming>({
      limits: { messages: settings.realtimeInboxMessages, bytes: settings.realtimeInboxBytes },
      handle: (incoming) => this.#handler.message(incoming),
      reader: this.#websocket,
      onFailed: (error) => this.#fail(error),
    });
    this.#handler = given.open(this);
    this.#listen();
  }

  get #isSendable(): boolean {
    return this.#isOpen && this.#websocket.readyState === this.#websocket.OPEN;
  }

  get lastRef(): number {
    return this.#lastRef;
  }

  get queuedBytes(): number {
    return this.#isOpen ? this.#outbox.queuedBytes : 0;
  }

  /** Received, but no whole message yet. */
  get unfinishedBytes(): number {
    return this.#isOpen ? this.#tcp.bytesRead - this.#wholeAtBytes : 0;
  }

  send(message: Outgoing): void {
    const frame = this.#isSendable ? message.frame(this.version) : null;
    if (frame === null) return;
    this.#confirmations.sending();
    this.#put(frame);
  }

  confirm(told: () => void): void {
    if (this.#isSendable) this.#confirmations.ask(told);
  }

  confirmRead(told: () => void): void {
    if (this.#isOpen) this.#confirmations.askRead(told);
  }

  get isGivenUp(): boolean {
    return this.#isGivenUp;
  }

  close(code: number, reason: string): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.#isEndedByUs = true;
    this.#outbox.finish();
    this.#inbox.clear();
    this.#websocket.close(code, fitting(reason));
    this.#hangUpLater();
  }

  /** Ends the connection without a word. */
  cut(): void {
    this.#isOpen = false;
    this.#isEndedByUs = true;
    this.#websocket.terminate();
  }

  /** Asks the silent for a sign of life, and closes those who gave none. Called every now and then. */
  checkLife(nowMs: number): void {
    if (!this.#isOpen) return;
    const { realtimeIdleMs } = this.#needs.settings;
    if (this.#inbox.isPaused) this.#heardAtMs = nowMs;
    const silentMs = nowMs - this.#heardAtMs;
    if (silentMs >= realtimeIdleMs) this.close(closeCodes.goingAway, "Idle for too long");
    else if (silentMs * 2 >= realtimeIdleMs && !this.#isPinged) {
      this.#isPinged = true;
      this.#websocket.ping();
    }
  }

  #listen(): void {
    const websocket = this.#websocket;
    websocket.on("message", (data, isBinary) => this.#receive(data as Buffer, isBinary)); // `nodebuffer` is what ws gives by default
    // Pings are answered by ws; they count, or they would be the flood that nobody counts.
    websocket.on("ping", () => this.#hear() && this.#countFlood(null));
    websocket.on("pong", (data) => {
      this.#hear();
      this.#confirmations.ponged(data);
    });
    websocket.on("error", () => {
      // A frame that is none: ws has answered with 1002, 1007 or 1009.
      this.#isOpen = false;
      this.#isEndedByUs = true;
      this.#outbox.drop();
      this.#hangUpLater();
    });
    websocket.on("close", (code, reason) => {
      this.#isOpen = false;
      this.#outbox.drop();
      if (this.#grace !== null) clearTimeout(this.#grace);
      const isGoodbye = code === 1000 || code === 1001 || code === 1005;
      this.#isGivenUp = reason.toString() === givenUp;
      const isClean = isGoodbye && !this.#isEndedByUs && !this.#isGivenUp;
      this.#inbox.end(() => this.#finish(isClean));
    });
  }

  #receive(data: Buffer, isBinary: boolean): void {
    this.#wholeAtBytes = this.#tcp.bytesRead;
    if (!this.#hear()) return;
    let incoming: Incoming | null = null;
    try {
      incoming = decode(this.version, data, isBinary);
    } catch (error) {
      if (!(error instanceof WireError)) return this.#fail(error);
      if (error.closeCode !== null) return this.close(error.closeCode, error.message);
    }
    if (this.#countFlood(incoming) || incoming === null) return;
    this.#noteRef(incoming.ref);
    if (incoming.topic === "phoenix" && incoming.event === "heartbeat") this.#answerHeartbeat(incoming);
    else this.#inbox.add(incoming, data.length);
  }

  #put(frame: Buffer): void {
    if (this.#outbox.add(frame)) return;
    this.#needs.onCut("slow");
    // What waits is dropped, so that the goodbye has a chance to be read; the client asks for the rest when it is back.
    this.#outbox.drop();
    this.close(closeCodes.tryLater, "Too slow");
  }

  /** @returns whether it is still listened to */
  #hear(): boolean {
    this.#heardAtMs = this.#needs.nowMs();
    this.#isPinged = false;
    return this.#isOpen;
  }

  /** Ahead of what waits in the inbox: a client that hears nothing takes the connection for dead. */
  #answerHeartbeat({ topic, joinRef, ref }: Incoming): void {
    this.#confirmations.beat();
    const frame = replyMessage({ topic, joinRef, ref, status: "ok", response: {} }).frame(this.version);
    // Nobody comes back for it: a quiet socket is asked to confirm nothing.
    if (this.#isSendable && frame !== null) this.#put(frame);
  }

  /** @returns true when it was one message too many, and the socket is closed */
  #countFlood(incoming: Incoming | null): boolean {
    if (this.#bucket.take(this.#heardAtMs)) return false;
    const message = "Too many messages per second";
    if (incoming !== null && incoming.topic !== "phoenix") {
      const { topic, joinRef } = incoming;
      this.send(systemMessage({ topic, joinRef, extension: "system", status: "error", message }));
      this.send(channelEnd(topic, joinRef, "phx_close"));
    }
    this.#needs.onCut("flood");
    this.close(closeCodes.policy, message);
    return true;
  }

  #noteRef(ref: string | null): void {
    if (ref === null || !/^\d{1,15}$/.test(ref)) return;
    this.#lastRef = Math.max(this.#lastRef, Number(ref));
  }

  #fail(error: unknown): void {
    this.#needs.onFailed(this.id, error);
    this.close(closeCodes.failed, "Something went wrong on our side");
  }

  #hangUpLater(): void {
    this.#grace ??= setTimeout(() => this.#websocket.terminate(), this.#needs.settings.realtimeCloseMs).unref();
  }

  #finish(isClean: boolean): void {
    try {
      this.#handler.closed(isClean);
    } catch (error) {
      this.#needs.onFailed(this.id, error);
    }
    this.#needs.onClosed(this);
  }
}

/** Cut between two characters. */
function fitting(reason: string): string {
  let text = reason;
  while (Buffer.byteLength(text) > reasonLimitBytes) text = [...text].slice(0, -1).join("");
  return text;
}

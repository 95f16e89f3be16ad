import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";

/** A message as it came, of either version, text or binary. */
export interface Message {
  readonly topic: string;
  readonly event: string;
  // biome-ignore lint/suspicious/noExplicitAny: tests look into payloads of every shape
  readonly payload: any;
  readonly ref: string | null;
  /** Milliseconds of this process's clock when it came. */
  readonly atMs: number;
}

export interface Closed {
  /** Of the close frame (RFC 6455 §7.4.1); 1006 when there was none. */
  readonly code: number;
  readonly reason: string;
}

export interface ConnectOptions {
  readonly key?: string | null;
  readonly version?: "1.0.0" | "2.0.0";
  readonly headers?: Readonly<Record<string, string>>;
  /** Of broadcasts it keeps their number only. */
  readonly countsOnly?: boolean;
}

/** What a request to open a websocket got. */
export interface Handshake {
  readonly status: number;
  readonly head: string;
  readonly body: string;
}

export const handshakeOf = (
  url: string,
  { key = null, version = "2.0.0", headers = {} }: ConnectOptions,
  path = "/realtime/v1/websocket",
): string => {
  const query = new URLSearchParams({ ...(key === null ? {} : { apikey: key }), vsn: version });
  const lines = {
    Host: new URL(url).host,
    Connection: "Upgrade",
    Upgrade: "websocket",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": randomBytes(16).toString("base64"),
    ...headers,
  };
  const head = Object.entries(lines).map(([name, value]) => `${name}: ${value}\r\n`);
  return `GET ${path}?${query} HTTP/1.1\r\n${head.join("")}\r\n`;
};

export async function openTcp(url: string): Promise<Socket> {
  const { hostname, port } = new URL(url);
  const tcp = connect({ host: hostname, port: Number(port), noDelay: true });
  tcp.on("error", () => {});
  await once(tcp, "connect");
  return tcp;
}

/** Asks to open a websocket and reads what is said to that, to the end when it is refused. */
export async function handshake(url: string, options: ConnectOptions, path?: string): Promise<Handshake> {
  const tcp = await openTcp(url);
  tcp.write(handshakeOf(url, options, path));
  let text = "";
  for await (const chunk of tcp) {
    text += String(chunk);
    if (text.startsWith("HTTP/1.1 101 ") && text.includes("\r\n\r\n")) break;
  }
  tcp.destroy();
  const [head = "", body = ""] = text.split("\r\n\r\n");
  return { status: Number(head.split(" ")[1]), head, body };
}

/** A frame as clients send it, masked (RFC 6455 §5.2). */
export function clientFrame(opcode: number, payload: Uint8Array | string, firstBits = 0x80): Buffer {
  const data = Buffer.from(payload as Uint8Array);
  const { length } = data;
  const size = length < 126 ? 2 : length < 65_536 ? 4 : 10;
  const frame = Buffer.alloc(size + 4 + length);
  frame[0] = firstBits | opcode;
  frame[1] = 0x80 | (size === 2 ? length : size === 4 ? 126 : 127);
  if (size === 4) frame.writeUInt16BE(length, 2);
  if (size === 10) frame.writeBigUInt64BE(BigInt(length), 2);
  const mask = randomBytes(4);
  mask.copy(frame, size);
  for (let at = 0; at < length; at++) frame[size + 4 + at] = data[at]! ^ mask[at & 3]!;
  return frame;
}

/** A broadcast as the newest SDKs send it: kind 3 of the protocol's binary frames. */
export function broadcastFrame(topic: string, joinRef: string, event: string, payload: string | Buffer): Buffer {
  const parts = [joinRef, "", topic, event, ""].map((part) => Buffer.from(part));
  const encoding = typeof payload === "string" ? 1 : 0;
  const head = Buffer.from([3, ...parts.map(({ length }) => length), encoding]);
  return Buffer.concat([head, ...parts, Buffer.from(payload as Buffer)]);
}

/**
 * A websocket by hand: nothing between the test and the bytes, and cheap enough for a thousand of them. Answers pings; keeps all it is
 * told.
 */
export class Client {
  readonly received: Message[] = [];
  readonly tcp: Socket;
  readonly version: "1.0.0" | "2.0.0";
  readonly closed: Promise<Closed>;
  isOpen = true;
  /** Broadcasts that came. */
  broadcasts = 0;
  readonly #countsOnly: boolean;
  #rest = Buffer.alloc(0);
  #end: Closed = { code: 1006, reason: "" };
  #ref = 0;
  readonly #joinRefs = new Map<string, string>();
  #wake: (() => void)[] = [];

  private constructor(tcp: Socket, { version = "2.0.0", countsOnly = false }: ConnectOptions, rest: Buffer) {
    this.tcp = tcp;
    this.version = version;
    this.#countsOnly = countsOnly;
    tcp.on("data", (chunk: Buffer) => this.#take(chunk));
    this.closed = new Promise((resolve) => {
      tcp.once("close", () => {
        this.isOpen = false;
        this.#wakeAll();
        resolve(this.#end);
      });
    });
    if (rest.length > 0) this.#take(rest);
  }

  /** @throws Error with the answer, when it is refused */
  static async open(url: string, options: ConnectOptions): Promise<Client> {
    const tcp = await openTcp(url);
    tcp.write(handshakeOf(url, options));
    let head = Buffer.alloc(0);
    while (!head.includes("\r\n\r\n")) {
      const [chunk] = (await once(tcp, "data")) as [Buffer];
      head = Buffer.concat([head, chunk]);
    }
    const end = head.indexOf("\r\n\r\n") + 4;
    if (!head.toString("latin1", 0, 13).startsWith("HTTP/1.1 101 ")) throw new Error(head.toString());
    return new Client(tcp, options, head.subarray(end));
  }

  /** Sends bytes as they are. */
  raw(bytes: Buffer): void {
    this.tcp.write(bytes);
  }

  /** Sends an event. @returns its ref */
  push(topic: string, event: string, payload: unknown): string {
    const ref = String(++this.#ref);
    if (event === "phx_join") this.#joinRefs.set(topic, ref);
    const joinRef = this.#joinRefs.get(topic) ?? null;
    const message =
      this.version === "2.0.0"
        ? [joinRef, ref, topic, event, payload]
        : { topic, event, payload, ref, join_ref: joinRef };
    this.raw(clientFrame(1, JSON.stringify(message)));
    return ref;
  }

  /** Broadcasts on a channel that was joined, in the form of SDKs of this version. */
  broadcast(topic: string, event: string, payload: unknown): void {
    if (this.version === "1.0.0") this.push(topic, "broadcast", { type: "broadcast", event, payload });
    else this.raw(clientFrame(2, broadcastFrame(topic, this.joinRef(topic), event, JSON.stringify(payload))));
  }

  joinRef(topic: string): string {
    return this.#joinRefs.get(topic) ?? "";
  }

  /** Sends an event and waits for its answer: `{ status, response }`. */
  async ask(topic: string, event: string, payload: unknown): Promise<Message["payload"]> {
    const ref = this.push(topic, event, payload);
    return (await this.next((message) => message.event === "phx_reply" && message.ref === ref)).payload;
  }

  join(topic: string, config: unknown = {}, token?: unknown): Promise<Message["payload"]> {
    return this.ask(topic, "phx_join", { config, ...(token === undefined ? {} : { access_token: token }) });
  }

  /** Joins, and waits for the word that row changes are on. @throws Error with what was said instead */
  async follow(topic: string, bindings: readonly unknown[], token?: string): Promise<void> {
    const from = this.received.length;
    const reply = await this.join(topic, { postgres_changes: bindings }, token);
    if (reply.status !== "ok") throw new Error(JSON.stringify(reply));
    const isSaid = (message: Message) =>
      message.event === "system" && message.topic === topic && message.payload.extension === "postgres_changes";
    const { payload } = await this.next(isSaid, from);
    if (payload.status !== "ok") throw new Error(payload.message);
  }

  /** The first message from `from` on, of what came or comes, that fits. Rejects after half a minute and when the socket ends. */
  async next(fits: (message: Message) => boolean, from = 0, timeoutMs = 30_000): Promise<Message> {
    const until = performance.now() + timeoutMs;
    for (let at = from; ; ) {
      for (; at < this.received.length; at++) if (fits(this.received[at]!)) return this.received[at]!;
      const leftMs = until - performance.now();
      if (leftMs <= 0 || !this.isOpen) {
        const said = this.received.slice(-5).map((message) => JSON.stringify(message).slice(0, 300));
        throw new Error(`${this.isOpen ? "Nothing fits" : "The socket is closed"}: ${said.join("\n")}`);
      }
      await Promise.race([new Promise<void>((resolve) => this.#wake.push(resolve)), sleep(Math.min(leftMs, 100))]);
    }
  }

  of(event: string, topic?: string): readonly Message[] {
    return this.received.filter(
      (message) => message.event === event && (topic === undefined || message.topic === topic),
    );
  }

  /** Answered: all that the server had for this socket before has come. */
  async beat(): Promise<boolean> {
    if (!this.isOpen) return false;
    try {
      return (await this.ask("phoenix", "heartbeat", {})).status === "ok";
    } catch {
      return false;
    }
  }

  /** Goes without a word. */
  cut(): void {
    this.tcp.destroy();
  }

  #take(chunk: Buffer): void {
    const bytes = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    let at = 0;
    while (at + 2 <= bytes.length) {
      const short = bytes[at + 1]! & 0x7f;
      const head = short < 126 ? 2 : short === 126 ? 4 : 10;
      if (at + head > bytes.length) break;
      const length =
        short < 126 ? short : short === 126 ? bytes.readUInt16BE(at + 2) : Number(bytes.readBigUInt64BE(at + 2));
      if (at + head + length > bytes.length) break;
      this.#frame(bytes[at]! & 0x0f, bytes.subarray(at + head, at + head + length));
      at += head + length;
    }
    this.#rest = Buffer.from(bytes.subarray(at));
    this.#wakeAll();
  }

  #frame(opcode: number, data: Buffer): void {
    if (opcode === 9) this.raw(clientFrame(10, data));
    else if (opcode === 8) {
      this.#end = { code: data.length < 2 ? 1005 : data.readUInt16BE(0), reason: data.toString("utf8", 2) };
      if (!this.tcp.destroyed) this.tcp.end(clientFrame(8, data.subarray(0, 2)));
    } else if (opcode === 2 && this.#countsOnly) this.broadcasts++;
    else if (opcode !== 10) {
      const message = { ...(opcode === 2 ? readBroadcast(data) : readText(data)), atMs: performance.now() };
      if (message.event === "broadcast") this.broadcasts++;
      this.received.push(message);
    }
  }

  #wakeAll(): void {
    for (const wake of this.#wake.splice(0)) wake();
  }
}

function readText(data: Buffer): Omit<Message, "atMs"> {
  const message = JSON.parse(data.toString());
  if (!Array.isArray(message)) return message;
  const [, ref, topic, event, payload] = message;
  return { ref, topic, event, payload };
}

/** Kind 4: a broadcast, told like one in text. */
function readBroadcast(data: Buffer): Omit<Message, "atMs"> {
  const [kind, topicLength = 0, eventLength = 0, metaLength = 0, encoding] = data;
  if (kind !== 4) throw new Error(`A binary frame of kind ${kind}`);
  let at = 5;
  const take = (length: number): string => {
    at += length;
    return data.toString("utf8", at - length, at);
  };
  const topic = take(topicLength);
  const event = take(eventLength);
  const metadata = take(metaLength);
  const content = data.subarray(at);
  const payload = encoding === 1 ? JSON.parse(content.toString()) : content;
  const meta = metadata === "" ? {} : { meta: JSON.parse(metadata) };
  return { ref: null, topic, event: "broadcast", payload: { type: "broadcast", event, payload, ...meta } };
}

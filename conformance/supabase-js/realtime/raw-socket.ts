import { vi } from "vitest";
import WebSocket from "ws";
import { within } from "./realtime-app.ts";

/** A message of protocol 1.0.0. */
export interface Message {
  readonly topic: string;
  readonly event: string;
  readonly payload: Readonly<Record<string, unknown>>;
  readonly ref: string | null;
  readonly join_ref?: string | null;
}

export interface Reply {
  readonly status: "ok" | "error";
  readonly response: Readonly<Record<string, unknown>>;
}

/** What a client sends, with a number to be answered by. */
export interface Question {
  readonly topic: string;
  readonly event: string;
  readonly payload: unknown;
  readonly ref: string;
  readonly join_ref?: string;
}

/** A websocket that says what a client of another language says, letter by letter. */
export class RawSocket {
  readonly messages: Message[] = [];
  /** Frames as they came. */
  readonly frames: string[] = [];
  closed: { readonly code: number; readonly reason: string } | null = null;
  readonly #socket: WebSocket;
  #lastRef = 0;

  private constructor(socket: WebSocket) {
    this.#socket = socket;
    socket.on("message", (data, isBinary) => {
      if (isBinary) throw new Error("Bytes to a client of protocol 1.0.0");
      this.frames.push(String(data));
      this.messages.push(JSON.parse(String(data)));
    });
    socket.on("close", (code, reason) => {
      this.closed = { code, reason: String(reason) };
    });
    socket.on("error", () => {});
  }

  /** @param query what the client puts into its address: `apikey=…&vsn=1.0.0` */
  static async open(url: string, query: string, headers: Readonly<Record<string, string>> = {}): Promise<RawSocket> {
    const socket = new WebSocket(`${url.replace(/^http/, "ws")}/realtime/v1/websocket?${query}`, { headers });
    const raw = new RawSocket(socket);
    await new Promise<void>((resolve, reject) => socket.once("open", resolve).once("error", reject));
    return raw;
  }

  send(message: object): void {
    this.#socket.send(JSON.stringify(message));
  }

  /** The next number, as text. */
  nextRef(): string {
    return String(++this.#lastRef);
  }

  /** Sends it as it is, and waits for the answer to its `ref`. */
  async ask(message: Question): Promise<Reply> {
    this.send(message);
    const reply = await this.waitFor(
      ({ event, topic, ref }) => event === "phx_reply" && topic === message.topic && ref === message.ref,
    );
    return reply.payload as unknown as Reply;
  }

  waitFor(fits: (message: Message) => boolean): Promise<Message> {
    return vi.waitFor(() => {
      const found = this.messages.find(fits);
      if (found === undefined) throw new Error(`Not among what came: ${JSON.stringify(this.messages)}`);
      return found;
    }, within);
  }

  of(event: string): readonly Message[] {
    return this.messages.filter((message) => message.event === event);
  }

  close(): void {
    this.#socket.terminate();
  }
}

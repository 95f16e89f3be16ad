import { opcodes, websocketFrame } from "../wire/websocket-frame.ts";

/**
 * What a client has for certain. A websocket answers a ping when all before it has arrived (RFC 6455 §5.5.3), and a client beats again
 * when it has read the answer to its heartbeat, and so all that was sent before that.
 */
export class Confirmations {
  /** Puts a frame into the queue, behind all else: a ping that overtook what it asks about would prove nothing. */
  readonly #put: (frame: Buffer) => void;
  /** Something was sent that the client has not confirmed. */
  #isOwed = false;
  /** Asked for by the ping that is on its way. */
  #asked: { readonly number: number; readonly told: () => void } | null = null;
  #count = 0;
  /** Asked for by the next heartbeat but one. */
  #reading: { isAnswered: boolean; readonly told: () => void } | null = null;

  constructor(put: (frame: Buffer) => void) {
    this.#put = put;
  }

  /** Something is sent that a client may come back for. */
  sending(): void {
    this.#isOwed = true;
  }

  /** At once when nothing was sent since it last confirmed; not at all when it is being asked already. */
  ask(told: () => void): void {
    if (this.#asked !== null) return;
    if (!this.#isOwed) return told();
    this.#count = (this.#count + 1) >>> 0;
    const number = this.#count;
    this.#asked = { number, told };
    this.#isOwed = false;
    const body = Buffer.alloc(4);
    body.writeUInt32BE(number);
    this.#put(websocketFrame(opcodes.ping, [body]));
  }

  ponged(data: Buffer): void {
    const asked = this.#asked;
    if (asked === null || data.length !== 4 || data.readUInt32BE(0) !== asked.number) return;
    this.#asked = null;
    asked.told();
  }

  askRead(told: () => void): void {
    this.#reading ??= { isAnswered: false, told };
  }

  /** The answer goes behind all that was sent so far: whoever beats again after it has read that, too. */
  beat(): void {
    const asked = this.#reading;
    if (asked === null) return;
    if (!asked.isAnswered) {
      asked.isAnswered = true;
      return;
    }
    this.#reading = null;
    asked.told();
  }
}

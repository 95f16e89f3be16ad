/**
 * Reads what a client says to PostgreSQL: https://www.postgresql.org/docs/current/protocol-message-formats.html. Only statements' texts
 * are kept; everything else is counted and skipped, however large.
 */
export class FrontendReader {
  /** Of the start-up message; `null` before it. */
  parameters: ReadonlyMap<string, string> | null = null;
  readonly #on: Events;
  #rest: Buffer = Buffer.alloc(0);
  #skipBytes = 0;

  constructor(on: Events) {
    this.#on = on;
  }

  read(chunk: Buffer): void {
    let bytes = chunk;
    if (this.#skipBytes > 0) {
      const skipped = Math.min(this.#skipBytes, bytes.length);
      this.#skipBytes -= skipped;
      bytes = bytes.subarray(skipped);
    }
    this.#rest = this.#rest.length === 0 ? bytes : Buffer.concat([this.#rest, bytes]);
    while (this.#next()) {}
  }

  /** Takes one message off; false when it has not come whole. */
  #next(): boolean {
    const rest = this.#rest;
    const head = this.parameters === null ? 0 : 1;
    if (rest.length < head + 4) return false;
    const end = head + rest.readInt32BE(head);
    const type = head === 0 ? "" : String.fromCharCode(rest[0]!);
    const isKept = type === "" || type === "P" || type === "Q";
    if (!isKept) this.#on.onMessage("other", "");
    if (rest.length < end) {
      if (isKept) return false;
      this.#skipBytes = end - rest.length;
      this.#rest = Buffer.alloc(0);
      return false;
    }
    this.#rest = rest.subarray(end);
    if (type === "") this.#start(rest.subarray(4, end));
    else if (type === "Q") this.#on.onMessage("query", textAt(rest, 5));
    else if (type === "P") this.#on.onMessage("parse", textAt(rest, rest.indexOf(0, 5) + 1));
    return this.#rest.length > 0;
  }

  /** Protocol 3.x, or a question about encryption, which is followed by another start. */
  #start(message: Buffer): void {
    if (message.readInt16BE(0) !== 3) return;
    const words = message.subarray(4).toString("utf8").split("\0");
    const parameters = new Map<string, string>();
    for (let at = 0; at + 1 < words.length; at += 2) if (words[at] !== "") parameters.set(words[at]!, words[at + 1]!);
    this.parameters = parameters;
    this.#on.onStart(parameters);
  }
}

interface Events {
  onStart(parameters: ReadonlyMap<string, string>): void;
  onMessage(kind: "parse" | "query" | "other", text: string): void;
}

function textAt(message: Buffer, start: number): string {
  return message.toString("utf8", start, message.indexOf(0, start));
}

import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { frameKind } from "../channel/kinds.ts";

/** How a thread comes in. */
export interface Invitation {
  readonly socketPath: string;
  /** Says which thread it is. Worth one connection. */
  readonly token: string;
}

const helloMs = 10_000;
const helloHeadBytes = 9;
const helloLimitBytes = 256;
/** Connections that have not said yet which thread they are. */
const strangersLimit = 256;

/** Where threads come in: a socket in a folder that is ours alone. Whoever connects has to say first which thread it is, and soon. */
export class Reception {
  readonly #onCame: (thread: number, socket: Socket) => void;
  readonly #byToken = new Map<string, number>();
  readonly #sockets = new Set<Socket>();
  #folder: string | null = null;
  #server: Server | null = null;
  #strangers = 0;

  /** @param onCame told of each once. From there on the socket is the listener's; what came with the word is still to be read */
  constructor(onCame: (thread: number, socket: Socket) => void) {
    this.#onCame = onCame;
  }

  /** Absolute; `null` before anybody was invited. */
  get folder(): string | null {
    return this.#folder;
  }

  invite(thread: number): Invitation {
    const token = randomBytes(24).toString("base64url");
    this.#byToken.set(token, thread);
    return { socketPath: this.#listen(), token };
  }

  /** Whoever had this comes too late. */
  withdraw(token: string): void {
    this.#byToken.delete(token);
  }

  /** Ends all connections, also of those who are known. */
  close(): void {
    for (const socket of this.#sockets) socket.destroy();
    this.#server?.close();
    if (this.#folder !== null) rmSync(this.#folder, { recursive: true, force: true });
  }

  /** Paths of sockets may not be longer than some 100 bytes, and a project's may. */
  #listen(): string {
    if (this.#folder === null) {
      this.#folder = mkdtempSync(join(tmpdir(), "mst-"));
      this.#server = createServer((socket) => this.#greet(socket));
      this.#server.on("error", () => {});
      this.#server.listen(join(this.#folder, "s"));
      this.#server.unref();
    }
    return join(this.#folder, "s");
  }

  #greet(socket: Socket): void {
    socket.on("error", () => {});
    if (this.#strangers >= strangersLimit) return void socket.destroy();
    this.#strangers++;
    this.#sockets.add(socket);
    const timer = setTimeout(() => socket.destroy(), helloMs);
    let isStranger = true;
    const known = (): void => {
      clearTimeout(timer);
      if (isStranger) this.#strangers--;
      isStranger = false;
    };
    socket.once("close", () => {
      known();
      this.#sockets.delete(socket);
    });
    let bytes: Buffer = Buffer.alloc(0);
    const read = (chunk: Buffer): void => {
      bytes = Buffer.concat([bytes, chunk]);
      if (bytes.length < helloHeadBytes) return;
      const end = bytes.readUInt32LE(0) + 4;
      if (end > helloLimitBytes || bytes[4] !== frameKind.hello) return void socket.destroy();
      if (bytes.length < end) return;
      const token = bytes.toString("latin1", helloHeadBytes, end);
      const thread = this.#byToken.get(token);
      this.#byToken.delete(token);
      if (thread === undefined) return void socket.destroy();
      // What came with it is for whoever listens from here on.
      socket.off("data", read).pause();
      if (bytes.length > end) socket.unshift(bytes.subarray(end));
      known();
      this.#onCame(thread, socket);
      socket.resume();
    };
    socket.on("data", read);
  }
}

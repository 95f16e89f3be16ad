import type { IncomingMessage } from "node:http";
import type { Duplex } from "node:stream";
import { callerAddress, type IsTrusted } from "./address.ts";

/**
 * Takes over a connection that asked to become a websocket. Owns the socket from then on, its errors included. `address` is the caller's,
 * whoever of our own proxies stood between.
 */
export type UpgradeHandler = (request: IncomingMessage, socket: Duplex, head: Buffer, address: string) => void;

/** Who takes over websockets, by path. */
export class Upgrades {
  readonly #handlers = new Map<string, UpgradeHandler>();
  readonly #sockets = new Set<Duplex>();
  readonly #isTrusted: IsTrusted;
  #isDraining = false;

  constructor(isTrusted: IsTrusted) {
    this.#isTrusted = isTrusted;
  }

  /** `path` is exact and without query: `/realtime/v1/websocket`. */
  set(path: string, handler: UpgradeHandler): void {
    this.#handlers.set(path, handler);
  }

  /** A request to upgrade nobody serves is an ordinary request without it (RFC 9110 §7.8). */
  isServed(request: IncomingMessage): boolean {
    return !this.#isDraining && this.#find(request) !== undefined;
  }

  accept(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    const handler = this.#find(request);
    // Node before 24.9 does not ask `isServed` first and leaves no way back to an ordinary request.
    if (handler === undefined || this.#isDraining) {
      socket.end("HTTP/1.1 404 Not Found\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
      return;
    }
    this.#sockets.add(socket);
    socket.once("close", () => this.#sockets.delete(socket));
    socket.on("error", () => socket.destroy());
    handler(request, socket, head, this.#addressOf(request));
  }

  stopAccepting(): void {
    this.#isDraining = true;
  }

  /** Cuts what its owners have not closed. Returns how many there were. */
  destroyAll(): number {
    const count = this.#sockets.size;
    for (const socket of this.#sockets) socket.destroy();
    return count;
  }

  #addressOf({ socket, headers }: IncomingMessage): string {
    const forwardedFor = headers["x-forwarded-for"] as string | undefined; // Node joins repeated ones with a comma
    return callerAddress(socket.remoteAddress, forwardedFor, this.#isTrusted);
  }

  #find(request: IncomingMessage): UpgradeHandler | undefined {
    if (request.headers.upgrade?.toLowerCase() !== "websocket") return undefined;
    return this.#handlers.get(request.url!.split("?", 1)[0]!);
  }
}

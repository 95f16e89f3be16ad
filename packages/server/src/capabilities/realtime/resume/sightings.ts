import type { Lsn } from "../../../kernel/change.ts";
import type { Socket } from "../types.ts";

/** What a socket has said of what was sent to it. */
interface Sighting {
  channels: number;
  /** All that was sent before this place of the log had come has arrived. */
  arrived: Lsn;
  /** When that was asked, by `performance.now()`. */
  askedAtMs: number;
}

/**
 * How far clients really are. What is sent to a connection that has died in silence vanishes for up to a minute before anybody notices;
 * so sockets are asked now and then, and only what they have confirmed counts.
 */
export class Sightings {
  readonly #position: () => Lsn;
  readonly #ofSocket = new Map<Socket, Sighting>();

  /** @param position everything before it has been put on channels; 0 when that is unknown */
  constructor(position: () => Lsn) {
    this.#position = position;
  }

  enter(socket: Socket): void {
    const known = this.#ofSocket.get(socket);
    if (known === undefined)
      this.#ofSocket.set(socket, { channels: 1, arrived: 0n, askedAtMs: Number.NEGATIVE_INFINITY });
    else known.channels++;
  }

  leave(socket: Socket): void {
    const known = this.#ofSocket.get(socket);
    if (known !== undefined && --known.channels === 0) this.#ofSocket.delete(socket);
  }

  /** What has arrived at this socket, as far as that was asked after `sinceMs`; otherwise `null`. */
  arrived(socket: Socket, sinceMs: number): Lsn | null {
    const known = this.#ofSocket.get(socket);
    return known !== undefined && known.askedAtMs > sinceMs ? known.arrived : null;
  }

  /** Asks every socket that was sent something. */
  ask(): void {
    const position = this.#position();
    if (position === 0n) return;
    const askedAtMs = performance.now();
    for (const [socket, sighting] of this.#ofSocket) {
      socket.confirm(() => {
        sighting.arrived = position;
        sighting.askedAtMs = askedAtMs;
      });
    }
  }
}

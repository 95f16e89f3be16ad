import type { Lsn } from "../../../kernel/change.ts";
import type { Socket } from "../types.ts";

/** All that was sent before this place of the log had come is there. */
interface Sight {
  readonly place: Lsn;
  /** When that was asked, by `performance.now()`. */
  readonly askedAtMs: number;
}

/** What a socket has said of what was sent to it. */
interface Sighting {
  channels: number;
  arrived: Sight;
  /** By the app, which is never before it has arrived. */
  read: Sight;
}

const nothing: Sight = { place: 0n, askedAtMs: Number.NEGATIVE_INFINITY };

/**
 * How far clients really are. What is sent to a connection that has died in silence vanishes for up to a minute before anybody notices;
 * so sockets are asked now and then, and only what they have confirmed counts. Of a page that stood still and then gave its connection up
 * only what it has read: its browser had confirmed the rest, and threw it away.
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
    if (known === undefined) this.#ofSocket.set(socket, { channels: 1, arrived: nothing, read: nothing });
    else known.channels++;
  }

  leave(socket: Socket): void {
    const known = this.#ofSocket.get(socket);
    if (known !== undefined && --known.channels === 0) this.#ofSocket.delete(socket);
  }

  /** What this client has, as far as that was asked after `sinceMs`; otherwise `null`. */
  arrived(socket: Socket, sinceMs: number): Lsn | null {
    const known = this.#ofSocket.get(socket);
    if (known === undefined) return null;
    const { place, askedAtMs } = socket.isGivenUp ? known.read : known.arrived;
    return askedAtMs > sinceMs ? place : null;
  }

  /** Asks every socket that was sent something. */
  ask(): void {
    const place = this.#position();
    if (place === 0n) return;
    const sight: Sight = { place, askedAtMs: performance.now() };
    for (const [socket, sighting] of this.#ofSocket) {
      socket.confirm(() => {
        sighting.arrived = sight;
      });
      socket.confirmRead(() => {
        sighting.read = sight;
      });
    }
  }
}

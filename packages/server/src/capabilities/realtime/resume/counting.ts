import type { Channel, Socket } from "../types.ts";

/** Where a client's counting was when it first joined something over a socket. */
export interface FirstJoin {
  /** `null`: this client begins to count anew with every connection, so nothing can be told by it. */
  readonly ref: number | null;
  readonly atMs: number;
}

/**
 * Clients that reset their counter: Kotlin counts per connection, from 0 on; Swift begins anew when the app disconnects and connects
 * again (read in supabase-kt 3.7 and supabase-swift 3). JavaScript, Flutter and Python count for the life of the client object.
 */
const resets = /^(supabase-kt|supabase-swift|realtime-swift)\b/;

export function firstJoinOf({ joinRef, socket }: Channel, nowMs: number): FirstJoin {
  const ref = joinRef !== null && /^\d{1,15}$/.test(joinRef) ? Number(joinRef) : socket.lastRef;
  return { ref: ref === 0 || resets.test(socket.clientInfo) ? null : ref, atMs: nowMs };
}

/** Nobody who counts comes back with the very first number: this app has just started. */
export const isFreshStart = ({ ref }: FirstJoin): boolean => ref !== null && ref <= 1;

/** Remembers first joins for as long as their sockets live. */
export class FirstJoins {
  readonly #ofSocket = new WeakMap<Socket, FirstJoin>();

  /** Of the channel's socket: this join, when it is the first. */
  of(channel: Channel, nowMs: number): FirstJoin {
    const known = this.#ofSocket.get(channel.socket);
    if (known !== undefined) return known;
    const first = firstJoinOf(channel, nowMs);
    this.#ofSocket.set(channel.socket, first);
    return first;
  }
}

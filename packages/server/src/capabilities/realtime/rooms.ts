import type { Channel } from "./types.ts";

const nobody: ReadonlySet<Channel> = new Set();

/** The one name of a room: private and public ones of one topic are different rooms (threat R06). */
export const roomOf = (name: string, isPrivate: boolean): string => (isPrivate ? `private:${name}` : `public:${name}`);

/** Which channels of this node are in which room. */
export class Rooms {
  readonly #rooms = new Map<string, Set<Channel>>();

  get size(): number {
    return this.#rooms.size;
  }

  members(room: string): ReadonlySet<Channel> {
    return this.#rooms.get(room) ?? nobody;
  }

  enter(channel: Channel): void {
    const members = this.#rooms.get(channel.room);
    if (members === undefined) this.#rooms.set(channel.room, new Set([channel]));
    else members.add(channel);
  }

  leave(channel: Channel): void {
    const members = this.#rooms.get(channel.room);
    if (members === undefined) return;
    members.delete(channel);
    if (members.size === 0) this.#rooms.delete(channel.room);
  }
}

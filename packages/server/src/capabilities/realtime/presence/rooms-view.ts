import { type Meta, RoomView } from "./room-view.ts";

/** What one room's members are to be told. */
export interface RoomDiff {
  readonly room: string;
  /** JSON text of `presence_diff`. */
  readonly diff: string;
}

/** Who is in which room. Changes are gathered for a while and told together. */
export class RoomsView {
  readonly #rooms = new Map<string, RoomView>();
  readonly #changed = new Set<string>();
  readonly #gatherMs: number;
  readonly #tell: (diff: RoomDiff) => void;
  #timer: NodeJS.Timeout | null = null;

  constructor(gatherMs: number, tell: (diff: RoomDiff) => void) {
    this.#gatherMs = gatherMs;
    this.#tell = tell;
  }

  /** `null`: it is gone. */
  set(room: string, instance: string, meta: Meta | null): void {
    let view = this.#rooms.get(room);
    if (view === undefined) {
      view = new RoomView();
      this.#rooms.set(room, view);
    }
    view.set(instance, meta);
    this.#changed.add(room);
    this.#timer ??= setTimeout(() => this.flush(), this.#gatherMs);
  }

  /** JSON text of `presence_state`, as of the last diff. */
  stateOf(room: string): string {
    return this.#rooms.get(room)?.state() ?? "{}";
  }

  /** Tells what has been gathered. */
  flush(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    const rooms = [...this.#changed];
    this.#changed.clear();
    for (const room of rooms) {
      const view = this.#rooms.get(room)!;
      const diff = view.diff();
      if (view.isEmpty) this.#rooms.delete(room);
      if (diff !== null) this.#tell({ room, diff });
    }
  }

  stop(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
  }
}

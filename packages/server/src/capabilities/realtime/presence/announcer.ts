import type { ChangeLog } from "../../../platform/changes/types.ts";
import type { Nodes } from "../../../platform/nodes/types.ts";
import { encodeMessage, logPrefix, type NodeMessage, type Placed } from "./node-messages.ts";
import type { Meta } from "./room-view.ts";

/** What travels in one log message, in bytes of names and fields. */
const messageBytes = 262_144;
/** A node that has asked is there for so long, in ms, whatever the registry says: it may know us before we know it. */
const askedKeptMs = 30_000;
/** After a failure all is said anew, after so long, in ms. */
const retryMs = 1_000;

export interface AnnouncerNeeds {
  readonly log: Pick<ChangeLog, "emit">;
  readonly nodes: Pick<Nodes, "id" | "others">;
}

/**
 * Tells other nodes who is on this one, while there are others. One message is being written at a time; what changes meanwhile goes with
 * the next, a channel's newest word only.
 */
export class Announcer {
  readonly #needs: AnnouncerNeeds;
  readonly #placed = new Map<number, Placed & { readonly meta: Meta }>();
  readonly #changed = new Map<number, Placed>();
  #version = 0;
  /** Others must hear all of it: they have asked, or something was never said. */
  #owesState = false;
  #owesAsk = false;
  #writing: Promise<void> | null = null;
  #retry: NodeJS.Timeout | null = null;
  #askedAtMs = Number.NEGATIVE_INFINITY;
  #isStopped = false;

  constructor(needs: AnnouncerNeeds) {
    this.#needs = needs;
  }

  /** A channel of this node tracks, tracks otherwise, or has gone. */
  place(placed: Placed): void {
    const { id, room, meta } = placed;
    if (meta === null) this.#placed.delete(id);
    else this.#placed.set(id, { id, room, meta });
    if (this.#hasListeners()) this.#changed.set(id, placed);
    else this.#owesState = true;
    this.#write();
  }

  /** Another node wants to hear the state. */
  asked(): void {
    this.#askedAtMs = performance.now();
    this.tellState();
  }

  tellState(): void {
    if (this.#version > 0 || this.#placed.size > 0 || this.#owesState) this.#owesState = true;
    this.#write();
  }

  /** Asks the others for their state. */
  ask(): void {
    this.#owesAsk = true;
    this.#write();
  }

  /** Says what is unsaid. Never rejects. */
  async stop(): Promise<void> {
    if (this.#retry !== null) clearTimeout(this.#retry);
    this.#retry = null;
    this.#write();
    this.#isStopped = true;
    await this.#writing;
  }

  #hasListeners(): boolean {
    return this.#needs.nodes.others().length > 0 || performance.now() - this.#askedAtMs < askedKeptMs;
  }

  #write(): void {
    if (this.#isStopped || this.#writing !== null || this.#retry !== null) return;
    if (!this.#owesAsk && !(this.#hasListeners() && (this.#owesState || this.#changed.size > 0))) return;
    // Begins at the end of the tick, with all that has come in it.
    this.#writing = Promise.resolve().then(async () => {
      const isWritten = await this.#emit(this.#next());
      this.#writing = null;
      if (isWritten) return this.#write();
      this.#owesState = true;
      if (this.#isStopped) return;
      this.#retry = setTimeout(() => {
        this.#retry = null;
        this.#write();
      }, retryMs);
      this.#retry.unref();
    });
  }

  /** Takes what is owed. */
  #next(): NodeMessage[] {
    const nodeId = this.#needs.nodes.id;
    const messages: NodeMessage[] = [];
    if (this.#owesAsk) messages.push({ kind: "ask", nodeId });
    this.#owesAsk = false;
    if (!this.#hasListeners()) return messages;
    if (this.#owesState) {
      const version = ++this.#version;
      const parts = portions([...this.#placed.values()]);
      for (const [part, placed] of parts.entries()) {
        messages.push({ kind: "state", nodeId, version, part, parts: parts.length, placed });
      }
    } else if (this.#changed.size > 0) {
      for (const placed of portions([...this.#changed.values()])) {
        messages.push({ kind: "changes", nodeId, version: ++this.#version, placed });
      }
    }
    this.#owesState = false;
    this.#changed.clear();
    return messages;
  }

  async #emit(messages: readonly NodeMessage[]): Promise<boolean> {
    const { log } = this.#needs;
    try {
      await Promise.all(messages.map((each) => log.emit(logPrefix, encodeMessage(each), { isUrgent: true })));
      return true;
    } catch {
      if (messages.some(({ kind }) => kind === "ask")) this.#owesAsk = true;
      return false;
    }
  }
}

/** Cut by size; at least one, even of nothing. */
function portions(placed: readonly Placed[]): (readonly Placed[])[] {
  const all: Placed[][] = [[]];
  let sizeBytes = 0;
  for (const each of placed) {
    const { meta } = each;
    const bytes = each.room.length + (meta === null ? 0 : meta.key.length + meta.fields.length) + 32;
    if (sizeBytes > 0 && sizeBytes + bytes > messageBytes) {
      all.push([]);
      sizeBytes = 0;
    }
    all.at(-1)!.push(each);
    sizeBytes += bytes;
  }
  return all;
}

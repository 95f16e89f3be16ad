import type { NodeMessage, Placed } from "./node-messages.ts";
import type { Meta } from "./room-view.ts";

/** Nodes whose messages came before the registry knew them: most that are remembered, and for how many looks. */
const unknownMost = 64;
const unknownLooks = 6;

/** What is known of another node. */
interface Replica {
  /** Of the newest message taken in; `null` while its whole state is waited for. */
  version: number | null;
  placed: Map<number, Placed & { readonly meta: Meta }>;
  /** Only of nodes that live: a late word of a dead one must not put its clients back. */
  isShown: boolean;
  /** A state that has not come whole yet. */
  incoming: { readonly version: number; readonly parts: (readonly Placed[] | null)[] } | null;
  looks: number;
}

export interface ReplicasNeeds {
  readonly ownId: string;
  /** An instance of another node has changed, or is gone. */
  readonly show: (room: string, instance: string, meta: Meta | null) => void;
  /** The state of other nodes is wanted: something was missed. */
  readonly ask: () => void;
}

/**
 * The presences on other nodes, put together from what these say. Each node numbers its messages: one that is missed is noticed, and
 * the state asked for. What is shown depends on the newest message of each node and on which nodes live, not on the order in which
 * one hears of them.
 */
export class Replicas {
  readonly #needs: ReplicasNeeds;
  readonly #replicas = new Map<string, Replica>();
  #living: ReadonlySet<string> = new Set();

  constructor(needs: ReplicasNeeds) {
    this.#needs = needs;
  }

  /** The nodes that live now. What is on others is gone. */
  setLiving(nodeIds: Iterable<string>): void {
    const before = this.#living;
    this.#living = new Set(nodeIds);
    for (const [nodeId, replica] of this.#replicas) {
      if (this.#living.has(nodeId)) this.#reveal(nodeId, replica);
      else if (before.has(nodeId)) this.#drop(nodeId, replica);
    }
  }

  take(message: NodeMessage): void {
    if (message.kind === "ask" || message.nodeId === this.#needs.ownId) return;
    const replica = this.#replicaOf(message.nodeId);
    if (message.kind === "state") this.#takeState(replica, message);
    else this.#takeChanges(replica, message);
  }

  /** Messages may have been missed: nothing but whole states counts from now on. */
  doubtAll(): void {
    for (const replica of this.#replicas.values()) replica.version = null;
    this.#needs.ask();
  }

  /** To be called every few seconds: asks again for what has not come, and forgets nodes that the registry never knew. */
  look(): void {
    let isWaiting = false;
    for (const [nodeId, replica] of this.#replicas) {
      if (this.#living.has(nodeId)) isWaiting ||= replica.version === null;
      else if (++replica.looks > unknownLooks) this.#replicas.delete(nodeId);
    }
    if (isWaiting) this.#needs.ask();
  }

  #replicaOf(nodeId: string): Replica {
    let replica = this.#replicas.get(nodeId);
    if (replica === undefined) {
      const isShown = this.#living.has(nodeId);
      replica = { version: 0, placed: new Map(), isShown, incoming: null, looks: 0 };
      this.#replicas.set(nodeId, replica);
      if (!isShown) this.#forgetOldestUnknown();
    }
    return replica;
  }

  #takeChanges(replica: Replica, { nodeId, version, placed }: NodeMessage & { readonly kind: "changes" }): void {
    if (replica.version === null || version <= replica.version) return;
    if (version !== replica.version + 1) {
      replica.version = null;
      if (this.#living.has(nodeId)) this.#needs.ask();
      return;
    }
    replica.version = version;
    for (const each of placed) this.#place(nodeId, replica, each);
  }

  #takeState(replica: Replica, message: NodeMessage & { readonly kind: "state" }): void {
    const { nodeId, version, part, parts, placed } = message;
    if (replica.version !== null && version <= replica.version) return;
    if (replica.incoming?.version !== version || replica.incoming.parts.length !== parts) {
      replica.incoming = { version, parts: Array.from({ length: parts }, () => null) };
    }
    replica.incoming.parts[part] = placed;
    if (replica.incoming.parts.includes(null)) return;
    const whole = replica.incoming.parts.flatMap((each) => each ?? []);
    replica.incoming = null;
    replica.version = version;
    const there = new Set(whole.map(({ id }) => id));
    for (const { id, room } of replica.placed.values()) {
      if (!there.has(id)) this.#place(nodeId, replica, { id, room, meta: null });
    }
    for (const each of whole) this.#place(nodeId, replica, each);
  }

  #place(nodeId: string, replica: Replica, { id, room, meta }: Placed): void {
    const before = replica.placed.get(id);
    if (before?.meta.ref === meta?.ref) return;
    if (meta === null) replica.placed.delete(id);
    else replica.placed.set(id, { id, room, meta });
    if (replica.isShown) this.#needs.show(room, instanceOf(nodeId, id), meta);
  }

  #reveal(nodeId: string, replica: Replica): void {
    if (replica.isShown) return;
    replica.isShown = true;
    for (const { id, room, meta } of replica.placed.values()) this.#needs.show(room, instanceOf(nodeId, id), meta);
    if (replica.version === null) this.#needs.ask();
  }

  #drop(nodeId: string, replica: Replica): void {
    this.#replicas.delete(nodeId);
    if (!replica.isShown) return;
    for (const { id, room } of replica.placed.values()) this.#needs.show(room, instanceOf(nodeId, id), null);
  }

  #forgetOldestUnknown(): void {
    const unknown = [...this.#replicas.keys()].filter((nodeId) => !this.#living.has(nodeId));
    if (unknown.length > unknownMost) this.#replicas.delete(unknown[0]!);
  }
}

/** Of a tracking channel, for all nodes. */
export const instanceOf = (nodeId: string, id: number): string => `${nodeId}/${id}`;

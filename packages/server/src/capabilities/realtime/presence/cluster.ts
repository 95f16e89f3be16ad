import type { LogEntry } from "../../../kernel/change.ts";
import type { ChangeLog } from "../../../platform/changes/types.ts";
import type { Nodes } from "../../../platform/nodes/types.ts";
import { Announcer } from "./announcer.ts";
import { decodeMessage, logPrefix, type Placed } from "./node-messages.ts";
import { Replicas } from "./replicas.ts";
import type { Meta } from "./room-view.ts";

export interface ClusterNeeds {
  readonly log: Pick<ChangeLog, "emit">;
  readonly nodes: Pick<Nodes, "id" | "others">;
  /** An instance of another node has changed; `null`: it is gone. */
  readonly show: (room: string, instance: string, meta: Meta | null) => void;
}

/** The presences of all nodes, as this one takes part in them: tells its own, and hears those of others. */
export class Cluster {
  readonly #nodes: ClusterNeeds["nodes"];
  readonly #announcer: Announcer;
  readonly #replicas: Replicas;
  #living: ReadonlySet<string> = new Set();
  #isFollowing = false;

  constructor(needs: ClusterNeeds) {
    this.#nodes = needs.nodes;
    this.#announcer = new Announcer(needs);
    this.#replicas = new Replicas({
      ownId: needs.nodes.id,
      show: needs.show,
      ask: () => this.#announcer.ask(),
    });
  }

  /** A channel of this node tracks, tracks otherwise, or has gone. */
  place(placed: Placed): void {
    this.#announcer.place(placed);
  }

  /** The log is followed from now on. */
  followed(): void {
    this.#isFollowing = true;
    this.#announcer.ask();
  }

  /** The next entry of the log. */
  take(entry: LogEntry): void {
    const message = entry.kind === "message" && entry.prefix === logPrefix ? decodeMessage(entry.content) : null;
    if (message === null || message.nodeId === this.#nodes.id) return;
    if (message.kind === "ask") this.#announcer.asked();
    else this.#replicas.take(message);
  }

  /** Entries of the log were missed. */
  missed(): void {
    this.#replicas.doubtAll();
    // Questions may have been among them. Who asked does not ask again of a node that it has never heard of.
    this.#announcer.tellState();
  }

  /** Nodes have come or gone. */
  nodesChanged(): void {
    const before = this.#living;
    this.#living = new Set(this.#nodes.others().map(({ id }) => id));
    this.#replicas.setLiving(this.#living);
    if (!this.#isFollowing || [...this.#living].every((id) => before.has(id))) return;
    this.#announcer.tellState();
    // One that was thought dead goes on where it was, and what was on it has been forgotten here.
    this.#announcer.ask();
  }

  /** To be called every few seconds. */
  look(): void {
    this.#replicas.look();
  }

  /** Says what is unsaid. Never rejects. */
  stop(): Promise<void> {
    return this.#announcer.stop();
  }
}

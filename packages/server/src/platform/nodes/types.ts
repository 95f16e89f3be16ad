/** Another process of ours on the same database. */
export interface OtherNode {
  readonly id: string;
}

/** Those that are alive now and were not, and the other way round. */
export interface NodeChange {
  readonly came: readonly OtherNode[];
  readonly gone: readonly OtherNode[];
}

/**
 * The processes that work on one database: each says that it lives, and all notice when one does not any more. By PostgreSQL's
 * clock, so that the clocks of machines do not matter (threat X18).
 */
export interface Nodes {
  /** This process, new with every start: a UUID. */
  readonly id: string;
  /** Those that are alive besides this one, as last seen. */
  others(): readonly OtherNode[];
  /**
   * Told when a node has come or gone. A node that was killed is noticed within `nodeGoneMs`. Must not throw and must not wait.
   * @returns how to stop listening
   */
  onChange(listener: (change: NodeChange) => void): () => void;
  /** Says goodbye, so that others need not wait. Never rejects. */
  close(): Promise<void>;
}

/** What a node has said of its keys. */
export interface NodeKeys {
  /** Stands for them: two nodes with the same have the same keys. */
  readonly fingerprint: string;
  /** Whether it is alive, as far as one can know. */
  readonly isHere: boolean;
}

/** The registry as those see it who compare what nodes have in common. */
export interface NodeRegistry extends Nodes {
  /** What other nodes have said of their keys, last seen first; for a month also those that are gone. Rejects when the database is away. */
  keysOfOthers(): Promise<readonly NodeKeys[]>;
  /** Says which keys this node has. When it rejects, the next beat says it. */
  announceKeys(fingerprint: string): Promise<void>;
}

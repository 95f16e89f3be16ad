/** Another process of ours on the same database. */
export interface OtherNode {
  readonly id: string;
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
  /** Told when a node has come or gone. A node that was killed is noticed within `nodeGoneMs`. @returns how to stop listening */
  onChange(
    listener: (change: { readonly came: readonly OtherNode[]; readonly gone: readonly OtherNode[] }) => void,
  ): () => void;
  /** Says goodbye, so that others need not wait. */
  close(): Promise<void>;
}

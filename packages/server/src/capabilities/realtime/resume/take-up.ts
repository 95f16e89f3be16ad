import type { Lsn } from "../../../kernel/change.ts";
import { earlierOf } from "../../../platform/changes/lsn.ts";

/** A channel that a client which joins may have had. */
export interface Candidate {
  readonly id: string;
  /** The largest `ref` it had sent. */
  readonly lastRef: number;
  /** Everything before it has arrived. */
  readonly cursor: Lsn;
  /** `null` when another process had it. */
  readonly socketId: string | null;
  /**
   * `live`: the server has not noticed that it is lost, if it is. `doubtful`: it was lost after its client had, it seems, come back
   * already: only for whom nothing better is found.
   */
  readonly kind: "departed" | "doubtful" | "live";
}

export interface TakenUp {
  /** Where the client goes on. */
  readonly cursor: Lsn;
  /** The socket it had, where that is certain. */
  readonly formerSocketId: string | null;
  /** Is no longer waited for; `null` when what was found is live. */
  readonly taken: Candidate | null;
  /** These may be the client's own after all: from now on their cursor is the one it went on from. */
  readonly lowered: readonly Candidate[];
}

/**
 * Which of several lost channels of one identity, topic and configuration a client goes on with. It goes on from the oldest place among
 * those that fit: messages come twice rather than never.
 *
 * One record is used up for one client that returns. Which client it was cannot be known, so this must hold: for each client that is
 * still away there is a record of its own that fits it, and whose cursor is not beyond its own. Taking away the one with the largest
 * `lastRef` and lowering the others to the cursor that was used keeps that: if the record taken away stood for a client X that is still
 * away, then that of the client R that returned stands for X now. It fits (its `lastRef` is not larger than that of the one taken, which
 * is not larger than X's), and its cursor is the least of all.
 *
 * @param isOwn whether a channel with this `lastRef` and socket may have been the client's
 * @returns `null` when nothing fits
 */
export function takeUp(candidates: readonly Candidate[], isOwn: (candidate: Candidate) => boolean): TakenUp | null {
  const fitting = candidates.filter(isOwn);
  const certain = fitting.filter(({ kind }) => kind !== "doubtful");
  const pool = certain.length > 0 ? certain : fitting;
  if (pool.length === 0) return null;
  const cursor = pool.map((one) => one.cursor).reduce(earlierOf);
  const departed = pool.filter(({ kind }) => kind !== "live");
  const taken = departed.reduce<Candidate | null>(
    (latest, one) => (latest === null || one.lastRef > latest.lastRef ? one : latest),
    null,
  );
  return {
    cursor,
    formerSocketId: pool.length === 1 ? pool[0]!.socketId : null,
    taken,
    lowered: departed.filter((one) => one !== taken && one.cursor > cursor),
  };
}

import type { Lsn } from "../../../kernel/change.ts";
import type { Values } from "../../../kernel/settings.ts";
import type { Observe } from "../../observe/observation.ts";
import type { Database } from "../../postgres/database.ts";
import type { ReplicationConnection } from "../../postgres/replication.ts";
import { ColumnTypes } from "../column-types.ts";
import { Follower } from "../follower.ts";
import { Relations } from "../relations.ts";
import type { changesSettings } from "../settings.ts";
import { type OpenMessage, Transactions } from "../transactions.ts";
import type { GapReason } from "../types.ts";
import { becomeVisible } from "../visible.ts";
import { type Placed, Placing } from "./cursor.ts";

export interface ReadingNeeds {
  readonly database: Database;
  readonly settings: Values<typeof changesSettings>;
  readonly observe: Observe;
  readonly openMessage: OpenMessage;
  /** A connection to read over, and where to begin. */
  readonly begin: () => Promise<{ readonly connection: ReplicationConnection; readonly from: Lsn }>;
  /** Takes an entry; nothing else comes until its promise settles. */
  readonly onPlaced: (placed: Placed) => void | Promise<void>;
  /** What stood before `to` does not come. */
  readonly onMissing: (to: Lsn, gap: GapReason | null) => void;
}

/** Reads the log from some place on, for as long as it is not stopped: after a lost connection from where `begin` says. */
export class Reading {
  readonly #transactions: Transactions;
  readonly #follower: Follower;
  #isCut = true;
  readonly done: Promise<void>;

  constructor(needs: ReadingNeeds) {
    const types = new ColumnTypes(needs.database);
    const placing = new Placing();
    this.#transactions = new Transactions({
      relations: new Relations(types),
      types,
      batch: { changes: needs.settings.logBatchChanges, bytes: needs.settings.logBatchBytes },
      onEntry: (entry, sizeBytes) => needs.onPlaced(placing.place(entry, sizeBytes)),
      openMessage: needs.openMessage,
      onSchemaChange: async (xid) => {
        await becomeVisible(needs.database, xid);
        await this.#follower.checkSources();
      },
    });
    this.#follower = new Follower({
      ...needs,
      transactions: this.#transactions,
      connect: async () => {
        const { connection, from } = await needs.begin();
        // Also forgets what was passed on of a transaction that the last connection did not finish: it comes whole.
        this.#transactions.jump(from);
        placing.reset();
        this.#isCut = false;
        void connection.lost.then(() => {
          this.#isCut = true;
        });
        return connection;
      },
      onJump: async (to, gap) => {
        const { position } = this.#transactions;
        if (gap === null && to <= position) return;
        this.#transactions.jump(to);
        needs.onMissing(to, gap);
      },
      onFollowing: () => {},
      onUnavailable: () => true,
    });
    this.done = this.#follower.done;
  }

  /** Everything before it has been passed on. */
  get position(): Lsn {
    return this.#transactions.position;
  }

  /** What comes next comes over another connection, if at all: there is no use in waiting to pass on more. */
  get isCut(): boolean {
    return this.#isCut;
  }

  /** In step with the log, and not in the middle of a transaction. */
  get isBetween(): boolean {
    return this.#follower.state === "following" && !this.#transactions.isOpen;
  }

  /** Looks whether it still reads from the right publications. Rejects as the database does. */
  checkSources(): Promise<void> {
    return this.#follower.checkSources();
  }

  stop(): void {
    this.#follower.stop();
  }
}

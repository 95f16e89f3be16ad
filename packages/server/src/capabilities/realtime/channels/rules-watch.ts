import type { LogEntry } from "../../../kernel/change.ts";
import { AtMostEvery } from "../at-most-every.ts";
import type { RealtimeContext } from "../context.ts";
import { LogFollower } from "../log-follower.ts";
import { type RulesPrint, readRules } from "./rules-store.ts";

/** Changes that come closer together, in ms, bring rights into doubt once. */
const gatherMs = 200;
/** Between doubts about all rights at once, in ms: whoever may write into the log can announce changes of the schema without end. */
const doubtEveryMs = 1_000;

export interface RulesWatchNeeds {
  readonly context: Pick<RealtimeContext, "db" | "log" | "policies" | "observe" | "settings">;
  /** False: nobody has rights that could change, and nobody looks. */
  readonly isNeeded: () => boolean;
  /** @param isUrgent the rules themselves have changed, not only rows they look into */
  readonly onChange: (isUrgent: boolean) => void;
}

/**
 * Notices what rights on private channels follow from: the rules, by the log and by looking now and then, and the rows of tables that
 * policies look into, by the log, which is made to tell of them, and by PostgreSQL's counts of writes where that cannot be.
 */
export class RulesWatch {
  readonly #needs: RulesWatchNeeds;
  readonly #follower: LogFollower;
  readonly #doubts: AtMostEvery;
  #stops: (() => void)[] = [];
  #last: RulesPrint | null = null;
  /** What changes of the tables that policies look into are announced under. */
  #parts: ReadonlySet<number> = new Set();
  #isLooking = false;
  #gathering: NodeJS.Timeout | null = null;

  constructor(needs: RulesWatchNeeds) {
    this.#needs = needs;
    this.#doubts = new AtMostEvery(doubtEveryMs, () => needs.onChange(true));
    const { log, observe } = needs.context;
    this.#follower = new LogFollower({
      log,
      observe,
      reader: {
        name: "channel rights",
        onEntry: (entry) => this.#read(entry),
        onGap: () => this.#rowsChanged(),
      },
    });
  }

  start(): void {
    const { policies, log, settings } = this.#needs.context;
    const timer = setInterval(() => this.#tick(), settings.realtimeRulesPollMs).unref();
    const rulesChanged = (): void => {
      if (this.#needs.isNeeded()) this.#doubts.ask();
    };
    this.#stops = [() => clearInterval(timer), policies.onChange(rulesChanged), log.onSchemaChange(rulesChanged)];
  }

  stop(): void {
    for (const stop of this.#stops.splice(0)) stop();
    if (this.#gathering !== null) clearTimeout(this.#gathering);
    this.#doubts.stop();
    this.#follower.stop();
  }

  #tick(): void {
    if (this.#isLooking) return;
    if (!this.#needs.isNeeded()) {
      this.#last = null;
      return;
    }
    this.#isLooking = true;
    this.#look()
      // While PostgreSQL is away nothing can change; the next look compares with what was before.
      .catch(() => {})
      .finally(() => {
        this.#isLooking = false;
      });
  }

  async #look(): Promise<void> {
    const now = await readRules(this.#needs.context.db.background);
    const before = this.#last;
    this.#last = now;
    this.#parts = new Set(now.parts);
    if (now.tables.length > 0) {
      await this.#follower.ensure();
      this.#needs.context.policies.followTables(now.tables);
    }
    // Without an earlier look nobody knows since when it is so: who joined meanwhile is asked about once.
    if (before === null || before.rules !== now.rules) this.#doubts.ask();
    else if (before.rows !== now.rows) this.#rowsChanged();
  }

  #read(entry: LogEntry): void {
    if (entry.kind !== "batch" || this.#parts.size === 0) return;
    if (entry.changes.some(({ relation }) => this.#parts.has(relation.oid))) this.#rowsChanged();
  }

  #rowsChanged(): void {
    this.#gathering ??= setTimeout(() => {
      this.#gathering = null;
      if (this.#needs.isNeeded()) this.#needs.onChange(false);
    }, gatherMs).unref();
  }
}

import type { LogEntry } from "../../../kernel/change.ts";
import type { RealtimeContext } from "../context.ts";
import { LogFollower } from "../log-follower.ts";
import { type RulesPrint, readRules } from "./rules-store.ts";

/** Changes that come closer together, in ms, bring rights into doubt once. */
const gatherMs = 200;

export interface RulesWatchNeeds {
  readonly context: Pick<RealtimeContext, "db" | "log" | "policies" | "observe" | "settings">;
  /** False: nobody has rights that could change, and nobody looks. */
  readonly isNeeded: () => boolean;
  /** @param isUrgent the rules themselves have changed, not only rows they look into */
  readonly onChange: (isUrgent: boolean) => void;
}

/**
 * Notices what rights on private channels follow from: the rules, by the log and by looking now and then, and the rows of tables that
 * policies look into, by the log where they are published and by PostgreSQL's counts of writes where they are not.
 */
export class RulesWatch {
  readonly #needs: RulesWatchNeeds;
  readonly #follower: LogFollower;
  #stops: (() => void)[] = [];
  #last: RulesPrint | null = null;
  #tables: ReadonlySet<number> = new Set();
  #isLooking = false;
  #gathering: NodeJS.Timeout | null = null;

  constructor(needs: RulesWatchNeeds) {
    this.#needs = needs;
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
      if (this.#needs.isNeeded()) this.#needs.onChange(true);
    };
    this.#stops = [() => clearInterval(timer), policies.onChange(rulesChanged), log.onSchemaChange(rulesChanged)];
  }

  stop(): void {
    for (const stop of this.#stops.splice(0)) stop();
    if (this.#gathering !== null) clearTimeout(this.#gathering);
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
    if (before?.rules !== now.rules) this.#tables = new Set(now.tables);
    if (this.#tables.size > 0) await this.#follower.ensure();
    // Without an earlier look nobody knows since when it is so: who joined meanwhile is asked about once.
    if (before === null || before.rules !== now.rules) this.#needs.onChange(true);
    else if (before.rows !== now.rows) this.#rowsChanged();
  }

  #read(entry: LogEntry): void {
    if (entry.kind !== "batch" || this.#tables.size === 0) return;
    if (entry.changes.some(({ relation }) => this.#tables.has(relation.oid))) this.#rowsChanged();
  }

  #rowsChanged(): void {
    this.#gathering ??= setTimeout(() => {
      this.#gathering = null;
      if (this.#needs.isNeeded()) this.#needs.onChange(false);
    }, gatherMs).unref();
  }
}

import type { Principal } from "../../../kernel/principal.ts";
import type { Asker } from "../asker.ts";
import type { SetQuery } from "../compile/index.ts";
import type { SetContent } from "../evaluate/index.ts";
import type { Reach } from "../rules/rules.ts";
import { anything, type FollowedTables, type Stamp } from "./followed-tables.ts";
import { seeing } from "./seeing.ts";
import type { Kept, SetMemory } from "./set-memory.ts";
import { type FetchedSet, readSet, setStatement } from "./set-statement.ts";

export interface KeptSetNeeds {
  readonly asker: Asker;
  readonly tables: FollowedTables;
  readonly memory: SetMemory;
  readonly limitRows: number;
  /** How long to wait, in ms, until what the log has shown is visible. */
  readonly patienceMs: number;
}

interface Answer extends FetchedSet, Kept {
  asked: Stamp;
}

/** What one sub-select says to one group: asked when it is needed, and kept for as long as it holds. */
export class KeptSet {
  readonly #query: SetQuery;
  readonly #who: Principal;
  readonly #needs: KeptSetNeeds;
  /** Tables that it follows from; `null` when they are not all known, or more than tables: then nothing is kept. */
  readonly #oids: readonly number[] | null;
  #answer: Answer | null = null;
  #loading: { readonly asked: Stamp; readonly answer: Promise<FetchedSet> } | null = null;

  constructor(query: SetQuery, reach: Reach, who: Principal, needs: KeptSetNeeds) {
    this.#query = query;
    this.#who = who;
    this.#needs = needs;
    this.#oids = reach.tables === "unknown" || reach.readsClock ? null : reach.tables;
    if (this.#oids !== null) needs.tables.ensure(this.#oids);
  }

  /**
   * Not older than anything that is in the log by now. At once when it is known. Rejects as `Asker.ask` does.
   */
  content(): SetContent | null | Promise<SetContent | null> {
    const { tables } = this.#needs;
    if (this.#oids === null) return this.#load([anything], tables.stamp([anything])).then(({ content }) => content);
    const now = tables.stamp(this.#oids);
    const answer = this.#answer;
    if (answer !== null) {
      if (tables.holds(this.#oids, answer.asked, now, answer.snapshot)) {
        answer.asked = now;
        return answer.content;
      }
      this.#needs.memory.release(answer);
      this.#answer = null;
    }
    if (!now.isFollowed) tables.ensure(this.#oids);
    return this.#shared(this.#oids, now).then(({ content }) => content);
  }

  /** Who asks while it is being asked for may wait for the same answer, as long as nothing has happened since. */
  #shared(oids: readonly number[], now: Stamp): Promise<FetchedSet> {
    if (this.#loading !== null && isSame(this.#loading.asked, now)) return this.#loading.answer;
    const loading = { asked: now, answer: this.#load(oids, now) };
    this.#loading = loading;
    const over = (): void => {
      if (this.#loading === loading) this.#loading = null;
    };
    loading.answer.then((fetched) => {
      if (this.#loading === loading && now.isFollowed) this.#keep(fetched, now);
      over();
    }, over);
    return loading.answer;
  }

  #load(oids: readonly number[], asked: Stamp): Promise<FetchedSet> {
    const { asker, limitRows, patienceMs, tables } = this.#needs;
    const statement = setStatement(this.#query, limitRows);
    return seeing(patienceMs, async () => {
      const fetched = readSet(this.#query, await asker.ask(this.#who, statement), limitRows);
      return tables.isSeen(oids, asked, fetched.snapshot) ? fetched : null;
    });
  }

  #keep(fetched: FetchedSet, asked: Stamp): void {
    const answer: Answer = {
      ...fetched,
      asked,
      forget: () => {
        if (this.#answer === answer) this.#answer = null;
      },
    };
    this.#answer = answer;
    this.#needs.memory.keep(answer);
  }
}

const isSame = (a: Stamp, b: Stamp): boolean =>
  a.era === b.era && a.isFollowed === b.isFollowed && a.versions.every((version, at) => version === b.versions[at]);

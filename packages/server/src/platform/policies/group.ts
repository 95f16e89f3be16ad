import type { ChangedRelation, RowImage } from "../../kernel/change.ts";
import type { Principal } from "../../kernel/principal.ts";
import { reasonOf } from "../../kernel/reason.ts";
import type { Row, Statement } from "../postgres/session/types.ts";
import type { Asker } from "./asker.ts";
import { type BoundPolicy, bindPolicy, type Circumstances, type SetContent } from "./evaluate/index.ts";
import { type Question, questionOf } from "./question.ts";
import type { Reading, Secured } from "./rules/rules.ts";
import { anything, type FollowedTables } from "./sets/followed-tables.ts";
import type { GroupSets } from "./sets/group-sets.ts";
import { seeing } from "./sets/seeing.ts";
import { Snapshot } from "./snapshot.ts";
import type { ReadRights, ViewerGroup } from "./types.ts";

export interface GroupNeeds {
  readonly key: string;
  readonly relation: ChangedRelation;
  readonly reading: Reading;
  /** One of its callers. */
  readonly who: Principal;
  readonly asker: Asker;
  /** What the policy's sub-selects say to this group. */
  readonly sets: GroupSets;
  /** What the log has shown. */
  readonly tables: FollowedTables;
  /** How long to wait, in ms, until that is visible. */
  readonly patienceMs: number;
  readonly now: () => Circumstances["now"];
  /** Rows are not seen though nobody knows that they may not be. */
  readonly report: (why: string) => void;
}

/** Rows that are asked about in one statement. */
const rowsPerQuestion = 1_000;

/** Callers who see the same rows because the policies say the same of them. */
export class Group implements ViewerGroup {
  readonly key: string;
  readonly rights: ReadRights;
  readonly #needs: GroupNeeds;
  readonly #secured: Secured | null;
  #bound: BoundPolicy | null = null;
  #hasRun = false;
  #question: Question | null = null;

  constructor(needs: GroupNeeds) {
    this.key = needs.key;
    this.rights = needs.reading.rights;
    this.#needs = needs;
    this.#secured = needs.reading.secured;
    if (this.#secured !== null) this.#bind(this.#secured);
  }

  sees(rows: readonly RowImage[]): readonly boolean[] | Promise<readonly boolean[]> {
    if (this.rights.columns.size === 0) return rows.map(() => false);
    if (!this.rights.isRowSecured) return rows.map(() => true);
    const secured = this.#secured!;
    const always = this.#bound?.always;
    if (always !== undefined && always !== "ask") return rows.map(() => always === true);
    if (this.#bound === null) return this.#ask(secured, rows);
    const sets = this.#needs.sets.contents();
    return sets instanceof Promise
      ? sets.then((loaded) => this.#decide(secured, rows, loaded))
      : this.#decide(secured, rows, sets);
  }

  /** @param sets `null` where PostgreSQL refused one of them, as it would refuse the whole SELECT */
  #decide(
    secured: Secured,
    rows: readonly RowImage[],
    sets: readonly (SetContent | null)[] | null,
  ): readonly boolean[] | Promise<readonly boolean[]> {
    if (sets === null) return this.#ask(secured, rows);
    const bound = this.#bound!;
    const circumstances = { sets, now: this.#needs.now() };
    const seen: boolean[] = [];
    // Mostly none: this is done for every group and every change.
    let open: number[] | null = null;
    for (let at = 0; at < rows.length; at++) {
      const verdict = bound.decide(rows[at]!, circumstances);
      seen.push(verdict === true);
      if (verdict !== "ask") continue;
      open ??= [];
      open.push(at);
    }
    if (open === null) return seen;
    const asked = open;
    return this.#ask(
      secured,
      asked.map((at) => rows[at]!),
    ).then((answers) => {
      for (const [n, at] of asked.entries()) seen[at] = answers[n] === true;
      return seen;
    });
  }

  /** Never rejects: what cannot be judged is not seen. */
  async #ask(secured: Secured, rows: readonly RowImage[]): Promise<readonly boolean[]> {
    this.#question ??= questionOf(secured, this.#needs.relation);
    const question = this.#question;
    const seen = rows.map(() => false);
    const askable: number[] = [];
    for (const [at, row] of rows.entries()) {
      const missing = question.missing(row);
      if (missing === null) askable.push(at);
      else this.#needs.report(missing);
    }
    try {
      for (let from = 0; from < askable.length; from += rowsPerQuestion) {
        const part = askable.slice(from, from + rowsPerQuestion);
        const answers = await this.#put(question.statement(part.map((at) => rows[at]!)));
        for (const [n, at] of part.entries()) seen[at] = answers[n]?.[0]?.toString() === "t";
        this.#ran(secured);
      }
    } catch (error) {
      this.#needs.report(`PostgreSQL could not judge them: ${reasonOf(error)}`);
      // An error is an answer to all that were asked about together.
      return rows.map(() => false);
    }
    return seen;
  }

  /** Not before all that the log has is visible: who was let in by a row's own transaction must not miss the row. */
  #put(statement: Statement): Promise<readonly Row[]> {
    const { asker, tables, patienceMs, who } = this.#needs;
    const asked = tables.stamp([anything]);
    return seeing(patienceMs, async () => {
      const answers = await asker.ask(who, statement);
      const snapshot = new Snapshot(answers[0]![1]!.toString());
      return tables.isSeen([anything], asked, snapshot) ? answers : null;
    });
  }

  /** The whole policy has run for this caller, so what it calls may be called. */
  #ran(secured: Secured): void {
    if (this.#hasRun) return;
    this.#hasRun = true;
    this.#bind(secured);
  }

  #bind({ compiled }: Secured): void {
    if (compiled.kind === "beyond") return;
    const { who, relation } = this.#needs;
    const indexOf = (column: string): number => relation.indexOf(column);
    this.#bound = bindPolicy({ policy: compiled, who, indexOf, hasRun: this.#hasRun });
  }
}

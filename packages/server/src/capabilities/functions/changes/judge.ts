import type { Batch, Change, ChangedRelation, RowImage } from "../../../kernel/change.ts";
import { isFiltersFault } from "../../../platform/changes/filters/asking.ts";
import type { CompiledCondition } from "../../../platform/changes/filters/conditions.ts";
import type { CompiledHandler, CompiledTable } from "./compiled-table.ts";
import { changesOneOf, type RowChange } from "./event.ts";
import type { StoredHandler } from "./types.ts";

/** A change that a handler wants. */
export interface Judged {
  readonly handler: StoredHandler;
  readonly change: RowChange;
  /** Its number within its transaction. */
  readonly at: number;
  readonly primaryKey: readonly string[];
}

/** Whether a handler wants a change could not be found out. */
export interface Undecided {
  readonly handler: string;
  readonly reason: "filter" | "value";
  readonly detail: string;
}

export interface JudgeNeeds {
  /** Puts in large values that updates have left as they were, where they can still be had. */
  fill(changes: readonly Change[]): Promise<readonly Change[]>;
  /** Asks PostgreSQL of each value whether the condition holds. */
  ask(condition: CompiledCondition, values: readonly (string | null)[]): Promise<readonly boolean[]>;
  readonly onUndecided: (undecided: Undecided) => void;
}

interface Candidate {
  readonly table: CompiledTable;
  readonly to: CompiledHandler;
  readonly at: number;
}

/** Which changes of a batch go to whom, in their order. Rejects when PostgreSQL is away. */
export async function judge(
  batch: Pick<Batch, "changes" | "first" | "lsn">,
  tableOf: (relation: ChangedRelation) => CompiledTable | null,
  needs: JudgeNeeds,
): Promise<readonly Judged[]> {
  const candidates: Candidate[] = [];
  for (const [at, change] of batch.changes.entries()) {
    if (change.op === "truncate") continue;
    const table = tableOf(change.relation);
    for (const to of table?.handlers ?? []) {
      const { operations, columns, since } = to.handler;
      if (!operations.includes(change.op) || batch.lsn < since) continue;
      if (columns !== null && !changesOneOf(change, columns)) continue;
      candidates.push({ table: table!, to, at });
    }
  }
  const changes = await filled(batch.changes, candidates, needs);
  const fitting = candidates.filter((candidate) => passes(candidate, changes[candidate.at] as RowChange, needs));
  const asked = await unlessRefused(fitting, changes, needs);
  return asked.map(({ table, to, at }) => ({
    handler: to.handler,
    change: changes[at] as RowChange,
    at: batch.first + at,
    primaryKey: table.primaryKey,
  }));
}

async function filled(
  changes: readonly Change[],
  candidates: readonly Candidate[],
  { fill }: JudgeNeeds,
): Promise<readonly Change[]> {
  const places = [...new Set(candidates.map(({ at }) => at))].filter((at) => {
    const change = changes[at]!;
    return change.op === "update" && change.new.includes(undefined);
  });
  if (places.length === 0) return changes;
  const known = [...changes];
  const whole = await fill(places.map((at) => changes[at]!));
  for (const [index, at] of places.entries()) known[at] = whole[index]!;
  return known;
}

const imageOf = (change: RowChange): RowImage => (change.op === "delete" ? change.old : change.new);

/** By what is decided in memory. What the image of a deleted row does not have is not held against it. */
function passes({ to }: Candidate, change: RowChange, { onUndecided }: JudgeNeeds): boolean {
  for (const { column, decide } of to.conditions) {
    const text = imageOf(change)[change.relation.indexOf(column)];
    if (text === undefined) {
      if (change.op === "delete") continue;
      const detail = `The value of "${column}" was not in the log, and has been overwritten since.`;
      onUndecided({ handler: to.handler.name, reason: "value", detail });
      return false;
    }
    if (decide !== null && !decide(text)) return false;
  }
  return true;
}

/** Takes out those that PostgreSQL says no to: it is asked once per condition. */
async function unlessRefused(
  candidates: readonly Candidate[],
  changes: readonly Change[],
  { ask, onUndecided }: JudgeNeeds,
): Promise<readonly Candidate[]> {
  const refused = new Set<Candidate>();
  const askedOf = new Map<CompiledCondition, { values: (string | null)[]; of: Candidate[] }>();
  for (const candidate of candidates) {
    const change = changes[candidate.at] as RowChange;
    for (const condition of candidate.to.conditions) {
      const text = imageOf(change)[change.relation.indexOf(condition.column)];
      if (condition.decide !== null || text === undefined) continue;
      const question = askedOf.get(condition) ?? { values: [], of: [] };
      askedOf.set(condition, question);
      question.values.push(text);
      question.of.push(candidate);
    }
  }
  for (const [condition, { values, of }] of askedOf) {
    try {
      const answers = await ask(condition, values);
      for (const [at, candidate] of of.entries()) if (answers[at] !== true) refused.add(candidate);
    } catch (error) {
      // Anything else passes: the changes come again.
      if (!isFiltersFault(error)) throw error;
      for (const candidate of of) refused.add(candidate);
      onUndecided({ handler: of[0]!.to.handler.name, reason: "filter", detail: error.message });
    }
  }
  return refused.size === 0 ? candidates : candidates.filter((candidate) => !refused.has(candidate));
}

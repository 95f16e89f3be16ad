import type { Batch, Change, RowImage } from "../../../kernel/change.ts";
import type { Principal } from "../../../kernel/principal.ts";
import type { AskCondition, CompiledCondition } from "../../../platform/changes/filters/conditions.ts";
import type { ViewerGroup } from "../../../platform/policies/types.ts";
import type { RowChange } from "./message.ts";
import type { Projection } from "./projection.ts";
import type { Subscriptions } from "./subscriptions.ts";
import type { Entry, TableIndex } from "./table-index.ts";

/** What judging needs of PostgreSQL. */
export interface JudgeNeeds {
  /** Puts in values that a change has left as they were and the log therefore does not have, where they can still be had. */
  fill(changes: readonly Change[], xid: number): Promise<readonly Change[]>;
  /** Of each value, whether the condition holds. */
  readonly ask: AskCondition;
  /** PostgreSQL gave no answer about a filter of these: they get nothing of it, and everybody else does. */
  readonly onUnanswered: (entries: ReadonlySet<Entry>, error: unknown) => void;
}

/** Changes of one transaction. */
export type Part = Pick<Batch, "changes" | "xid" | "committedAtUs">;

/** A change, and who gets it. */
export interface Judged {
  readonly change: RowChange;
  readonly part: Part;
  /** Those whose filter it passes and who see it. */
  readonly entries: readonly Entry[];
  /** Groups that could not see the row as it was, and so are not told its former key. */
  readonly blindToOld: ReadonlySet<ViewerGroup>;
}

interface Wanted {
  readonly change: RowChange;
  readonly index: TableIndex;
  readonly part: Part;
}

interface Candidate {
  readonly change: RowChange;
  readonly part: Part;
  entries: Entry[];
}

/**
 * Decides who gets which changes of these parts. At once where everything is decided in memory; otherwise all that must be asked is asked
 * together.
 */
export function judge(
  parts: readonly Part[],
  subscriptions: Subscriptions,
  needs: JudgeNeeds,
): readonly Judged[] | Promise<readonly Judged[]> {
  const wanted: Wanted[] = [];
  let hasUnknown = false;
  for (const part of parts) {
    for (const given of part.changes) {
      if (given.op === "truncate") continue;
      const index = subscriptions.indexOf(given.relation);
      if (!index?.has(given.op)) continue;
      const change = fromOld(given);
      hasUnknown ||= isUnknown(change);
      wanted.push({ change, index, part });
    }
  }
  if (wanted.length === 0) return [];
  return hasUnknown ? fill(wanted, needs).then((filled) => judgeFilled(filled, needs)) : judgeFilled(wanted, needs);
}

const isUnknown = ({ op, new: now }: RowChange): boolean => op === "update" && now.includes(undefined);

async function fill(wanted: readonly Wanted[], needs: JudgeNeeds): Promise<readonly Wanted[]> {
  const filling = Map.groupBy(wanted, ({ part }) => part).entries();
  const filled = await Promise.all(
    [...filling].map(async ([part, own]) => {
      if (!own.some(({ change }) => isUnknown(change))) return own;
      const changes = await needs.fill(
        own.map(({ change }) => change),
        part.xid,
      );
      return own.map((one, at) => ({ ...one, change: changes[at] as RowChange }));
    }),
  );
  return filled.flat();
}

/** Under replica identity full, the old row has what the change left as it was. */
function fromOld(change: RowChange): RowChange {
  if (change.op !== "update" || change.old === null || !change.new.includes(undefined)) return change;
  const { old } = change;
  return { ...change, new: change.new.map((text, at) => (text === undefined ? old[at] : text)) };
}

function judgeFilled(wanted: readonly Wanted[], needs: JudgeNeeds): readonly Judged[] | Promise<readonly Judged[]> {
  const questions = new Questions();
  const candidates: Candidate[] = [];
  for (const { change, index, part } of wanted) {
    const image = (change.op === "delete" ? change.old : change.new)!;
    const candidate: Candidate = { change, part, entries: [] };
    for (const entry of index.candidates(change.op, image)) {
      if (passes(entry, change, image, candidate, questions)) candidate.entries.push(entry);
    }
    candidates.push(candidate);
  }
  const asked = questions.ask(needs);
  return asked === null ? look(candidates) : asked.then(() => look(candidates));
}

/** What is not in the image of a deleted row is not held against it (protocols: visibility); of any other row it is. */
function passes(
  { conditions, who }: Entry,
  { op, relation }: RowChange,
  image: RowImage,
  candidate: Candidate,
  questions: Questions,
): boolean {
  let isOpen = false;
  for (const condition of conditions) {
    const text = image[relation.indexOf(condition.column)];
    if (text === undefined && op === "delete") continue;
    if (text === undefined) return false;
    if (condition.decide === null) isOpen = true;
    else if (!condition.decide(text)) return false;
  }
  if (!isOpen) return true;
  for (const condition of conditions) {
    const text = image[relation.indexOf(condition.column)];
    if (condition.decide === null && text !== undefined) questions.add(condition, who, text, candidate);
  }
  return true;
}

/** What only PostgreSQL can decide, gathered over a batch: one statement per condition and role. */
class Questions {
  readonly #asked = new Map<
    string,
    { condition: CompiledCondition; who: Principal; values: (string | null)[]; of: Candidate[] }
  >();

  add(condition: CompiledCondition, who: Principal, text: string | null, candidate: Candidate): void {
    const key = `${who.role}\0${condition.key}`;
    const question = this.#asked.get(key) ?? { condition, who, values: [], of: [] };
    this.#asked.set(key, question);
    // Entries that share a condition ask about a change once.
    if (question.of.at(-1) === candidate) return;
    question.values.push(text);
    question.of.push(candidate);
  }

  /** Takes out of the candidates the entries whose conditions do not hold. */
  ask(needs: JudgeNeeds): Promise<unknown> | null {
    if (this.#asked.size === 0) return null;
    return Promise.all(
      [...this.#asked.values()].map(async ({ condition, who, values, of }) => {
        const isOf = (entry: Entry): boolean =>
          entry.who.role === who.role && entry.conditions.some(({ key }) => key === condition.key);
        const answers = await needs.ask(condition, who, values).catch((error: unknown) => {
          needs.onUnanswered(new Set(of.flatMap(({ entries }) => entries.filter(isOf))), error);
          return [];
        });
        for (const [at, candidate] of of.entries()) {
          if (answers[at] !== true) candidate.entries = candidate.entries.filter((entry) => !isOf(entry));
        }
      }),
    );
  }
}

const nobody: ReadonlySet<ViewerGroup> = new Set();

/** What one group is asked about, over all candidates. */
interface Look {
  readonly rows: RowImage[];
  answers: readonly boolean[];
  /** Where the rows of the candidate are that was last looked at for it: it may have several entries there. */
  of: Candidate | null;
  now: number;
  before: number;
}

/** Of a candidate's entries, each at its place: the group's look (`null`: nothing is asked), and where in it the row is (-1: nowhere). */
interface Places {
  readonly candidate: Candidate;
  readonly looks: readonly (Look | null)[];
  readonly now: Int32Array;
  readonly before: Int32Array;
}

/**
 * Asks every group once about all rows it might see: those that are there now, and those that were where the log has all of them. With as
 * many groups as subscribers this is what a change costs, so a group is looked up once for each, and nothing else is made for it.
 */
function look(candidates: readonly Candidate[]): readonly Judged[] | Promise<readonly Judged[]> {
  const looks = new Map<ViewerGroup, Look>();
  const placed: Places[] = [];
  for (const candidate of candidates) if (candidate.entries.length > 0) placed.push(placesOf(candidate, looks));
  const waiting: Promise<void>[] = [];
  for (const [group, each] of looks) {
    if (each.rows.length === 0) continue;
    const answers = group.sees(each.rows);
    if (answers instanceof Promise) {
      waiting.push(
        answers.then((settled) => {
          each.answers = settled;
        }),
      );
    } else each.answers = answers;
  }
  return waiting.length === 0 ? placed.map(settle) : Promise.all(waiting).then(() => placed.map(settle));
}

function placesOf(candidate: Candidate, known: Map<ViewerGroup, Look>): Places {
  const { change, entries } = candidate;
  const isOldWhole = change.old !== null && change.relation.replicaIdentity === "full";
  const looks: (Look | null)[] = [];
  const now = new Int32Array(entries.length).fill(-1);
  const before = new Int32Array(entries.length).fill(-1);
  for (let at = 0; at < entries.length; at++) {
    const { group, projection } = entries[at]!;
    if (projection.rights !== "row-secured") {
      looks.push(null);
      continue;
    }
    let each = known.get(group);
    if (each === undefined) {
      each = { rows: [], answers: [], of: null, now: -1, before: -1 };
      known.set(group, each);
    }
    if (each.of !== candidate) {
      each.of = candidate;
      each.now = change.new === null ? -1 : each.rows.push(change.new) - 1;
      const isOldAsked = isOldWhole && (change.op === "delete" || isMoved(change, projection));
      each.before = isOldAsked ? each.rows.push(change.old!) - 1 : -1;
    }
    looks.push(each);
    now[at] = each.now;
    before[at] = each.before;
  }
  return { candidate, looks, now, before };
}

function settle({ candidate: { change, part, entries }, looks, now, before }: Places): Judged {
  let blind: Set<ViewerGroup> | null = null;
  const seeing: Entry[] = [];
  for (let at = 0; at < entries.length; at++) {
    const entry = entries[at]!;
    const each = looks[at];
    if (!each) {
      seeing.push(entry);
      continue;
    }
    const hasOld = before[at]! >= 0;
    const wasSeen = hasOld && each.answers[before[at]!] === true;
    if (hasOld && !wasSeen) {
      blind ??= new Set();
      blind.add(entry.group);
    }
    // Without the whole old row nobody can tell who saw it: everybody who waits is told its key (protocols: visibility).
    const isSeen = change.op === "delete" ? !hasOld || wasSeen : each.answers[now[at]!] === true;
    if (isSeen) seeing.push(entry);
  }
  return { change, part, entries: seeing, blindToOld: blind ?? nobody };
}

/** Whether the row has another key now: only then an old row that is updated says more than the new one. */
function isMoved({ new: now, old }: RowChange, { key }: Projection): boolean {
  return key.some((at) => old?.[at] !== now?.[at]);
}

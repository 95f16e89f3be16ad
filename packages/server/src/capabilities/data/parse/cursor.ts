import type { Operand } from "../request.ts";
import { code, isNameCode, marker, markerCode } from "./characters.ts";
import { parseProblems } from "./problems.ts";
import { scanQuoted } from "./scan.ts";
import type { QueryLimits } from "./settings.ts";

/** What all parameters of one query string share while they are parsed. */
export class Budget {
  readonly limits: QueryLimits;
  #nodes = 0;
  #slots = 0;

  constructor(limits: QueryLimits) {
    this.limits = limits;
  }

  /** Counts one item, condition or order term. @throws Problem PGRST100 beyond `queryNodes`. */
  node(): void {
    if (++this.#nodes > this.limits.queryNodes) throw parseProblems.tooLarge("queryNodes", this.limits.queryNodes);
  }

  /** The next slot, in the order of the shape. */
  slot(): Operand {
    return { kind: "slot", index: this.#slots++ };
  }
}

/** A place in the decoded text of one parameter, with the words every production needs. */
export class Cursor {
  readonly text: string;
  readonly budget: Budget;
  at = 0;
  readonly #part: string;
  readonly #hasSlots: boolean;
  #depth = 0;

  /** `part` names the parameter in messages: `filter`, `select parameter`. `hasSlots`: markers in `text` stand for values. */
  constructor(part: string, text: string, budget: Budget, hasSlots = false) {
    this.text = text;
    this.budget = budget;
    this.#part = part;
    this.#hasSlots = hasSlots;
  }

  /** Code of the character here; NaN at the end. */
  peek(): number {
    return this.text.charCodeAt(this.at);
  }

  get isAtEnd(): boolean {
    return this.at >= this.text.length;
  }

  startsWith(word: string): boolean {
    return this.text.startsWith(word, this.at);
  }

  /** Steps over `word` when it stands here. */
  take(word: string): boolean {
    if (!this.startsWith(word)) return false;
    this.at += word.length;
    return true;
  }

  expect(word: string): void {
    if (!this.take(word)) this.fail(JSON.stringify(word));
  }

  expectEnd(expected = "end of input"): void {
    if (!this.isAtEnd) this.fail(expected);
  }

  /** Spaces, tabs and line breaks: what people put between the items of a long `select`. */
  skipBlanks(): void {
    for (;;) {
      const here = this.peek();
      if (here !== code.space && here !== code.tab && here !== 0x0a && here !== 0x0d) return;
      this.at++;
    }
  }

  /** The slot here; `null` when none stands here. */
  takeSlot(): Operand | null {
    if (!this.#hasSlots || this.peek() !== markerCode) return null;
    this.at++;
    return this.budget.slot();
  }

  /** Runs `work` one level deeper. @throws Problem PGRST100 beyond `queryDepth`, before anything recurses. */
  nested<T>(work: () => T): T {
    if (++this.#depth > this.budget.limits.queryDepth)
      throw parseProblems.tooLarge("queryDepth", this.budget.limits.queryDepth);
    const result = work();
    this.#depth--;
    return result;
  }

  /** `field`: quoted, or letters, digits, `_`, `$`, inner spaces and dashes that begin no arrow. Trimmed. */
  name(): string {
    if (this.peek() === code.quote) return this.quoted();
    const start = this.at;
    for (;;) {
      const from = this.at;
      while (isNameCode(this.peek())) this.at++;
      if (this.at === from) this.fail("field name (* or [a..z0..9_$])");
      if (this.peek() !== code.dash || this.text.charCodeAt(this.at + 1) === code.greater) break;
      this.at++;
    }
    const name = this.text.slice(start, this.at).trim();
    if (name === "") this.fail("field name (* or [a..z0..9_$])");
    return name;
  }

  /** `"…"` with `\` as escape. */
  quoted(): string {
    const read = scanQuoted(this.text, this.at);
    if (read === null) {
      this.at = this.text.length;
      return this.fail('"\\""');
    }
    this.at = read.end;
    return read.text;
  }

  fail(expected: string): never {
    const found = this.isAtEnd ? "end of input" : JSON.stringify(String.fromCodePoint(this.text.codePointAt(this.at)!));
    throw parseProblems.malformed(
      this.#part,
      this.text.replaceAll(marker, "…"),
      this.at + 1,
      `unexpected ${found} expecting ${expected}`,
    );
  }
}

/** Uses after which a statement is worth a name: what is asked once in a while would only take room on every connection. */
const worthwhileUses = 5;
/** Statements with a name, and statements counted: texts with parts that come and go are many. */
const mostNames = 256;
const mostCounted = 1_024;

/**
 * Names for the statements that are asked for often: PostgreSQL parses and plans those once per connection, and that is most of what a
 * short statement costs.
 */
export class StatementNames {
  readonly #uses = new Map<string, number>();
  /** `null` for one that must not have a name any more. */
  readonly #names = new Map<string, string | null>();

  of(text: string): string | undefined {
    const name = this.#names.get(text);
    if (name !== undefined) return name ?? undefined;
    const uses = (this.#uses.get(text) ?? 0) + 1;
    if (uses < worthwhileUses || this.#names.size >= mostNames) {
      if (this.#uses.size < mostCounted || this.#uses.has(text)) this.#uses.set(text, uses);
      return undefined;
    }
    this.#uses.delete(text);
    const given = `mainstay_${this.#names.size}`;
    this.#names.set(text, given);
    return given;
  }

  /** After a migration changed what it gives, PostgreSQL refuses the old plan (SQLSTATE 0A000): from now on it is planned each time. */
  giveUp(text: string): void {
    this.#names.set(text, null);
  }
}

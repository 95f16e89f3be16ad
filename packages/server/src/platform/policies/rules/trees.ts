import { createExpressionParser, type ExpressionParser, type Node } from "../compile/parser.ts";

/** Characters of one policy: longer ones are programs. */
const maxLength = 65_536;

/** Trees of policies by their text: each is parsed once for as long as some table has it. */
export class Trees {
  readonly #parser: ExpressionParser;
  #known: ReadonlyMap<string, Node | null> = new Map();

  constructor({ idleMs }: { readonly idleMs: number }) {
    this.#parser = createExpressionParser({ idleMs });
  }

  /** Parses these, and forgets all others. Text that cannot be parsed is `null`. Never rejects. */
  async keep(texts: Iterable<string>): Promise<ReadonlyMap<string, Node | null>> {
    const wanted = new Set(texts);
    const known = new Map([...this.#known].filter(([text]) => wanted.has(text)));
    const unknown = [...wanted].filter((text) => !known.has(text));
    const short = unknown.filter((text) => text.length <= maxLength);
    // A policy that kills the parser's thread must not take the others with it.
    const parse = (some: readonly string[]) =>
      this.#parser.parse(some).catch(async () => {
        if (some.length === 1) return [null];
        const each: (Node | null)[] = [];
        for (const one of some) each.push(...(await this.#parser.parse([one]).catch(() => [null])));
        return each;
      });
    const trees = await parse(short);
    for (const [at, text] of short.entries()) known.set(text, trees[at] ?? null);
    for (const text of unknown) if (!known.has(text)) known.set(text, null);
    this.#known = known;
    return known;
  }

  close(): Promise<void> {
    return this.#parser.close();
  }
}

import { isFields, maxRecordLength, type ReadRecord } from "./record.ts";

/**
 * The objects of a JSON file, one by one as they are read: the elements of the first list, be it the file itself or under one of
 * `keys` of its object; or objects one after another, as in JSON lines. The file may be larger than memory.
 * With `isOnlyUnderKeys` what is not under one of the keys is passed over.
 * An object that is no JSON is reported; text that is cut off is the last report.
 */
export async function* jsonRecords(
  chunks: AsyncIterable<string>,
  keys: readonly string[],
  options: { readonly isOnlyUnderKeys?: boolean } = {},
): AsyncIterable<ReadRecord> {
  const scan = new Scanner(keys, options.isOnlyUnderKeys === true);
  for await (const chunk of chunks) yield* scan.read(chunk);
  yield* scan.end();
}

/** Cuts elements out by their brackets, without reading what is in them. */
class Scanner {
  readonly #keys: readonly string[];
  /** Depth of the objects that are wanted while nothing else is known. */
  readonly #atFirst: number;
  #depth = 0;
  /** Depth of the objects that are wanted; `null` until it is known whether the outermost one is one of them. */
  #wanted: number | null = null;
  #isInText = false;
  #isEscaped = false;
  #line = 1;
  #text = "";
  #textLine = 1;
  /** The text literal that just ended at depth 1: a key when a colon follows. */
  #literal = "";
  #key = "";
  #isTooLong = false;

  constructor(keys: readonly string[], isOnlyUnderKeys: boolean) {
    this.#keys = keys;
    this.#atFirst = isOnlyUnderKeys ? Number.POSITIVE_INFINITY : 1;
  }

  *read(chunk: string): Iterable<ReadRecord> {
    for (const char of chunk) {
      if (char === "\n") this.#line++;
      const isOpening = !this.#isInText && (char === "{" || char === "[");
      if (isOpening) this.#open(char);
      this.#keep(char);
      if (this.#isInText) this.#inText(char);
      else if (char === '"') {
        this.#isInText = true;
        this.#literal = "";
      } else if (char === ":" && this.#depth === 1) this.#key = this.#literal;
      else if (char === "}" || char === "]") yield* this.#close();
    }
  }

  *end(): Iterable<ReadRecord> {
    if (this.#depth > 0 || this.#text.trim() !== "") yield { line: this.#line, error: "the file ends in the middle" };
  }

  #open(char: string): void {
    this.#depth++;
    if (this.#depth === 1 && this.#wanted === null && char === "[") this.#wanted = 1 + this.#atFirst;
    // The list within the object: what came before it is not wanted.
    if (this.#depth === 2 && this.#wanted === null && char === "[" && this.#keys.includes(this.#key)) {
      this.#wanted = 3;
      this.#text = "";
    }
    if (this.#depth === (this.#wanted ?? this.#atFirst)) {
      this.#text = "";
      this.#textLine = this.#line;
      this.#isTooLong = false;
    }
  }

  #keep(char: string): void {
    if (this.#depth < (this.#wanted ?? this.#atFirst) || this.#isTooLong) return;
    this.#text += char;
    if (this.#text.length <= maxRecordLength) return;
    this.#isTooLong = true;
    this.#text = "";
  }

  #inText(char: string): void {
    if (this.#isEscaped) this.#isEscaped = false;
    else if (char === "\\") this.#isEscaped = true;
    else if (char === '"') this.#isInText = false;
    if (this.#depth === 1 && this.#isInText && this.#literal.length < 64) this.#literal += char;
  }

  *#close(): Iterable<ReadRecord> {
    const wanted = this.#wanted ?? this.#atFirst;
    if (this.#depth === wanted) {
      if (this.#isTooLong) yield { line: this.#textLine, error: "the entry is too long" };
      else yield parsed(this.#text, this.#textLine);
      this.#text = "";
    }
    this.#depth = Math.max(0, this.#depth - 1);
    // Past the list of an object: the rest of the object is not wanted either, and a list comes but once.
    if (this.#wanted === 3 && this.#depth === 1) this.#wanted = Number.POSITIVE_INFINITY;
  }
}

function parsed(text: string, line: number): ReadRecord {
  try {
    const fields: unknown = JSON.parse(text);
    return isFields(fields) ? { line, fields } : { line, error: "the entry is no object" };
  } catch {
    return { line, error: "the entry is not valid JSON" };
  }
}

import { TemplateError } from "./error.ts";
import { isFunction } from "./functions.ts";
import { lex, type Source, type Token } from "./lex.ts";
import type { Command, Node, Operand, Pipeline } from "./syntax.ts";

/** Characters of a template, and how deep its blocks and parentheses may nest. */
export const sizeLimit = 262_144;
const depthLimit = 50;

/** A file's own tree, and the trees it defines by name. */
export interface Parsed {
  readonly source: Source;
  readonly main: readonly Node[];
  readonly defined: ReadonlyMap<string, readonly Node[]>;
}

/** @throws TemplateError naming file, line and column */
export function parse(source: Source): Parsed {
  if (source.text.length > sizeLimit) {
    throw new TemplateError(source, 0, `a template is at most ${sizeLimit} characters`);
  }
  return new Parser(source).parse();
}

type Ending = "end" | "else" | "eof";

class Parser {
  readonly #source: Source;
  readonly #tokens: readonly Token[];
  readonly #defined = new Map<string, readonly Node[]>();
  #next = 0;
  #depth = 0;
  #rangeDepth = 0;
  /** Names that may be used here, innermost last. */
  #variables: string[] = ["$"];

  constructor(source: Source) {
    this.#source = source;
    this.#tokens = lex(source);
  }

  parse(): Parsed {
    const { nodes } = this.#list(["eof"]);
    return { source: this.#source, main: nodes, defined: this.#defined };
  }

  #fail(token: Token, message: string): never {
    throw new TemplateError(this.#source, token.at, message);
  }

  #peek(): Token {
    return this.#tokens[this.#next]!;
  }

  #take(): Token {
    const token = this.#tokens[this.#next]!;
    if (token.kind !== "end") this.#next += 1;
    return token;
  }

  #isMark(text: string): boolean {
    const token = this.#peek();
    return token.kind === "mark" && token.text === text;
  }

  /** Nodes up to `{{end}}`, `{{else …}}` or the end of the file; the opening of an `else` is taken, what follows is not. */
  #list(endings: readonly Ending[]): { nodes: Node[]; ending: Ending } {
    const nodes: Node[] = [];
    for (;;) {
      const token = this.#take();
      if (token.kind === "text") {
        nodes.push({ kind: "text", text: token.text });
        continue;
      }
      if (token.kind === "end") {
        if (!endings.includes("eof")) this.#fail(token, "a block is open: {{end}} is missing");
        return { nodes, ending: "eof" };
      }
      const first = this.#peek();
      const word = first.kind === "word" ? first.text : "";
      if (word === "end" || word === "else") {
        if (!endings.includes(word)) this.#fail(first, `{{${word}}} without a block that it belongs to`);
        this.#take();
        if (word === "end") this.#close();
        return { nodes, ending: word };
      }
      const node = this.#action(first);
      if (node !== null) nodes.push(node);
    }
  }

  #close(): void {
    const token = this.#take();
    if (token.kind !== "close") this.#fail(token, "}} is expected here");
  }

  #action(first: Token): Node | null {
    if (first.kind === "word") {
      switch (first.text) {
        case "if":
        case "with":
        case "range":
          this.#take();
          return this.#block(first.text, first);
        case "define":
          this.#take();
          return this.#define(first);
        case "block":
          this.#take();
          return this.#blockTemplate(first);
        case "template":
          this.#take();
          return this.#template(first);
        case "break":
        case "continue":
          this.#take();
          if (this.#rangeDepth === 0) this.#fail(first, `{{${first.text}}} outside of a range`);
          this.#close();
          return { kind: first.text };
      }
    }
    if (first.kind === "close") this.#fail(first, "there is nothing between {{ and }}");
    const pipeline = this.#pipeline("output");
    this.#close();
    return { kind: "output", at: first.at, pipeline };
  }

  #nested<T>(token: Token, work: () => T): T {
    if (++this.#depth > depthLimit) this.#fail(token, `blocks nest deeper than ${depthLimit}`);
    const variables = this.#variables.length;
    const result = work();
    this.#variables.length = variables;
    this.#depth -= 1;
    return result;
  }

  #block(kind: "if" | "with" | "range", token: Token): Node {
    return this.#nested(token, () => {
      const pipeline = this.#pipeline(kind);
      this.#close();
      if (kind === "range") this.#rangeDepth += 1;
      const variables = this.#variables.length;
      const { nodes: body, ending } = this.#list(["end", "else"]);
      this.#variables.length = variables;
      if (kind === "range") this.#rangeDepth -= 1;
      return { kind, at: token.at, pipeline, body, otherwise: ending === "else" ? this.#otherwise(kind) : [] };
    });
  }

  /** After `{{else`: `if …`, `with …` or `}}`. An `else if` shares the `end` of what it is in. */
  #otherwise(kind: "if" | "with" | "range"): readonly Node[] {
    const next = this.#peek();
    if (next.kind === "word" && next.text === kind && kind !== "range") {
      this.#take();
      return [this.#block(kind, next)];
    }
    this.#close();
    return this.#list(["end"]).nodes;
  }

  #define(token: Token): null {
    if (this.#depth > 0) this.#fail(token, "{{define}} stands at the top of a file");
    const name = this.#name();
    this.#close();
    this.#defined.set(name, this.#own(token));
    return null;
  }

  #blockTemplate(token: Token): Node {
    const name = this.#name();
    const pipeline = this.#pipeline("template");
    this.#close();
    this.#defined.set(name, this.#own(token));
    return { kind: "template", at: token.at, name, pipeline };
  }

  /** The body of a template of its own: nothing of what is around it can be seen. */
  #own(token: Token): readonly Node[] {
    const [variables, rangeDepth] = [this.#variables, this.#rangeDepth];
    this.#variables = ["$"];
    this.#rangeDepth = 0;
    const { nodes } = this.#nested(token, () => this.#list(["end"]));
    this.#variables = variables;
    this.#rangeDepth = rangeDepth;
    return nodes;
  }

  #template(token: Token): Node {
    const name = this.#name();
    const pipeline = this.#peek().kind === "close" ? null : this.#pipeline("template");
    this.#close();
    return { kind: "template", at: token.at, name, pipeline };
  }

  #name(): string {
    const token = this.#take();
    if (token.kind !== "literal" || typeof token.value !== "string") this.#fail(token, "a name in quotes is expected");
    return token.value;
  }

  #pipeline(place: "output" | "if" | "with" | "range" | "template" | "group"): Pipeline {
    const { variables, isAssignment } = this.#declaration(place);
    const commands: Command[] = [];
    for (;;) {
      commands.push(this.#command(commands.length > 0));
      if (!this.#isMark("|")) break;
      this.#take();
    }
    // Visible only after the value that it gets.
    if (!isAssignment) this.#variables.push(...variables);
    return { variables, isAssignment, commands };
  }

  /** `$x :=`, `$x =` or `$i, $x :=`. */
  #declaration(place: string): { variables: string[]; isAssignment: boolean } {
    const none = { variables: [], isAssignment: false };
    const start = this.#next;
    const names: Token[] = [];
    while (this.#peek().kind === "variable") {
      names.push(this.#take());
      if (place === "range" && names.length === 1 && this.#isMark(",")) this.#take();
      else break;
    }
    const sign = this.#peek();
    if (names.length === 0 || sign.kind !== "mark" || (sign.text !== ":=" && sign.text !== "=")) {
      this.#next = start;
      return none;
    }
    this.#take();
    const variables = names.map((token) => (token.kind === "variable" ? `$${token.text}` : ""));
    const isAssignment = sign.text === "=";
    if (isAssignment) for (const token of names) this.#mustBeKnown(token);
    return { variables, isAssignment };
  }

  #mustBeKnown(token: Token): void {
    if (token.kind === "variable" && !this.#variables.includes(`$${token.text}`)) {
      this.#fail(token, `there is no variable $${token.text}`);
    }
  }

  #command(isPiped: boolean): Command {
    const first = this.#peek();
    const operands: Operand[] = [];
    for (;;) {
      const operand = this.#operand();
      if (operand === null) break;
      operands.push(operand);
    }
    const [head] = operands;
    if (head === undefined) this.#fail(first, "a value is expected here");
    if (head.kind === "call" && head.path.length === 0) {
      return { at: first.at, call: head.name, operands: operands.slice(1) };
    }
    if (operands.length > 1 || isPiped) this.#fail(first, "only a function takes arguments");
    return { at: first.at, call: null, operands };
  }

  #operand(): Operand | null {
    const token = this.#peek();
    switch (token.kind) {
      case "literal":
        this.#take();
        return { kind: "value", value: token.value };
      case "field":
        this.#take();
        return { kind: "dot", path: token.text === "" ? this.#path() : [token.text, ...this.#path()] };
      case "variable":
        this.#mustBeKnown(token);
        this.#take();
        return { kind: "variable", name: `$${token.text}`, path: this.#path() };
      case "word":
        return this.#word(token);
      case "mark":
        return token.text === "(" ? this.#group(token) : null;
      default:
        return null;
    }
  }

  #word(token: Token & { readonly text: string }): Operand {
    this.#take();
    const value = constants.get(token.text);
    if (value !== undefined) return { kind: "value", value };
    if (!isFunction(token.text)) this.#fail(token, `there is no function "${token.text}"`);
    return { kind: "call", name: token.text, at: token.at, path: this.#path() };
  }

  #group(token: Token): Operand {
    this.#take();
    const pipeline = this.#nested(token, () => this.#pipeline("group"));
    if (!this.#isMark(")")) this.#fail(this.#peek(), ") is expected here");
    this.#take();
    return { kind: "group", pipeline, path: this.#path() };
  }

  /** Fields that follow without a space. */
  #path(): string[] {
    const path: string[] = [];
    for (;;) {
      const token = this.#peek();
      if (token.kind !== "field" || token.isApart) return path;
      if (token.text === "") this.#fail(token, "a name is expected after the dot");
      this.#take();
      path.push(token.text);
    }
  }
}

const constants: ReadonlyMap<string, boolean | null> = new Map([
  ["true", true],
  ["false", false],
  ["nil", null],
]);

import { TemplateError } from "./error.ts";
import { callFunction } from "./functions.ts";
import { HtmlWriter, TextWriter, type Writer } from "./html-writer.ts";
import type { Source } from "./lex.ts";
import type { Parsed } from "./parse.ts";
import type { Command, Node, Operand, Pipeline } from "./syntax.ts";
import { EncodedText, entriesOf, isTrue, memberOf, plainOf, TrustedUrl } from "./values.ts";

/** What one run may do: loops and templates that call themselves end here. */
export const runLimits = { steps: 100_000, characters: 1_048_576, calls: 50 };

/** @throws TemplateError when it grows beyond the limits, or names a template that is not defined */
export function run(parsed: Parsed, data: unknown, mode: "text" | "html"): string {
  const writer = mode === "html" ? new HtmlWriter() : new TextWriter();
  new Run(parsed, writer, mode === "html").template(parsed.main, data);
  return writer.finish();
}

type Ending = "break" | "continue" | null;

class Run {
  readonly #source: Source;
  readonly #defined: Parsed["defined"];
  readonly #writer: Writer;
  readonly #isHtml: boolean;
  #variables: { readonly name: string; value: unknown }[] = [];
  #steps = 0;
  #calls = 0;

  constructor({ source, defined }: Parsed, writer: Writer, isHtml: boolean) {
    this.#source = source;
    this.#defined = defined;
    this.#writer = writer;
    this.#isHtml = isHtml;
  }

  template(nodes: readonly Node[], dot: unknown): void {
    const outer = this.#variables;
    this.#variables = [{ name: "$", value: dot }];
    this.#list(nodes, dot);
    this.#variables = outer;
  }

  #step(at: number): void {
    if (++this.#steps > runLimits.steps || this.#writer.length > runLimits.characters) {
      throw new TemplateError(this.#source, at, "the template writes too much, or runs for too long");
    }
  }

  #list(nodes: readonly Node[], dot: unknown): Ending {
    for (const node of nodes) {
      const ending = this.#node(node, dot);
      if (ending !== null) return ending;
    }
    return null;
  }

  #node(node: Node, dot: unknown): Ending {
    switch (node.kind) {
      case "text":
        this.#step(0);
        this.#writer.literal(node.text);
        return null;
      case "output": {
        this.#step(node.at);
        const value = this.#pipeline(node.pipeline, dot);
        if (node.pipeline.variables.length === 0) this.#writer.value(value);
        return null;
      }
      case "break":
      case "continue":
        return node.kind;
      case "template":
        this.#call(node, dot);
        return null;
      default:
        return this.#scoped(() => this.#block(node, dot));
    }
  }

  /** Variables declared inside are gone afterwards. */
  #scoped(work: () => Ending): Ending {
    const count = this.#variables.length;
    const ending = work();
    this.#variables.length = count;
    return ending;
  }

  #block(node: Node & { readonly kind: "if" | "with" | "range" }, dot: unknown): Ending {
    this.#step(node.at);
    const value = this.#pipeline(node.pipeline, dot, node.kind !== "range");
    if (node.kind === "range") return this.#range(node, value, dot);
    if (!isTrue(value)) return this.#list(node.otherwise, dot);
    return this.#list(node.body, node.kind === "with" ? value : dot);
  }

  #range(node: Node & { readonly kind: "if" | "with" | "range" }, value: unknown, dot: unknown): Ending {
    const { variables, isAssignment } = node.pipeline;
    let count = 0;
    for (const [key, item] of itemsOf(value)) {
      count += 1;
      this.#step(node.at);
      const [first, second] = variables;
      const ending = this.#scoped(() => {
        if (second !== undefined) {
          this.#set(first!, key, isAssignment);
          this.#set(second, item, isAssignment);
        } else if (first !== undefined) this.#set(first, item, isAssignment);
        return this.#list(node.body, item);
      });
      if (ending === "break") break;
    }
    return count === 0 ? this.#list(node.otherwise, dot) : null;
  }

  #call(node: Node & { readonly kind: "template" }, dot: unknown): void {
    this.#step(node.at);
    const nodes = this.#defined.get(node.name);
    if (nodes === undefined) {
      throw new TemplateError(this.#source, node.at, `there is no template ${JSON.stringify(node.name)}`);
    }
    if (++this.#calls > runLimits.calls) {
      throw new TemplateError(this.#source, node.at, "templates call each other without end");
    }
    this.template(nodes, node.pipeline === null ? undefined : this.#pipeline(node.pipeline, dot));
    this.#calls -= 1;
  }

  #set(name: string, value: unknown, isAssignment: boolean): void {
    const known = isAssignment ? this.#variables.findLast((variable) => variable.name === name) : undefined;
    if (known === undefined) this.#variables.push({ name, value });
    else known.value = value;
  }

  /** `declares`: whether its variables get its value; `range` gives them each item's. */
  #pipeline(pipeline: Pipeline, dot: unknown, declares = true): unknown {
    let value: unknown;
    pipeline.commands.forEach((command, index) => {
      value = this.#command(command, dot, index === 0 ? [] : [value]);
    });
    if (declares) for (const name of pipeline.variables) this.#set(name, value, pipeline.isAssignment);
    return value;
  }

  #command(command: Command, dot: unknown, piped: readonly unknown[]): unknown {
    this.#step(command.at);
    const { call, operands } = command;
    if (call === null) return this.#operand(operands[0]!, dot);
    if (call === "and" || call === "or") return this.#firstThat(call === "or", operands, piped, dot);
    const args = [...operands.map((operand) => this.#operand(operand, dot)), ...piped];
    const value = callFunction(call, args, this.#isHtml);
    // Text that is put together from itself doubles every time.
    const characters = textLength(value);
    if (characters > runLimits.characters) throw new TemplateError(this.#source, command.at, "a text becomes too long");
    this.#steps += characters >>> 10;
    return value;
  }

  /** The first value that decides, else the last one; what comes after is not computed. */
  #firstThat(isWanted: boolean, operands: readonly Operand[], piped: readonly unknown[], dot: unknown): unknown {
    let value: unknown;
    for (const operand of operands) {
      value = this.#operand(operand, dot);
      if (isTrue(value) === isWanted) return value;
    }
    return piped.length > 0 ? piped[0] : value;
  }

  #operand(operand: Operand, dot: unknown): unknown {
    switch (operand.kind) {
      case "value":
        return operand.value;
      case "dot":
        return operand.path.reduce(memberOf, dot);
      case "variable":
        return operand.path.reduce(memberOf, this.#variables.findLast(({ name }) => name === operand.name)?.value);
      case "call":
        return operand.path.reduce(
          memberOf,
          this.#command({ at: operand.at, call: operand.name, operands: [] }, dot, []),
        );
      case "group":
        return operand.path.reduce(memberOf, this.#pipeline(operand.pipeline, dot));
    }
  }
}

const textLength = (value: unknown): number => {
  const text = plainOf(value);
  return typeof text === "string" ? text.length : 0;
};

/** What can be gone through: lists, maps by name, and whole numbers from 0 (Go 1.22). */
function* itemsOf(value: unknown): Generator<[key: unknown, item: unknown]> {
  if (typeof value === "number") {
    for (let n = 0; n < value; n++) yield [n, n];
  } else if (Array.isArray(value)) {
    yield* value.entries();
  } else if (typeof value === "object" && value !== null) {
    if (!(value instanceof TrustedUrl || value instanceof EncodedText)) yield* entriesOf(value);
  }
}

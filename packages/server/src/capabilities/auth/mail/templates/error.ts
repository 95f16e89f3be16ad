/** A template that cannot be read or run: what, in which file, where. The only error this folder throws. */
export class TemplateError extends Error {
  override readonly name = "TemplateError";
  /** From 1. */
  readonly line: number;
  /** From 1, in characters. */
  readonly column: number;

  constructor(template: { readonly name: string; readonly text: string }, at: number, message: string) {
    const before = template.text.slice(0, at);
    const line = before.split("\n").length;
    const column = before.length - before.lastIndexOf("\n");
    super(`${template.name}:${line}:${column}: ${message}`);
    this.line = line;
    this.column = column;
  }
}

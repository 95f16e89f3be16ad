/** What a template says, as a tree. */
export type Node =
  | { readonly kind: "text"; readonly text: string }
  | { readonly kind: "output"; readonly at: number; readonly pipeline: Pipeline }
  | {
      readonly kind: "if" | "with" | "range";
      readonly at: number;
      readonly pipeline: Pipeline;
      readonly body: readonly Node[];
      readonly otherwise: readonly Node[];
    }
  | { readonly kind: "template"; readonly at: number; readonly name: string; readonly pipeline: Pipeline | null }
  | { readonly kind: "break" | "continue" };

export interface Pipeline {
  /** Variables it declares or sets; two only in `range`. */
  readonly variables: readonly string[];
  readonly isAssignment: boolean;
  readonly commands: readonly Command[];
}

/** A value, or a function with its arguments. */
export interface Command {
  readonly at: number;
  /** `null` for a plain value, which is then the only argument. */
  readonly call: string | null;
  readonly operands: readonly Operand[];
}

export type Operand =
  | { readonly kind: "value"; readonly value: string | number | boolean | null }
  /** `.a.b` from the dot, `$x.a` from a variable, `(…).a` from whatever is in parentheses. */
  | { readonly kind: "dot"; readonly path: readonly string[] }
  | { readonly kind: "variable"; readonly name: string; readonly path: readonly string[] }
  | { readonly kind: "call"; readonly name: string; readonly at: number; readonly path: readonly string[] }
  | { readonly kind: "group"; readonly pipeline: Pipeline; readonly path: readonly string[] };

/**
 * PostgreSQL's printed node trees (`pg_rewrite.ev_action`), as far as views need them. The format is written by
 * `outfuncs.c`: `{TAG :field value …}`, `(list)`, and atoms in which a backslash takes the next character as it is.
 */
export type NodeValue = string | NodeList | Node;
export type NodeList = readonly NodeValue[];
export interface Node {
  readonly tag: string;
  readonly fields: ReadonlyMap<string, NodeList>;
}

export function parseNodeTree(text: string): NodeList {
  let position = 0;

  const skipSpace = () => {
    while (position < text.length && /\s/.test(text[position] ?? "")) position++;
  };
  const atom = (): string => {
    const start = position;
    while (position < text.length && !/[\s(){}]/.test(text[position] ?? ""))
      position += text[position] === "\\" ? 2 : 1;
    // A lone closing brace where none belongs must not stop the world.
    if (position === start) position++;
    return text.slice(start, position);
  };
  const list = (close: string): NodeValue[] => {
    const values: NodeValue[] = [];
    for (;;) {
      skipSpace();
      if (position >= text.length) return values;
      if (text[position] === close) {
        position++;
        return values;
      }
      values.push(value());
    }
  };
  const value = (): NodeValue => {
    const first = text[position];
    if (first === "(") {
      position++;
      return list(")");
    }
    if (first === "{") {
      position++;
      return node(list("}"));
    }
    return atom();
  };
  return list("");
}

function node(values: NodeValue[]): Node {
  const [tag, ...rest] = values;
  const fields = new Map<string, NodeValue[]>();
  let current: NodeValue[] = [];
  for (const value of rest) {
    if (typeof value === "string" && value.startsWith(":")) {
      current = [];
      fields.set(value.slice(1), current);
    } else {
      current.push(value);
    }
  }
  return { tag: typeof tag === "string" ? tag : "", fields };
}

export const isNode = (value: NodeValue | undefined): value is Node => typeof value === "object" && "tag" in value;

/** Nodes in the list a field holds: `:targetList ({TARGETENTRY …} {TARGETENTRY …})`. */
export function nodesIn(parent: Node, field: string): readonly Node[] {
  const [list] = parent.fields.get(field) ?? [];
  return Array.isArray(list) ? list.filter(isNode) : [];
}

export function nodeIn(parent: Node, field: string): Node | null {
  const [value] = parent.fields.get(field) ?? [];
  return isNode(value) ? value : null;
}

export function numberIn(parent: Node, field: string): number {
  const [value] = parent.fields.get(field) ?? [];
  return typeof value === "string" ? Number(value) : Number.NaN;
}

import { closeOf, isAt, splitAtCommas, type Token, textOf, tokenize } from "./tokens.ts";

/** A failure as the reference shows it. */
export interface DocumentedProblem {
  /** `http/not-found`, `PGRST116`. */
  readonly code: string;
  /** One or more HTTP statuses. */
  readonly statuses: readonly number[];
  /** Its message, with `{name}` for what varies; `null` where it is made elsewhere. */
  readonly message: string | null;
  /** What it means and what to do: the doc comment. `null` for one thrown outside of a `problems.ts`. */
  readonly meaning: string | null;
  /** What its hint says, where that is a fixed text. */
  readonly hint: string | null;
}

/** A function that makes problems out of its arguments: `const auth = (code, status, …) => new Problem(…)`. */
export interface Helper {
  readonly name: string;
  readonly parameters: readonly Parameter[];
  /** What it gives to `new Problem`. */
  readonly args: readonly (readonly Token[])[];
}

interface Parameter {
  readonly name: string;
  readonly type: readonly Token[];
  readonly fallback: readonly Token[];
}

/** What the names in an expression stand for. */
type Scope = ReadonlyMap<string, { readonly value: readonly Token[]; readonly type: readonly Token[] }>;

/**
 * Reads a `problems.ts`: every entry of its exported `problems` or `…Problems`.
 * @param borrowed Helpers that it imports
 * @throws Error naming the entry that has no doc comment, or whose code or status cannot be told from the source
 */
export function readProblems(
  source: string,
  file: string,
  borrowed: readonly Helper[] = [],
): readonly DocumentedProblem[] {
  const tokens = tokenize(source);
  const helpers = [...helpersIn(tokens), ...borrowed];
  const found: DocumentedProblem[] = [];
  for (let at = 0; at < tokens.length; at += 1) {
    const name = tokens[at + 2]?.text ?? "";
    if (!isAt(tokens, at, "export", "const") || !/(?:^p|P)roblems$/.test(name)) continue;
    const open = tokens.findIndex((token, index) => index > at && token.text === "{");
    const entries = splitAtCommas(tokens.slice(open + 1, closeOf(tokens, open)));
    const known = new Map<string, DocumentedProblem>();
    for (const entry of entries) {
      const problem = readEntry(entry, name, helpers, known, file);
      known.set(entry[0]!.text, problem);
      found.push(problem);
    }
  }
  if (found.length === 0) throw new Error(`${file} exports no object named "problems" or "…Problems".`);
  return found;
}

function readEntry(
  entry: readonly Token[],
  object: string,
  helpers: readonly Helper[],
  known: ReadonlyMap<string, DocumentedProblem>,
  file: string,
): DocumentedProblem {
  const [key] = entry;
  const where = `${file}:${key?.line} (${key?.text})`;
  const meaning = key?.doc ?? null;
  if (meaning === null) throw new Error(`${where} has no doc comment: say what it means and what to do.`);
  const open = entry.findIndex(({ text }) => text === "(");
  if (open !== 2) throw new Error(`${where} is not of the form "name: (…) => new Problem(…)".`);
  const close = closeOf(entry, open);
  const scope = scopeOf(parametersOf(entry.slice(open + 1, close)), []);
  const body = entry.slice(close + 1);
  for (let at = 0; at < body.length; at += 1) {
    if (isAt(body, at, object, ".")) {
      // One in the words of another of the same object.
      const other = known.get(body[at + 2]?.text ?? "");
      const [message] = argumentsAt(body, at + 3);
      if (other !== undefined) return { ...other, meaning, message: sentence(message ?? [], scope) ?? other.message };
    }
    const call = callAt(body, at, helpers);
    if (call !== null) {
      const problem = problemOf(call, scope);
      if (problem === null) throw new Error(`${where} has a code or a status that cannot be told from the source.`);
      return { ...problem, meaning };
    }
  }
  throw new Error(`${where} makes no Problem.`);
}

/** Problems that are thrown where they arise, rather than named in a `problems.ts`: only those whose code is written there. */
export function readThrown(source: string, shared: readonly Helper[]): readonly DocumentedProblem[] {
  const tokens = tokenize(source);
  return tokens.flatMap((_, at) => {
    if (tokens[at - 1]?.text === "function") return [];
    const call = callAt(tokens, at, shared);
    const problem = call === null ? null : problemOf(call, new Map());
    return problem === null ? [] : [{ ...problem, meaning: null }];
  });
}

/** Functions of a file whose body is, or returns, a `new Problem(…)`. */
export function helpersIn(tokens: readonly Token[]): readonly Helper[] {
  return tokens.flatMap((token, at): Helper[] => {
    const open =
      isAt(tokens, at, "const") && isAt(tokens, at + 2, "=", "(") ? at + 3 : token.text === "function" ? at + 2 : -1;
    if (tokens[open]?.text !== "(") return [];
    const close = closeOf(tokens, open);
    const end = tokens.findIndex(
      ({ text }, index) => index > close && [";", "const", "function", "export"].includes(text),
    );
    const made = tokens.findIndex((_, index) => index > close && isAt(tokens, index, "new", "Problem", "("));
    const bodyEnd = token.text === "function" ? bodyEndOf(tokens, close) : end;
    if (made === -1 || (bodyEnd !== -1 && made > bodyEnd)) return [];
    const parameters = parametersOf(tokens.slice(open + 1, close));
    return [{ name: tokens[at + 1]?.text ?? "", parameters, args: argumentsAt(tokens, made + 2) }];
  });
}

function bodyEndOf(tokens: readonly Token[], close: number): number {
  const open = tokens.findIndex(({ text }, index) => index > close && text === "{");
  return open === -1 ? -1 : closeOf(tokens, open);
}

interface ProblemCall {
  readonly args: readonly (readonly Token[])[];
  readonly helper: Helper | null;
}

/** A `new Problem(…)`, or a call of a helper, that begins at `at`. */
function callAt(tokens: readonly Token[], at: number, helpers: readonly Helper[]): ProblemCall | null {
  if (isAt(tokens, at, "new", "Problem", "(")) return { args: argumentsAt(tokens, at + 2), helper: null };
  if (tokens[at]?.kind !== "name" || tokens[at + 1]?.text !== "(" || tokens[at - 1]?.text === ".") return null;
  const helper = helpers.find(({ name }) => name === tokens[at]?.text);
  return helper === undefined ? null : { args: argumentsAt(tokens, at + 1), helper };
}

/** `null` when the code or the status is not written in the source. */
function problemOf({ args, helper }: ProblemCall, scope: Scope): Omit<DocumentedProblem, "meaning"> | null {
  const inner = helper === null ? scope : scopeOf(helper.parameters, args, scope);
  const [code, status, message, options] = helper === null ? args : helper.args;
  const codeText = literal(code ?? [], inner);
  const statuses = statusesOf(status ?? [], inner);
  if (codeText === null || codeText.includes("{") || statuses.length === 0) return null;
  return {
    code: codeText,
    statuses,
    message: sentence(message ?? [], inner),
    hint: literal(property(resolved(options ?? [], inner), "hint"), inner),
  };
}

function parametersOf(tokens: readonly Token[]): readonly Parameter[] {
  return splitAtCommas(tokens, true).map((part) => {
    const equals = part.findIndex(({ text }) => text === "=");
    const declared = equals === -1 ? part : part.slice(0, equals);
    const colon = declared.findIndex(({ text }) => text === ":");
    return {
      name: part[0]?.text ?? "",
      type: colon === -1 ? [] : declared.slice(colon + 1),
      fallback: equals === -1 ? [] : part.slice(equals + 1),
    };
  });
}

function scopeOf(parameters: readonly Parameter[], args: readonly (readonly Token[])[], outer?: Scope): Scope {
  return new Map(
    parameters.map(({ name, type, fallback }, index) => {
      const given = args[index] ?? fallback;
      // An argument that is a name of the caller's means what it means there.
      const meant = given.length === 1 ? outer?.get(given[0]!.text) : undefined;
      return [name, meant ?? { value: given, type }];
    }),
  );
}

const argumentsAt = (tokens: readonly Token[], open: number): readonly (readonly Token[])[] =>
  tokens[open]?.text === "(" ? splitAtCommas(tokens.slice(open + 1, closeOf(tokens, open))) : [];

/** A name that stands for an expression is replaced by it. */
function resolved(tokens: readonly Token[], scope: Scope): readonly Token[] {
  const [only] = tokens;
  const known = tokens.length === 1 && only?.kind === "name" ? scope.get(only.text) : undefined;
  return known === undefined || known.value.length === 0 ? tokens : known.value;
}

/** The value of a property of an object literal; a shorthand is its own value. */
function property(tokens: readonly Token[], name: string): readonly Token[] {
  if (tokens[0]?.text !== "{") return [];
  const part = splitAtCommas(tokens.slice(1, closeOf(tokens, 0))).find(([key]) => key?.text === name);
  return part === undefined ? [] : part.length === 1 ? part : part.slice(2);
}

/** The text of an expression that is a text, a template or a name that stands for one. */
function literal(expression: readonly Token[], scope: Scope): string | null {
  const tokens = resolved(expression, scope);
  const [only] = tokens;
  if (tokens.length !== 1 || only === undefined || !["string", "template"].includes(only.kind)) return null;
  return textOf(only, (inner) => literal(tokenize(inner), scope) ?? placeholder(inner));
}

/** The same, and for a choice between expressions the one that carries the message, or else the first. */
function sentence(expression: readonly Token[], scope: Scope): string | null {
  const whole = literal(expression, scope);
  if (whole !== null) return whole;
  const carrier = expression.find(({ kind, text }) => kind === "name" && text === "message" && scope.has(text));
  if (carrier !== undefined) return literal([carrier], scope);
  const question = expression.findIndex(({ text }) => text === "?");
  const first = question === -1 ? undefined : expression.slice(question).find(({ kind }) => kind === "string");
  return first === undefined ? null : literal([first], scope);
}

/** `{file}` for `at.file`; `{…}` for anything that is no plain name. */
const placeholder = (expression: string): string =>
  `{${/^[\w$]+(?:\??\.[\w$]+)*$/.test(expression) ? (expression.split(".").at(-1) ?? "…") : "…"}}`;

/** Numbers written in place, or those that a parameter's type allows. */
function statusesOf(expression: readonly Token[], scope: Scope): readonly number[] {
  const [only] = expression;
  const known = expression.length === 1 && only?.kind === "name" ? scope.get(only.text) : undefined;
  const written = known === undefined ? expression : known.value.length > 0 ? known.value : known.type;
  return written.filter(({ kind }) => kind === "number").map(({ text }) => Number(text));
}

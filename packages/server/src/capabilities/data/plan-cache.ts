import { Lru } from "../../kernel/lru.ts";
import type { Method } from "../../kernel/route.ts";
import type { Compiled } from "./compile/types.ts";

/** Everything besides its shape that decides a request's statement. Header texts as they came: equal texts mean the same. */
export interface Question {
  readonly method: Method;
  readonly isFunction: boolean;
  readonly name: string;
  readonly schema: string;
  readonly hasProfile: boolean;
  readonly usesRange: boolean;
  readonly prefer: string | undefined;
  readonly accept: string | undefined;
  /** What of a body counts; `""` without one. */
  readonly bodyKey: string;
}

interface Remembered extends Question {
  readonly compiled: Compiled;
}

/** Variants of one shape that are kept: methods, header texts and bodies. */
const maxVariants = 32;
/** Keys beyond this length are not worth remembering. */
const maxKeyChars = 8_192;

/**
 * Compiled statements by name and shape. A shape's variants are few and compared field by field: that is cheaper than joining nine
 * texts into one key to be hashed, on every request.
 */
export class PlanCache {
  readonly #shapes: Lru<string, Remembered[]>;

  constructor(capacity: number) {
    this.#shapes = new Lru(capacity);
  }

  find(shape: string, question: Question): Compiled | undefined {
    const variants = this.#shapes.get(`${question.name}?${shape}`);
    if (variants === undefined) return undefined;
    for (const variant of variants) if (isSame(variant, question)) return variant.compiled;
    return undefined;
  }

  remember(shape: string, question: Question, compiled: Compiled): void {
    const key = `${question.name}?${shape}`;
    if (key.length + question.bodyKey.length + (question.accept?.length ?? 0) > maxKeyChars) return;
    const variants = this.#shapes.get(key);
    if (variants === undefined) this.#shapes.set(key, [{ ...question, compiled }]);
    else {
      if (variants.length >= maxVariants) variants.shift();
      variants.push({ ...question, compiled });
    }
  }
}

function isSame(a: Question, b: Question): boolean {
  return (
    a.method === b.method &&
    a.isFunction === b.isFunction &&
    a.name === b.name &&
    a.schema === b.schema &&
    a.hasProfile === b.hasProfile &&
    a.usesRange === b.usesRange &&
    a.prefer === b.prefer &&
    a.accept === b.accept &&
    a.bodyKey === b.bodyKey
  );
}

import type { Json } from "../../../platform/jobs/types.ts";
import { serviceProblems } from "./problems.ts";

type JsonObject = { readonly [key: string]: Json | undefined };

/** Reads what a thread has sent: nothing of it is believed. Each throws the Problem `functions/invalid-argument`. */
export class Arguments {
  readonly #service: string;
  readonly #given: readonly Json[];

  constructor(service: string, given: unknown) {
    this.#service = service;
    this.#given = Array.isArray(given) ? given : [];
  }

  refuse(what: string): never {
    throw serviceProblems.invalidArgument(this.#service, what);
  }

  text(at: number, what: string, longest = 200): string {
    const value = this.#given[at];
    if (typeof value !== "string" || value === "" || value.length > longest || value.includes("\0")) {
      return this.refuse(`${what} must be a text of 1 to ${longest} characters`);
    }
    return value;
  }

  json(at: number): Json {
    return this.#given[at] ?? null;
  }

  /** An object; an empty one when it was left out. */
  options(at: number): Options {
    const value = this.#given[at] ?? {};
    if (typeof value !== "object" || Array.isArray(value)) return this.refuse("options must be an object");
    return new Options(value as JsonObject, (what) => this.refuse(what));
  }

  /** Texts and nulls. */
  parameters(at: number): readonly (string | null)[] {
    const value = this.#given[at] ?? [];
    if (!Array.isArray(value)) return this.refuse("parameters must be a list");
    return value.map((item) => {
      if (item === null || typeof item === "string") return item;
      return this.refuse("parameters must be texts or null");
    });
  }
}

export class Options {
  readonly #given: JsonObject;
  readonly #refuse: (what: string) => never;

  constructor(given: JsonObject, refuse: (what: string) => never) {
    this.#given = given;
    this.#refuse = refuse;
  }

  /** `undefined` when it was left out, or is null. */
  raw(name: string): Json | undefined {
    return Object.hasOwn(this.#given, name) ? (this.#given[name] ?? undefined) : undefined;
  }

  text(name: string, longest: number): string | undefined {
    const value = this.raw(name);
    if (value === undefined) return undefined;
    if (typeof value !== "string" || value === "" || value.length > longest || value.includes("\0")) {
      return this.#refuse(`${name} must be a text of 1 to ${longest} characters`);
    }
    return value;
  }

  number(name: string, min: number, max: number): number | undefined {
    const value = this.raw(name);
    if (value === undefined) return undefined;
    if (typeof value !== "number" || !(value >= min && value <= max)) {
      return this.#refuse(`${name} must be a number from ${min} to ${max}`);
    }
    return value;
  }

  integer(name: string, min: number, max: number): number | undefined {
    const value = this.number(name, min, max);
    return value === undefined || Number.isInteger(value) ? value : this.#refuse(`${name} must be a whole number`);
  }
}

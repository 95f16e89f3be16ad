import type { Node } from "../parser.ts";
import type { Place } from "./rules.ts";

/** What is judged: built from files, statement by statement, or read from a database. Keys are `schema.name`. */
export interface SchemaModel {
  readonly tables: Map<string, TableModel>;
  readonly views: Map<string, ViewModel>;
  readonly functions: Map<string, FunctionModel>;
}

export interface TableModel {
  readonly place: Place;
  hasRowSecurity: boolean;
  readonly policies: Map<string, PolicyModel>;
  /** By index or constraint name: the first column, which is what a policy's comparison can use. */
  readonly indexes: Map<string, string>;
}

export interface PolicyModel {
  readonly place: Place;
  /** Decides which rows are seen; `null` when there is none. */
  readonly using: Node | null;
  readonly check: Node | null;
}

export interface ViewModel {
  readonly place: Place;
  isInvoker: boolean;
  /** Keys of the relations it reads. */
  readonly reads: readonly string[];
}

export interface FunctionModel {
  readonly place: Place;
  readonly isDefiner: boolean;
  hasSearchPath: boolean;
}

export const emptyModel = (): SchemaModel => ({ tables: new Map(), views: new Map(), functions: new Map() });
export const newTable = (place: Place): TableModel => ({
  place,
  hasRowSecurity: false,
  policies: new Map(),
  indexes: new Map(),
});

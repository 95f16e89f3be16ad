/** What the generated types are made from: the database's own description, nothing of TypeScript in it. */
export interface DatabaseModel {
  readonly relations: readonly ModelRelation[];
  readonly functions: readonly ModelFunction[];
  readonly foreignKeys: readonly ModelForeignKey[];
  readonly types: ReadonlyMap<number, ModelType>;
}

export interface ModelRelation {
  readonly oid: number;
  readonly schema: string;
  readonly name: string;
  readonly isView: boolean;
  readonly isInsertable: boolean;
  readonly isUpdatable: boolean;
  readonly columns: readonly ModelColumn[];
}

export interface ModelColumn {
  readonly name: string;
  /** `attnum`: what keys and views refer to. */
  readonly number: number;
  readonly type: number;
  readonly isNullable: boolean;
  readonly hasDefault: boolean;
  /** Generated, or identity `always`: may not be written. */
  readonly isReadOnly: boolean;
  /** For a view's column: where it comes from, when it is a plain column of something else. */
  readonly origin: { readonly relation: number; readonly column: number } | null;
}

export interface ModelForeignKey {
  readonly name: string;
  readonly source: number;
  readonly target: number;
  /** Column numbers, in pairs. */
  readonly sourceColumns: readonly number[];
  readonly targetColumns: readonly number[];
  /** The source columns are unique: at most one row on either side. */
  readonly isOneToOne: boolean;
}

export interface ModelFunction {
  readonly schema: string;
  readonly name: string;
  readonly parameters: readonly ModelParameter[];
  /** OUT parameters and columns of `returns table`; empty when the return type says it all. */
  readonly outputs: readonly { readonly name: string; readonly type: number }[];
  readonly returns: number;
  readonly isSetReturning: boolean;
  /** `rows n`. */
  readonly estimatedRows: number;
}

export interface ModelParameter {
  /** `""` for an unnamed one. */
  readonly name: string;
  readonly type: number;
  readonly hasDefault: boolean;
}

export type ModelType = { readonly schema: string; readonly name: string } & (
  | { readonly kind: "base" }
  | { readonly kind: "array"; readonly element: number }
  | { readonly kind: "domain"; readonly base: number }
  | { readonly kind: "enum"; readonly values: readonly string[] }
  | { readonly kind: "composite"; readonly attributes: readonly { readonly name: string; readonly type: number }[] }
  /** The row type of a table or view. */
  | { readonly kind: "row"; readonly relation: number }
);

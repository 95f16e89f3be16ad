/** Rows of the catalogue's queries, as `pg` parses them: oids and int2 are numbers, arrays are arrays. */

export interface RelationRow {
  readonly oid: number;
  readonly schema: string;
  readonly name: string;
  readonly kind: "r" | "p" | "v" | "m" | "f";
  readonly comment: string | null;
  readonly hasRowSecurity: boolean;
  /** Bits of `pg_relation_is_updatable`: 4 update, 8 insert, 16 delete. */
  readonly writes: number;
}

export interface ColumnRow {
  readonly relation: number;
  readonly name: string;
  readonly position: number;
  readonly type: string;
  readonly baseType: string;
  readonly isArray: boolean;
  readonly isComposite: boolean;
  readonly isNullable: boolean;
  readonly hasDefault: boolean;
  readonly defaultExpression: string | null;
  readonly isGenerated: boolean;
  readonly isIdentity: boolean;
  readonly enumValues: readonly string[] | null;
  readonly maxLength: number | null;
  readonly comment: string | null;
}

/** A primary key, unique constraint or foreign key, by column numbers. */
export interface ConstraintRow {
  readonly name: string;
  readonly type: "p" | "u" | "f";
  readonly relation: number;
  readonly columns: readonly number[];
  /** 0 unless it is a foreign key. */
  readonly target: number;
  readonly targetColumns: readonly number[] | null;
}

export interface UniqueIndexRow {
  readonly relation: number;
  readonly columns: readonly number[];
}

export interface ViewRow {
  readonly view: number;
  /** The rewrite rule's query tree as PostgreSQL prints it. */
  readonly action: string;
}

export interface FunctionRow {
  readonly oid: number;
  readonly schema: string;
  readonly name: string;
  readonly argumentNames: readonly string[];
  /** `i`n, `o`ut, inout `b`, `v`ariadic, `t`able; `null` when all are in. */
  readonly argumentModes: readonly string[] | null;
  readonly argumentTypes: readonly string[];
  readonly inputs: number;
  readonly inputDefaults: number;
  /** Relation whose row type is the only input; `null` otherwise. */
  readonly rowInput: number | null;
  readonly hasInternalType: boolean;
  readonly returnType: string;
  readonly returnKind: "void" | "record" | "composite" | "scalar";
  /** The relation or composite type behind the return type; 0 when there is none. */
  readonly returnRelation: number;
  /** Columns of a composite type that is no relation of ours. */
  readonly returnColumns: readonly (readonly [name: string, type: string])[] | null;
  readonly isSetReturning: boolean;
  readonly estimatedRows: number;
  readonly volatility: "i" | "s" | "v";
  readonly settings: readonly string[] | null;
  readonly comment: string | null;
}

export interface MediaHandlerRow {
  readonly mediaType: string;
  /** 0 for `anyelement`. */
  readonly relation: number;
  readonly function: string;
}

export interface RepresentationRow {
  readonly cast: string;
  readonly function: string;
}

export interface RoleSettingRow {
  readonly role: string;
  readonly name: string;
  readonly value: string;
}

/** Everything one load read, in one snapshot. */
export interface CatalogRows {
  readonly relations: readonly RelationRow[];
  readonly columns: readonly ColumnRow[];
  readonly constraints: readonly ConstraintRow[];
  readonly uniqueIndexes: readonly UniqueIndexRow[];
  readonly views: readonly ViewRow[];
  readonly functions: readonly FunctionRow[];
  readonly mediaHandlers: readonly MediaHandlerRow[];
  readonly representations: readonly RepresentationRow[];
  readonly roleSettings: readonly RoleSettingRow[];
  readonly settingSources: readonly { readonly source: string }[];
}

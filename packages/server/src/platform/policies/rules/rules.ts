import type { Principal } from "../../../kernel/principal.ts";
import { reasonOf } from "../../../kernel/reason.ts";
import { dependenciesOf } from "../compile/dependencies.ts";
import {
  type ClaimPath,
  type CollationShape,
  type CompiledPolicy,
  compileTrees,
  type Dependencies,
  type KnownFunction,
  type PolicyInput,
  type TableName,
} from "../compile/index.ts";
import type { Node } from "../compile/parser.ts";
import { as } from "../compile/tree.ts";
import type { ReadRights } from "../types.ts";
import { type AuthFunction, knownFunctions, readAuthFunctions } from "./auth-functions.ts";
import { collationShape } from "./collations.ts";
import { isRowSecured, noRights, policiesFor, rightsOf } from "./rights.ts";
import { type Role, Roles } from "./roles.ts";
import type { RulesRows } from "./store.ts";
import type { PolicyFacts, TableFacts } from "./table.ts";

/** What an answer follows from, apart from the row: with the policies of the tables that a policy looks into, and so on. */
export interface Reach {
  readonly claims: readonly ClaimPath[] | "all";
  /** Numbers of the tables that are read; `unknown` when code may read any. */
  readonly tables: readonly number[] | "unknown";
  readonly readsClock: boolean;
}

/** The policies of a table for a role, put together. */
export interface Secured {
  readonly table: TableFacts;
  readonly compiled: CompiledPolicy;
  /** The condition as SQL, to be read with nothing but `pg_catalog` before all else. */
  readonly condition: string;
  /** Names of the table's columns that it reads. */
  readonly columns: readonly string[];
  readonly reach: Reach;
  /** By the compiled policy's sets. */
  readonly sets: readonly Reach[];
}

/** What a caller may read of a table. */
export interface Reading {
  readonly rights: ReadRights;
  /** Which rows; `null` when row level security does not apply. */
  readonly secured: Secured | null;
}

const anything: Dependencies = { claims: "all", tables: "unknown", readsClock: true };
const nothing: Reading = { rights: noRights, secured: null };

/** Who may read what, as it was at one moment. Immutable, but for what it remembers of what it has worked out. */
export class Rules {
  readonly #roles: Roles;
  readonly #tables: ReadonlyMap<number, TableFacts>;
  readonly #byName: ReadonlyMap<string, TableFacts>;
  readonly #functions: readonly AuthFunction[];
  readonly #collation: CollationShape;
  readonly #trees: ReadonlyMap<string, Node | null>;
  readonly #readings = new Map<string, Reading>();

  constructor(rows: RulesRows, trees: ReadonlyMap<string, Node | null>) {
    this.#roles = new Roles(rows.roles, rows.memberships, rows.database.owner);
    const tables = rows.tables.map(
      (table): TableFacts => ({
        ...table,
        columns: table.columns.map((column) => ({
          ...column,
          collation: column.collation && collationShape(column.collation),
        })),
      }),
    );
    this.#tables = new Map(tables.map((table) => [table.oid, table]));
    this.#byName = new Map(tables.map((table) => [nameOf(table), table]));
    this.#functions = readAuthFunctions(rows.functions);
    this.#collation = collationShape(rows.database.collation);
    this.#trees = trees;
  }

  has(oid: number): boolean {
    return this.#tables.has(oid);
  }

  knows(role: string): boolean {
    return this.#roles.named(role) !== null;
  }

  /** Of a table or a role that is not there: nothing. */
  readingOf(oid: number, who: Principal): Reading {
    const table = this.#tables.get(oid);
    const role = this.#roles.named(who.role);
    if (table === undefined || role === null) return nothing;
    const known = knownFunctions(this.#functions, role, who);
    const key = JSON.stringify([oid, role.name, [...known].sort()]);
    let reading = this.#readings.get(key);
    if (reading === undefined) {
      const rights = rightsOf(table, role);
      reading = { rights, secured: rights.isRowSecured ? this.#secure(table, role, known) : null };
      this.#readings.set(key, reading);
    }
    return reading;
  }

  #secure(table: TableFacts, role: Role, known: ReadonlySet<KnownFunction>): Secured {
    const policies = policiesFor(table, role);
    const condition = conditionOf(policies);
    try {
      const trees = this.#treesOf(policies);
      const compiled = this.#compile(table, policies, trees, known);
      const sets = compiled.kind === "beyond" ? [] : compiled.sets;
      return {
        table,
        compiled,
        condition,
        columns: columnsOf(table, policies, trees),
        reach: this.#reachOf(compiled.depends, role, known),
        sets: sets.map(({ tables }) => this.#reachOf({ claims: [], tables, readsClock: false }, role, known)),
      };
    } catch (error) {
      // Nested too deeply to be walked: for PostgreSQL alone.
      const compiled: CompiledPolicy = { kind: "beyond", reason: reasonOf(error), depends: anything };
      const columns = table.columns.map(({ name }) => name);
      return { table, compiled, condition, columns, reach: { ...anything, tables: "unknown" }, sets: [] };
    }
  }

  #treesOf(policies: readonly PolicyFacts[]): readonly (Node | null)[] {
    return policies.map(({ sql }) => this.#trees.get(sql) ?? null);
  }

  #compile(
    table: TableFacts,
    policies: readonly PolicyFacts[],
    trees: readonly (Node | null)[],
    knownFunctions: ReadonlySet<KnownFunction>,
  ): CompiledPolicy {
    const input: PolicyInput = {
      using: policies,
      relation: shapeOf(table),
      knownFunctions,
      collation: this.#collation,
      tableOf: (name) => {
        const other = this.#tableNamed(name);
        return other === null ? null : shapeOf(other);
      },
    };
    return compileTrees(input, trees);
  }

  /** Follows the tables that are read into their own policies for the role, to the end. */
  #reachOf(depends: Dependencies, role: Role, known: ReadonlySet<KnownFunction>): Reach {
    const claims = new Map<string, ClaimPath>();
    const tables = new Set<number>();
    let [isAll, isAnyTable, readsClock] = [false, false, false];
    const add = (more: Dependencies): void => {
      readsClock ||= more.readsClock;
      if (more.claims === "all") isAll = true;
      else for (const path of more.claims) claims.set(JSON.stringify(path), path);
      if (more.tables === "unknown") isAnyTable = true;
      else for (const name of more.tables) visit(name);
    };
    const visit = (name: TableName): void => {
      const table = this.#tableNamed(name);
      if (table === null) {
        // A view, a foreign table: what is behind it is not known here.
        isAll = true;
        isAnyTable = true;
        readsClock = true;
        return;
      }
      if (tables.has(table.oid)) return;
      tables.add(table.oid);
      if (!isRowSecured(table, role)) return;
      add(dependenciesOf(this.#treesOf(policiesFor(table, role)), known));
    };
    add(depends);
    return { claims: isAll ? "all" : [...claims.values()], tables: isAnyTable ? "unknown" : [...tables], readsClock };
  }

  #tableNamed(name: TableName): TableFacts | null {
    const table = this.#byName.get(nameOf(name));
    return table?.kind === "r" || table?.kind === "p" ? table : null;
  }
}

const nameOf = ({ schema, name }: TableName): string => JSON.stringify([schema, name]);

const shapeOf = ({ schema, name, columns }: TableFacts): PolicyInput["relation"] => ({
  schema,
  name,
  columns: columns.map(({ enumName, ...column }) => (enumName === null ? column : { ...column, enumName })),
});

/** As PostgreSQL puts policies together: one that permits, and all that restrict. */
function conditionOf(policies: readonly PolicyFacts[]): string {
  const texts = (isPermissive: boolean): readonly string[] =>
    policies.filter((policy) => policy.isPermissive === isPermissive).map(({ sql }) => `(${sql})`);
  const permissive = texts(true);
  if (permissive.length === 0) return "false";
  return [`(${permissive.join(" or ")})`, ...texts(false)].join(" and ");
}

/**
 * PostgreSQL keeps which columns a policy names, in USING and in WITH CHECK, but not that it takes the row as a whole: the tree says both.
 */
function columnsOf(
  table: TableFacts,
  policies: readonly PolicyFacts[],
  trees: readonly (Node | null)[],
): readonly string[] {
  const numbers = new Set(policies.flatMap(({ columns }) => columns));
  const named = new Set<string>();
  const visit = (value: unknown): void => {
    if (Array.isArray(value)) return value.forEach(visit);
    if (typeof value !== "object" || value === null) return;
    const word = as("String", value as Node)?.sval;
    if (word !== undefined) named.add(word);
    Object.values(value).forEach(visit);
  };
  trees.forEach(visit);
  const isWhole = trees.includes(null) || trees.some(hasStar);
  return table.columns
    .filter(({ name, number }) => isWhole || (numbers.has(number) && named.has(name)))
    .map(({ name }) => name);
}

function hasStar(value: unknown): boolean {
  if (Array.isArray(value)) return value.some(hasStar);
  if (typeof value !== "object" || value === null) return false;
  return "A_Star" in value || Object.values(value).some(hasStar);
}

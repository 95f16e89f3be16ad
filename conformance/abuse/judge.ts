import { loadModule, parseSync } from "libpg-query";

/**
 * Reads a statement with PostgreSQL's own grammar and says what in it has no business being there; `null` when all of it has
 * (threat B01). Everything is listed that the API writes by itself: what is not listed came from outside.
 */
export async function openJudge(exposedSchemas: readonly string[]): Promise<(statement: string) => string | null> {
  await loadModule();
  return (statement) => {
    let tree: { readonly stmts?: readonly { readonly stmt?: object }[] };
    try {
      tree = parseSync(statement) as typeof tree;
    } catch (error) {
      return `does not parse: ${String(error)}`;
    }
    const [only, ...more] = tree.stmts ?? [];
    if (only?.stmt === undefined || more.length > 0) return `${more.length + 1} statements`;
    const [kind] = Object.keys(only.stmt);
    if (!statementKinds.has(kind!)) return `a ${kind}`;
    const found: string[] = [];
    walk(only.stmt, [], exposedSchemas, found);
    return found[0] ?? null;
  };
}

const statementKinds = new Set([
  "SelectStmt",
  "InsertStmt",
  "UpdateStmt",
  "DeleteStmt",
  "ExplainStmt",
  "TransactionStmt",
  "VariableSetStmt",
  "ConstraintsSetStmt",
]);

/** Every kind of node the API's statements are made of. */
const nodeKinds = new Set(
  `SelectStmt InsertStmt UpdateStmt DeleteStmt ExplainStmt TransactionStmt VariableSetStmt ConstraintsSetStmt CommonTableExpr ResTarget ColumnRef A_Star String
   Integer Float Boolean A_Const ParamRef FuncCall NamedArgExpr A_Expr BoolExpr NullTest BooleanTest CaseExpr CaseWhen CoalesceExpr SubLink TypeCast
   TypeName RangeVar RangeSubselect RangeFunction JoinExpr Alias SortBy WithClause OnConflictClause InferClause IndexElem SetToDefault
   ColumnDef List DefElem RowExpr WindowDef`.split(/\s+/),
);

/** Functions of PostgreSQL's that the API calls by itself. */
const ownFunctions = new Set(
  `set_config current_setting count sum avg min max json_agg json_build_array json_build_object row_to_json to_jsonb to_json
   json_to_record json_to_recordset json_array_elements json_strip_nulls string_agg array_to_string unnest
   to_tsvector to_tsquery plainto_tsquery phraseto_tsquery websearch_to_tsquery
   has_table_privilege has_function_privilege replace substr length nextval pg_get_serial_sequence`.split(/\s+/),
);

/** Our own, in schemas that are not served; `auth.uid` is the default of a column of the fixture. */
const ourFunctions = new Set(["mainstay.reject", "auth.uid"]);

const ownOperators = new Set("= <> < > <= >= ~~ ~~* ~ ~* @> <@ && << >> &< &> -|- @@ -> ->> || + -".split(" "));

/** Names of our own that are no relation: common table expressions. */
const ownTables = new Set(["w", "a", "f"]);

/** Settings the API sets and reads. */
const ownSettings =
  /^(?:search_path|role|timezone|request\.(?:jwt\.claims|jwt\.claim\.sub|method|path|headers|cookies)|response\.(?:headers|status)|transaction_read_only|statement_timeout|lock_timeout|mainstay\.updated|default_transaction_isolation)$/;

/** Constants that are part of our own statements. */
const ownConstants =
  /^(?:|,|0|on|null|\[\]|type|features|FeatureCollection|PGRST1\d\d|mainstay\/rolled-back|Rolled back as asked\.|The (?:result contains|query affects) | rows|Cannot coerce the result to a single JSON object|Query result exceeds max-affected preference constraint|Payload values do not match URL in primary key column\(s\)|select, insert, update, delete|execute|[\n,"\\]+)$/;

const isolationLevels = /^(?:read uncommitted|read committed|repeatable read|serializable)$/;
const namingTypes =
  /^reg(?:class|proc|procedure|oper|operator|type|role|namespace|config|dictionary|collation|database)$/;
const textSearch = /^(?:to_tsvector|to_tsquery|plainto_tsquery|phraseto_tsquery|websearch_to_tsquery)$/;
const aliases = /^(?:t|x|j|e|o|c)\d+$|^(?:r|s|f|w|a|b|e|v|c|excluded)$/;

interface Step {
  readonly kind: string;
  readonly node: Readonly<Record<string, unknown>>;
  readonly key: string;
}

function walk(value: unknown, path: readonly Step[], schemas: readonly string[], found: string[]): void {
  if (Array.isArray(value)) {
    for (const each of value) walk(each, path, schemas, found);
    return;
  }
  if (typeof value !== "object" || value === null) return;
  for (const [kind, inner] of Object.entries(value)) {
    if (typeof inner !== "object" || inner === null) continue;
    const isNode = /^[A-Z]/.test(kind);
    if (!isNode) {
      // A member of the node above: its key matters to what may stand there.
      const last = path.at(-1);
      const below = last === undefined ? path : [...path.slice(0, -1), { ...last, key: kind }];
      if (kind === "relation" || kind === "typeName")
        inspect(kind === "relation" ? "RangeVar" : "TypeName", inner as Step["node"], below, schemas, found);
      walk(inner, below, schemas, found);
      continue;
    }
    if (!nodeKinds.has(kind)) found.push(`a node ${kind}`);
    inspect(kind, inner as Step["node"], path, schemas, found);
    walk(inner, [...path, { kind, node: inner as Step["node"], key: "" }], schemas, found);
  }
}

function inspect(
  kind: string,
  node: Step["node"],
  path: readonly Step[],
  schemas: readonly string[],
  found: string[],
): void {
  switch (kind) {
    case "RangeVar": {
      const { schemaname, relname, catalogname } = node;
      const isOurs = schemaname === undefined && ownTables.has(String(relname));
      if (catalogname !== undefined || !(isOurs || schemas.includes(String(schemaname))))
        found.push(`relation ${String(schemaname)}.${String(relname)}`);
      return;
    }
    case "FuncCall": {
      const names = strings(node.funcname);
      const name = names.at(-1)!;
      const isOwn = names.length === 1 && ownFunctions.has(name);
      const isServed = names.length === 2 && (schemas.includes(names[0]!) || ourFunctions.has(names.join(".")));
      if (!isOwn && !isServed) found.push(`function ${names.join(".")}`);
      return;
    }
    case "A_Expr": {
      const operator = strings(node.name).join(".");
      if (!ownOperators.has(operator) && node.kind !== "AEXPR_DISTINCT") found.push(`operator ${operator}`);
      return;
    }
    case "TypeName": {
      // A type whose values are names of things asks the catalogue whether they exist, whoever asks (threat B07).
      if (namingTypes.test(strings(node.names).at(-1) ?? "")) found.push(`type ${strings(node.names).join(".")}`);
      return;
    }
    case "ColumnRef": {
      const fields = strings(node.fields);
      const first = fields[0];
      // What a write returns stands without an alias.
      const isReturned = fields.length === 1 && path.some(({ key }) => key === "exprs");
      if (fields.length > 2 || (first !== undefined && !isReturned && !aliases.test(first)))
        found.push(`column ${fields.join(".")}`);
      return;
    }
    case "A_Const": {
      const text = (node.sval as { sval?: string } | undefined)?.sval;
      if (node.sval !== undefined) inspectConstant(text ?? "", path, found);
      return;
    }
  }
}

/** Constant text: ours, or one of the few places where the grammar puts a name of the caller's. */
function inspectConstant(text: string, path: readonly Step[], found: string[]): void {
  if (ownConstants.test(text)) return;
  const parent = path.at(-1);
  // The default of a column of the fixture.
  if (text === "unnamed") return;
  if (path.some(({ kind }) => kind === "VariableSetStmt") && isolationLevels.test(text)) return;
  if (parent?.kind === "A_Expr") {
    const [operator] = strings(parent.node.name);
    // A key of a JSON path.
    if ((operator === "->" || operator === "->>") && parent.key === "rexpr") return;
    // The header line of CSV: the names of what was selected.
    if (operator === "||" && parent.key === "lexpr" && text.endsWith("\n")) return;
  }
  if (parent?.kind === "FuncCall") {
    const name = strings(parent.node.funcname).at(-1)!;
    // Table and column out of the catalogue: the default of an identity column.
    if (name === "pg_get_serial_sequence") return;
    if ((name === "set_config" || name === "current_setting") && ownSettings.test(text)) return;
    // The configuration of a text search.
    const [first] = (parent.node.args ?? []) as readonly { A_Const?: { sval?: { sval?: string } } }[];
    if (textSearch.test(name) && first?.A_Const?.sval?.sval === text) return;
  }
  found.push(`constant ${JSON.stringify(text)} below ${path.map(({ kind, key }) => `${kind}.${key}`).join(" > ")}`);
}

function strings(list: unknown): string[] {
  if (!Array.isArray(list)) return [];
  return list.flatMap((each: { String?: { sval?: string } }) =>
    each.String === undefined ? [] : [each.String.sval ?? ""],
  );
}

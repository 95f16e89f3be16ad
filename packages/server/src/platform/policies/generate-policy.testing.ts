import { type Random, uuids, values } from "./generate.testing.ts";

export interface GeneratedColumn {
  readonly name: string;
  /** A key of `values`. */
  readonly type: string;
}

/** Writes conditions as people might, and some that nobody would. */
export function policyWriter(r: Random, table: string, columns: readonly GeneratedColumn[]) {
  const quoted = (name: string): string => `"${name.replaceAll('"', '""')}"`;
  const columnOf = (type: string): string | null => {
    const fitting = columns.filter((column) => column.type === type);
    return fitting.length > 0 ? quoted(r.pick(fitting).name) : null;
  };
  /** Inside a sub-select the outer column needs its table. */
  const outerOf = (type: string): string | null => {
    const column = columnOf(type);
    return column && `${table}.${column}`;
  };
  const wrap = (sql: string): string => (r.once(3) ? `(select ${sql})` : sql);
  const key = (): string => `'${r.pick(["tenant", "level", "flag", "roles", "a", "b", "owner", "", "__proto__"])}'`;
  const jwt = (): string =>
    r.pick([
      "auth.jwt()",
      "auth.jwt()",
      "(select auth.jwt())",
      "current_setting('request.jwt.claims', true)::json",
      "nullif(current_setting('request.jwt.claims', true), '')::jsonb",
    ]);
  const claimText = (): string =>
    r.pick([
      () => `(${jwt()} ->> ${key()})`,
      () => `(${jwt()} -> 'app_metadata' ->> ${key()})`,
      () => `(auth.jwt() #>> '{app_metadata,${r.pick(["tenant", "level", "a"])}}')`,
      () => `(auth.jwt() -> 'roles' ->> ${r.below(3) - 1})`,
    ])();
  const claimJson = (): string =>
    r.pick([
      () => `(auth.jwt() -> ${key()})`,
      () => `(auth.jwt() -> 'app_metadata' -> ${key()})`,
      () => "(auth.jwt() #> '{app_metadata,roles}')",
      () => "auth.jwt()",
    ])();
  const number = ["smallint", "integer", "bigint"];

  /** An expression of the type. */
  function value(type: string, depth: number): string {
    const choices: (() => string | null)[] = [
      () => columnOf(type),
      () => columnOf(type),
      () => columnOf(type),
      () => r.pick(values[type]!),
    ];
    if (depth > 0) {
      choices.push(
        () => `coalesce(${value(type, depth - 1)}, ${value(type, depth - 1)})`,
        () =>
          `case when ${condition(depth - 1)} then ${value(type, depth - 1)} ${r.once(2) ? `else ${value(type, depth - 1)} ` : ""}end`,
      );
      if (!/json|\[\]|pair|character\(/.test(type))
        choices.push(() => `nullif(${value(type, depth - 1)}, ${r.pick(values[type]!)})`);
    }
    if (type === "text") {
      choices.push(
        claimText,
        claimText,
        () => wrap("auth.role()"),
        () => wrap("auth.email()"),
        () => `${wrap("auth.uid()")}::text`,
        () => "current_user::text",
      );
      choices.push(
        () => `${columnOf("jsonb") ?? "'{}'::jsonb"} ->> ${key()}`,
        () => `${columnOf("json") ?? "'{}'::json"} ->> ${key()}`,
      );
      if (depth > 0) {
        choices.push(
          () => `${r.pick(["lower", "upper", "pg_catalog.upper", "public.upper"])}(${value("text", depth - 1)})`,
        );
        choices.push(
          () =>
            `(${value(r.pick(["uuid", "integer", "bigint", "boolean", "numeric", "mood", "character varying"]), depth - 1)})::text`,
        );
        choices.push(() => scalar("label", depth));
      }
    }
    if (type === "uuid") {
      choices.push(
        () => wrap("auth.uid()"),
        () => wrap("auth.uid()"),
        () => wrap("auth.uid()"),
        () => `(${jwt()} ->> 'sub')::uuid`,
        () => scalar("who", depth),
      );
    }
    if (number.includes(type)) {
      choices.push(
        () => `(${claimText()})::${type}`,
        () => `(${claimJson()})::${type}`,
      );
      if (depth > 0) {
        choices.push(() => `(${value(type, depth - 1)} ${r.pick(["+", "-", "*"])} ${value(type, depth - 1)})`);
        choices.push(() => `(${value(r.pick(number), depth - 1)})::${type}`);
      }
      if (type === "integer") choices.push(() => scalar("a", depth));
    }
    if (type === "numeric")
      choices.push(
        () => `(${claimText()})::numeric`,
        () => `(${value("integer", 0)})::numeric`,
      );
    if (type === "boolean")
      choices.push(
        () => `(${claimText()})::boolean`,
        () => `(${claimJson()})::boolean`,
        () => condition(depth - 1),
      );
    if (type === "jsonb") choices.push(claimJson, () => `${columnOf("jsonb") ?? "'{}'::jsonb"} -> ${key()}`);
    return r.pick(choices)() ?? r.pick(values[type]!);
  }

  /** A value from a table that has one row at most, mostly. */
  const scalar = (column: string, depth: number): string => {
    const from = r.pick(["pairs", "pairs", "secured"]);
    const tie = outerOf("integer");
    const where = depth > 0 && tie && r.once(2) ? `q.a = ${tie}` : "q.who = auth.uid()";
    return `(select q.${column} from ${from} q where ${where})`;
  };

  const operator = (): string => r.pick(["=", "=", "=", "<>", "<", "<=", ">", ">="]);
  const types = Object.keys(values);
  const equatable = types.filter((type) => type !== "json" && type !== "pair");

  const list = (type: string): string =>
    Array.from({ length: r.below(3) + 1 }, () =>
      r.once(8) ? `null::${type}` : r.once(5) ? value(type, 0) : r.pick(values[type]!),
    ).join(", ");

  const leaves: readonly ((depth: number) => string)[] = [
    (depth) => {
      const type = r.pick(equatable);
      return `${value(type, depth)} ${operator()} ${value(type, depth)}`;
    },
    (depth) => `${value("uuid", depth)} = ${value("uuid", depth)}`,
    (depth) => `${value(r.pick(number), depth)} ${operator()} ${value(r.pick(number), depth)}`,
    (depth) => `${value("text", depth)} ${r.pick(["=", "<>"])} ${value(r.pick(["text", "character varying"]), depth)}`,
    (depth) => `${value("bigint", depth)} ${operator()} ${value("numeric", depth)}`,
    (depth) => `${value(r.pick(types), depth)} is ${r.pick(["", "not "])}null`,
    (depth) => {
      const type = r.pick(equatable);
      return `${value(type, depth)} is ${r.pick(["", "not "])}distinct from ${value(type, depth)}`;
    },
    (depth) => {
      const type = r.pick(["text", "uuid", "integer", "mood", "bigint", "numeric", "character varying", "timestamptz"]);
      return `${value(type, depth)} ${r.pick(["in", "not in"])} (${list(type)})`;
    },
    (depth) => {
      const type = r.pick(["text", "uuid", "integer", "mood", "date", "numeric"]);
      return `${value(type, depth)} ${r.pick(["= any", "<> all", "= all", "<> any", "< any", ">= all"])} (array[${list(type)}])`;
    },
    (depth) => {
      const type = r.pick(["text", "uuid", "integer", "boolean"]);
      return `${value(type, depth)} ${r.pick(["= any", "<> all", "<> any", "> any"])} (${value(`${type}[]`, 0)})`;
    },
    (depth) => {
      const type = r.pick(["integer", "numeric", "timestamptz", "date", "text", "bigint"]);
      return `${value(type, depth)} ${r.pick(["between", "not between"])} ${value(type, 0)} and ${value(type, 0)}`;
    },
    (depth) =>
      `${value("text", depth)} ${r.pick(["like", "ilike", "not like", "not ilike"])} ${r.once(4) ? value("text", 0) : r.pick(["'a%'", "'%'", "'_'", "'%s%'", "'100\\%'", "'%\\\\%'", "'__'", "'%é'", "''", "'%a_m%n'"])}`,
    () => `${value("jsonb", 1)} ? ${value("text", 0)}`,
    () => `${value("jsonb", 0)} ${r.pick(["?|", "?&"])} ${r.pick(["array['a','admin']", value("text[]", 0)])}`,
    () => `${value("jsonb", 1)} ${r.pick(["@>", "<@", "=", "<>"])} ${value("jsonb", 0)}`,
    () => {
      const type = r.pick(["text[]", "uuid[]", "integer[]"]);
      return `${value(type, 0)} ${r.pick(["@>", "<@", "&&", "="])} ${value(type, 0)}`;
    },
    () => `array[${value("uuid", 0)}] <@ ${value("uuid[]", 0)}`,
    (depth) =>
      `${value("timestamptz", depth)} ${operator()} now()${r.pick(["", " - interval '1 hour'", " + interval '2 days'", " - interval '1 month'", " - interval '3 days 04:05:06'"])}`,
    () =>
      r.pick([
        "current_user = 'authenticated'",
        "auth.role() = 'authenticated'",
        `is_odd(${value("bigint", 0)})`,
        "true",
        "false",
        `${value("date", 0)} >= current_date`,
        `${value("timestamp", 0)} < now()`,
        `${value("text", 0)} ~ '^a'`,
        "random() < 2",
      ]),
    exists,
    exists,
    inSelect,
    inSelect,
  ];

  /** Conditions inside a sub-select over `links q`. */
  function inner(alias: string): string {
    return r.pick([
      () => `${alias}.who = ${wrap("auth.uid()")}`,
      () => `${alias}.who = ${wrap("auth.uid()")}`,
      () => `${alias}.a ${operator()} ${r.pick(values.integer!)}`,
      () => `${alias}.label in (${list("text").replaceAll(/"[^"]*"/g, "null")})`,
      () => `${alias}.label = (auth.jwt() ->> 'tenant')`,
      () => `${alias}.who is not null`,
      () => `${alias}.label like 'a%'`,
      () => `lower(${alias}.label) = 'admin'`,
      () => `${alias}.who in (select s.who from secured s where s.label = ${alias}.label or s.a = 1)`,
    ])();
  }
  const linkConditions = (alias: string): string =>
    r.pick([
      `${alias}.kind in ('ok', 'it''s')`,
      `${alias}.ok`,
      `${alias}.kind = 'ok' or ${alias}.ok is null`,
      `${alias}.at > '2000-01-01+00'`,
      `${alias}.at < now()`,
      `${alias}.n = 1`,
      `not ${alias}.ok`,
      `${alias}."Weird ""name" = ${alias}.a`,
      `coalesce(${alias}.label, 'a') = 'a'`,
    ]);

  /** What ties a row of `links` to the row. */
  function tie(alias: string): string {
    const [column, type] = r.pick([
      ["a", "integer"],
      ["a", "bigint"],
      ["b", "bigint"],
      ["b", "integer"],
      ["who", "uuid"],
      ["label", "text"],
      ["label", "character varying"],
      ["kind", "mood"],
      ["ok", "boolean"],
      ["at", "timestamptz"],
      ["n", "numeric"],
      ["n", "integer"],
      ["v", "text"],
      ["a", "smallint"],
    ] as const);
    const outer = outerOf(type) ?? r.pick(values[type]!);
    return r.pick([
      `${alias}.${column} = ${outer}`,
      `${outer} = ${alias}.${column}`,
      `${alias}.${column} = ${outer}`,
      `${alias}.${column} ${operator()} ${outer}`,
    ]);
  }

  function selectFrom(target: (alias: string) => string, isSimple: boolean): string {
    const table = isSimple
      ? r.pick(["secured", "pairs", "links", "links"])
      : r.once(25)
        ? r.pick(["refused", "seen_links"])
        : "links";
    const alias = r.pick(["q", "m", table]);
    const conditions: string[] = [];
    if (table === "links") {
      for (let n = r.below(3); n > 0; n--) conditions.push(tie(alias));
      if (r.once(2)) conditions.push(linkConditions(alias));
    }
    if (r.once(2)) conditions.push(inner(alias));
    if (r.once(6)) conditions.push(`${outerOf("boolean") ?? "true"}`);
    const join = r.once(4)
      ? ` ${r.pick(["join", "left join"])} pairs p on p.a = ${alias}.a${r.once(3) ? " and p.who is not null" : ""}`
      : r.once(15)
        ? `, secured p`
        : "";
    const from = table === alias ? table : `${table} ${alias}`;
    const more = r.once(30) ? r.pick([" limit 1", ` order by ${alias}.a`, ` group by ${target(alias)}`]) : "";
    return `select ${r.once(12) ? "distinct " : ""}${target(alias)} from ${from}${join}${conditions.length > 0 ? ` where ${conditions.map((one) => `(${one})`).join(" and ")}` : ""}${more}`;
  }

  function exists(): string {
    return `${r.once(4) ? "not " : ""}exists (${selectFrom((alias) => r.pick(["1", "1", `${alias}.a`, "true", r.once(10) ? "count(*)" : "1"]), false)})`;
  }
  function inSelect(depth: number): string {
    const [column, type] = r.pick([
      ["a", "integer"],
      ["a", "bigint"],
      ["who", "uuid"],
      ["who", "uuid"],
      ["label", "text"],
      ["label", "character varying"],
    ] as const);
    const select = selectFrom((alias) => `${alias}.${column}`, true);
    const left = r.once(3) && type === "uuid" ? "auth.uid()" : value(type, depth > 0 ? 1 : 0);
    return r.pick([
      `${left} in (${select})`,
      `${left} in (${select})`,
      `${left} not in (${select})`,
      `${left} = any (array(${select}))`,
      `${left} <> all (array(${select}))`,
      `not (${left} in (${select}))`,
      `(${left} in (${select})) is null`,
    ]);
  }

  function condition(depth: number): string {
    if (depth <= 0) return `(${r.pick(leaves)(0)})`;
    return r.pick([
      () => `(${r.pick(leaves)(depth - 1)})`,
      () => `(${r.pick(leaves)(depth - 1)})`,
      () => `(${condition(depth - 1)} and ${condition(depth - 1)})`,
      () => `(${condition(depth - 1)} or ${condition(depth - 1)})`,
      () => `(not ${condition(depth - 1)})`,
      () => `(${condition(depth - 1)} is ${r.pick(["", "not "])}${r.pick(["true", "false", "unknown"])})`,
      () => `coalesce(${condition(depth - 1)}, ${r.pick(["true", "false"])})`,
      () => `case when ${condition(depth - 1)} then ${condition(depth - 1)} else ${condition(depth - 1)} end`,
      () => `(${columnOf("uuid") ?? `'${uuids[0]}'`} = auth.uid() or ${condition(depth - 1)})`,
    ])();
  }
  return { condition };
}

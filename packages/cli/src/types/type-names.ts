import type { DatabaseModel, ModelRelation } from "./model.ts";

/** How PostgREST's JSON shows each built-in type. What is not listed is `unknown`: cast it in your own code, once you know. */
const scalars: Readonly<Record<string, string>> = {
  bool: "boolean",
  ...Object.fromEntries(["int2", "int4", "int8", "float4", "float8", "numeric"].map((name) => [name, "number"])),
  ...Object.fromEntries(
    "bytea bpchar varchar citext text date time timetz timestamp timestamptz interval uuid vector"
      .split(" ")
      .map((name) => [name, "string"]),
  ),
  json: "Json",
  jsonb: "Json",
  void: "undefined",
  record: "Record<string, unknown>",
};

/** Names database types in TypeScript, for the schemas that are being written. */
export interface TypeNames {
  /** The type of a value that is not null. */
  nameOf(type: number): string;
  /** As `nameOf`, seen from a table: JSON without its own `null` where the column has none. */
  columnType(type: number, isNullable: boolean): string;
  /** The table or view a type is the row of; `null` for other types. */
  rowRelation(type: number): ModelRelation | null;
  /** Name of the row or composite type, for what returns one. */
  compositeName(type: number): string | null;
}

export const quote = (text: string): string => JSON.stringify(text);
/** A property's name: bare where TypeScript allows it. */
export const key = (name: string): string => (/^[A-Za-z_$][\w$]*$/.test(name) ? name : quote(name));

export function typeNames(model: DatabaseModel, schemas: ReadonlySet<string>): TypeNames {
  const relations = new Map(model.relations.map((relation) => [relation.oid, relation]));

  const reference = (schema: string, group: string, name: string): string =>
    `Database[${quote(schema)}][${quote(group)}][${quote(name)}]`;

  const nameOf = (oid: number): string => {
    const type = model.types.get(oid);
    if (type === undefined) return "unknown";
    const isWritten = schemas.has(type.schema);
    switch (type.kind) {
      case "array":
        return `(${nameOf(type.element)})[]`;
      case "domain":
        return nameOf(type.base);
      case "enum":
        return isWritten ? reference(type.schema, "Enums", type.name) : type.values.map(quote).join(" | ") || "never";
      case "composite":
        return isWritten ? reference(type.schema, "CompositeTypes", type.name) : "unknown";
      case "row": {
        const relation = relations.get(type.relation);
        if (relation === undefined || !isWritten) return "unknown";
        return `${reference(relation.schema, relation.isView ? "Views" : "Tables", relation.name)}["Row"]`;
      }
      case "base":
        return Object.hasOwn(scalars, type.name) ? (scalars[type.name] ?? "unknown") : "unknown";
    }
  };

  return {
    nameOf,
    columnType(type, isNullable) {
      const name = nameOf(type);
      if (isNullable) return name === "unknown" ? name : `${name} | null`;
      return name === "Json" ? "NonNullable<Json>" : name;
    },
    rowRelation(oid) {
      const type = model.types.get(oid);
      return type?.kind === "row" ? (relations.get(type.relation) ?? null) : null;
    },
    compositeName(oid) {
      const type = model.types.get(oid);
      return type?.kind === "row" || type?.kind === "composite" ? type.name : null;
    },
  };
}

import { functionTypes } from "./functions.ts";
import { helperTypes } from "./helper-types.ts";
import type { DatabaseModel, ModelColumn, ModelRelation } from "./model.ts";
import { type RelationshipEntry, relationships } from "./relationships.ts";
import { key, quote, typeNames } from "./type-names.ts";

/** The PostgREST release whose dialect the server speaks: supabase-js types some of its methods by it. */
const postgrestVersion = "14.1";

/** What `writeTypeScript` writes, without the values: all of it is declarations. */
export const databaseType = (model: DatabaseModel, schemas: readonly string[]): string => parts(model, schemas).types;

/**
 * Writes the `Database` type that supabase-js takes (`createClient<Database>`), in the shape the Supabase CLI's `gen types`
 * gives it: an app that moves here replaces the file and compiles.
 * https://supabase.com/docs/guides/api/rest/generating-types
 */
export function writeTypeScript(model: DatabaseModel, schemas: readonly string[]): string {
  const { types, constants } = parts(model, schemas);
  return `${types}\n\n${constants}\n`;
}

function parts(
  model: DatabaseModel,
  schemas: readonly string[],
): { readonly types: string; readonly constants: string } {
  const written = new Set(schemas);
  const names = typeNames(model, written);
  const inlineRow = (relation: ModelRelation) =>
    object(
      relation.columns.map((column) => `${key(column.name)}: ${names.columnType(column.type, column.isNullable)}`),
    );
  const functions = functionTypes(model, names, inlineRow);
  const relationshipsOf = relationships(model);

  const rowFields = (relation: ModelRelation, computed: ReadonlyMap<string, string>): string =>
    object([
      ...relation.columns.map((column) => `${key(column.name)}: ${names.columnType(column.type, column.isNullable)}`),
      ...[...computed].map(([name, type]) => `${key(name)}: ${type}`),
    ]);

  const insertField = (column: ModelColumn): string => {
    if (column.isReadOnly) return `${key(column.name)}?: never`;
    const isOptional = column.isNullable || column.hasDefault;
    return `${key(column.name)}${isOptional ? "?" : ""}: ${names.columnType(column.type, column.isNullable)}`;
  };
  const updateField = (column: ModelColumn): string =>
    column.isReadOnly
      ? `${key(column.name)}?: never`
      : `${key(column.name)}?: ${names.columnType(column.type, column.isNullable)}`;
  // Of a view PostgreSQL says neither what it fills in nor what it requires.
  const viewField = (column: ModelColumn): string => `${key(column.name)}?: ${names.columnType(column.type, true)}`;

  const relation = (source: ModelRelation): string => {
    const computed = functions.computedFields(source);
    const insert = source.isView ? viewField : insertField;
    const update = source.isView ? viewField : updateField;
    return object([
      `Row: ${rowFields(source, computed)}`,
      `ComputedFields: ${[...computed.keys()].map(quote).join(" | ") || "never"}`,
      ...(!source.isView || source.isInsertable ? [`Insert: ${object(source.columns.map(insert))}`] : []),
      ...(!source.isView || source.isUpdatable ? [`Update: ${object(source.columns.map(update))}`] : []),
      `Relationships: ${tuple(relationshipsOf(source).map(relationship))}`,
    ]);
  };

  const schema = (name: string): string => {
    const relations = model.relations.filter((candidate) => candidate.schema === name);
    const types = [...model.types.values()].filter((type) => type.schema === name).sort(byName);
    const enums = types.filter((type) => type.kind === "enum");
    const composites = types.filter((type) => type.kind === "composite");
    return `${key(name)}: ${object([
      `Tables: ${group(relations.filter((r) => !r.isView).map((r) => `${key(r.name)}: ${relation(r)}`))}`,
      `Views: ${group(relations.filter((r) => r.isView).map((r) => `${key(r.name)}: ${relation(r)}`))}`,
      `Functions: ${group([...functions.ofSchema(name)].map(([fn, overloads]) => `${key(fn)}: ${union(overloads)}`))}`,
      `Enums: ${group(enums.map((type) => `${key(type.name)}: ${type.values.map(quote).join(" | ") || "never"}`))}`,
      `CompositeTypes: ${group(
        composites.map(({ name: type, attributes }) => {
          const fields = attributes.map((field) => `${key(field.name)}: ${names.columnType(field.type, true)}`);
          return `${key(type)}: ${object(fields)}`;
        }),
      )}`,
    ])}`;
  };

  const constants = schemas.map((name) => {
    const enums = [...model.types.values()]
      .filter((type) => type.schema === name)
      .filter((type) => type.kind === "enum")
      .sort(byName);
    const values = enums.map((type) => `${key(type.name)}: [${type.values.map(quote).join(", ")}]`);
    return `${key(name)}: ${literal([`Enums: ${literal(values)}`])}`;
  });

  const types = [
    "// Written by `mainstay types`. Changes here are lost: change the schema, and write it again.",
    "export type Json = string | number | boolean | null | { [key: string]: Json | undefined } | Json[];",
    `export type Database = ${object([
      `__InternalSupabase: { PostgrestVersion: ${quote(postgrestVersion)} }`,
      ...schemas.map(schema),
    ])};`,
    helperTypes(schemas.includes("public") ? "public" : (schemas[0] ?? "public")),
  ].join("\n\n");
  return { types, constants: `export const Constants = ${literal(constants)} as const;` };
}

const byName = (a: { readonly name: string }, b: { readonly name: string }): number => (a.name < b.name ? -1 : 1);

const relationship = (entry: RelationshipEntry): string =>
  object([
    `foreignKeyName: ${quote(entry.foreignKeyName)}`,
    `columns: [${entry.columns.map(quote).join(", ")}]`,
    `isOneToOne: ${entry.isOneToOne}`,
    `referencedRelation: ${quote(entry.referencedRelation)}`,
    `referencedColumns: [${entry.referencedColumns.map(quote).join(", ")}]`,
  ]);

const indent = (text: string): string => text.replaceAll("\n", "\n  ");
const block = (open: string, items: readonly string[], end: string, close: string): string =>
  items.length === 0
    ? `${open}${close}`
    : `${open}\n  ${items.map((item) => indent(item) + end).join("\n  ")}\n${close}`;
const object = (fields: readonly string[]): string => block("{", fields, ";", "}");
const literal = (fields: readonly string[]): string => block("{", fields, ",", "}");
const tuple = (items: readonly string[]): string => block("[", items, ",", "]");
const union = (types: readonly string[]): string => types.join(" | ");
/** A group without entries has no keys, rather than any. */
const group = (entries: readonly string[]): string =>
  entries.length === 0 ? "{ [_ in never]: never }" : object(entries);

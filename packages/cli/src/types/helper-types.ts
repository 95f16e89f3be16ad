/**
 * The short names apps use: `Tables<"users">`, or `Tables<{ schema: "other" }, "things">` outside the default schema.
 */
export function helperTypes(defaultSchema: string): string {
  return `type Schemas = Omit<Database, "__InternalSupabase">;
type DefaultSchema = Schemas[Extract<keyof Schemas, ${JSON.stringify(defaultSchema)}>];
type InSchema = { schema: keyof Schemas };

/** The entries of one group of the schema that was asked for: the first argument is a name, or says the schema. */
type GroupOf<Name, Group extends keyof DefaultSchema> = Name extends InSchema
  ? Schemas[Name["schema"]][Group]
  : DefaultSchema[Group];
/** The entry's name: the first argument, or the second where the first says the schema. */
type NameOf<Name, InOther> = Name extends InSchema ? InOther : Name;
type EntryOf<Entries, Name> = Name extends keyof Entries ? Entries[Name] : never;
type Part<Entry, Key extends string> = Entry extends { [_ in Key]: infer Value } ? Value : never;

/** A row as it is read. */
export type Tables<
  Name extends keyof (DefaultSchema["Tables"] & DefaultSchema["Views"]) | InSchema,
  InOther extends Name extends InSchema ? keyof (GroupOf<Name, "Tables"> & GroupOf<Name, "Views">) : never = never,
> = Part<EntryOf<GroupOf<Name, "Tables"> & GroupOf<Name, "Views">, NameOf<Name, InOther>>, "Row">;

/** A row as it is inserted. */
export type TablesInsert<
  Name extends keyof DefaultSchema["Tables"] | InSchema,
  InOther extends Name extends InSchema ? keyof GroupOf<Name, "Tables"> : never = never,
> = Part<EntryOf<GroupOf<Name, "Tables">, NameOf<Name, InOther>>, "Insert">;

/** What may change in a row. */
export type TablesUpdate<
  Name extends keyof DefaultSchema["Tables"] | InSchema,
  InOther extends Name extends InSchema ? keyof GroupOf<Name, "Tables"> : never = never,
> = Part<EntryOf<GroupOf<Name, "Tables">, NameOf<Name, InOther>>, "Update">;

export type Enums<
  Name extends keyof DefaultSchema["Enums"] | InSchema,
  InOther extends Name extends InSchema ? keyof GroupOf<Name, "Enums"> : never = never,
> = EntryOf<GroupOf<Name, "Enums">, NameOf<Name, InOther>>;

export type CompositeTypes<
  Name extends keyof DefaultSchema["CompositeTypes"] | InSchema,
  InOther extends Name extends InSchema ? keyof GroupOf<Name, "CompositeTypes"> : never = never,
> = EntryOf<GroupOf<Name, "CompositeTypes">, NameOf<Name, InOther>>;`;
}

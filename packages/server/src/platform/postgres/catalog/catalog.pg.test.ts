import { testDatabase } from "@mainstay/testing";
import { sql } from "pg-sql2";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Database, openDatabase } from "../database.ts";
import { everything } from "./catalog.testing.ts";
import { openCatalog } from "./open.ts";
import type { Catalog, CatalogHolder, DatabaseFunction, Relation, Relationship } from "./types.ts";

let database: Database;
let drop: () => Promise<void>;
let holder: CatalogHolder;
let catalog: Catalog;

beforeAll(async () => {
  const test = await testDatabase();
  drop = test.drop;
  database = openDatabase({ connectionString: test.url });
  const client = await database.connect();
  await client.query(everything);
  await client.end();
  holder = await openCatalog({
    database,
    schemas: () => ["api"],
    observe: (observation) => {
      if (observation.kind === "catalog.failed") throw observation.error;
    },
    settings: { catalogPollMs: 0 },
  });
  catalog = holder.current();
});

afterAll(async () => {
  await holder.close();
  await database.close();
  await drop();
});

const relation = (name: string): Relation => {
  const found = catalog.relation("api", name);
  if (found === null) throw new Error(`There is no relation ${name}.`);
  return found;
};

/** Only one overload, or a failed test. */
const theFunction = (name: string): DatabaseFunction => {
  const [found, ...more] = catalog.functions("api", name);
  if (found === undefined || more.length > 0) throw new Error(`Not one function ${name}.`);
  return found;
};

/** `kind target via constraint(s) columns`, sorted: relationships as sentences. */
const told = (name: string) => catalog.relationships(relation(name)).map(sentence).sort();

function sentence(one: Relationship): string {
  const pairs = (columns: readonly (readonly [string, string])[]) => columns.map((pair) => pair.join("=")).join(",");
  switch (one.kind) {
    case "computed":
      return `computed ${one.target.name} via ${one.function.name} ${one.isToOne ? "to one" : "to many"}`;
    case "many-to-many":
      return `many-to-many ${one.target.name} via ${one.junction.name} ${one.originConstraint}/${one.targetConstraint} ${pairs(one.originColumns)} ${pairs(one.targetColumns)}`;
    default:
      return `${one.kind} ${one.target.name} via ${one.constraint}${one.isForeignKeyOnOrigin ? "" : " (theirs)"} ${pairs(one.columns)}`;
  }
}

describe("relations", () => {
  it("reads tables, partitions, views and materialized views of the schemas asked for, and no others", () => {
    const kinds = Object.fromEntries(catalog.relations.map((one) => [one.name, one.kind]));
    expect(kinds).toMatchObject({
      people: "table",
      events: "partitioned-table",
      events_2026: "table",
      my_secrets: "view",
      people_count: "materialized-view",
    });
    expect(catalog.relation("private", "secrets")).toBeNull();
    expect(catalog.relation("api", "nobody")).toBeNull();
    expect(catalog.relation("__proto__", "constructor")).toBeNull();
  });

  it("reads types behind domains, arrays, enums, composites, lengths, defaults and comments", () => {
    const people = relation("people");
    const column = (name: string) => people.column(name);
    expect(people).toMatchObject({ comment: "All of us", hasRowSecurity: true, primaryKey: ["id"] });
    expect(column("id")).toMatchObject({
      position: 1,
      type: "bigint",
      isIdentity: true,
      isGenerated: true,
      hasDefault: true,
      isNullable: false,
    });
    expect(column("name")).toMatchObject({ isNullable: false, hasDefault: false, comment: "What to call them" });
    expect(column("code")).toMatchObject({
      type: "api.shorter",
      baseType: "character varying(12)",
      maxLength: 12,
      isNullable: false,
      hasDefault: true,
    });
    expect(column("nick")).toMatchObject({ maxLength: 20, defaultExpression: "'none'::character varying" });
    expect(column("feeling")).toMatchObject({
      type: "api.mood",
      enumValues: ["sad", "so so", "it's fine"],
      isArray: false,
    });
    expect(column("feelings")).toMatchObject({ type: "api.mood[]", isArray: true, enumValues: null });
    expect(column("home")).toMatchObject({ type: "api.address", isComposite: true });
    expect(column("tags")).toMatchObject({ isArray: true, defaultExpression: "'{}'::text[]" });
    expect(column("greeting")).toMatchObject({
      isGenerated: true,
      isIdentity: false,
      hasDefault: false,
      defaultExpression: null,
    });
    expect(column("serial_no")).toMatchObject({ isIdentity: true, isGenerated: false, hasDefault: true });
    expect(column("nothing")).toBeNull();
    expect(column("constructor")).toBeNull();
  });

  it("lists unique keys, but neither partial nor expression indexes", () => {
    expect(relation("people").uniqueKeys).toEqual([["id"], ["name", "code"], ["nick"]]);
  });

  it("knows what can be written", () => {
    const writes = (name: string) => {
      const { isInsertable, isUpdatable, isDeletable } = relation(name);
      return [isInsertable, isUpdatable, isDeletable];
    };
    expect(writes("people")).toEqual([true, true, true]);
    expect(writes("events")).toEqual([true, true, true]);
    expect(writes("plain_people")).toEqual([true, true, true]);
    expect(writes("posts_with_author")).toEqual([false, false, false]);
    expect(writes("people_count")).toEqual([false, false, false]);
  });

  it("gives views the keys of the tables they show whole", () => {
    expect(relation("plain_people").primaryKey).toEqual(["id"]);
    expect(relation("posts_with_author").primaryKey).toEqual(["id"]);
    expect(relation("posts_again").primaryKey).toEqual(["post"]);
    expect(relation("my_secrets").primaryKey).toEqual(["secret_id"]);
    expect(relation("everyone").primaryKey).toEqual([]);
    expect(relation("people_count").primaryKey).toEqual([]);
  });

  it("takes names as they are", () => {
    const odd = relation('odd "name" {with} (braces) \\ and :colons — ünïcödé 🙂');
    expect(odd.columns.map((one) => one.name)).toEqual([
      "id",
      "a b",
      'quote"d',
      "{}()",
      ":resno 9 :resorigtbl 1",
      "naïve 🙂",
    ]);
    expect(relation("odd view").primaryKey).toEqual(["back\\slash"]);
  });
});

describe("relationships", () => {
  it("finds both directions of foreign keys, one-to-one by a unique cover, and views that show the key", () => {
    expect(told("profiles")).toEqual([
      "one-to-one people via profiles_person_id_fkey person_id=id",
      "one-to-one plain_people via profiles_person_id_fkey person_id=id",
    ]);
    expect(told("posts").filter((line) => line.startsWith("many-to-one"))).toEqual([
      "many-to-one people via posts_author author_id=id",
      "many-to-one people via posts_editor editor_id=id",
      "many-to-one plain_people via posts_author author_id=id",
      "many-to-one plain_people via posts_editor editor_id=id",
    ]);
  });

  it("finds many-to-many only where both keys are part of the junction's primary key", () => {
    const junctions = told("posts").filter((line) => line.startsWith("many-to-many"));
    expect(junctions).toEqual(["many-to-many tags via post_tags post_tags_post_id_fkey/tagged id=post_id tag=name"]);
    expect(told("people").filter((line) => line.startsWith("many-to-many people "))).toEqual([
      "many-to-many people via friends friends_a_fkey/friends_b_fkey id=a b=id",
      "many-to-many people via friends friends_b_fkey/friends_a_fkey id=b a=id",
    ]);
  });

  it("tells a self-reference from both ends", () => {
    expect(told("tags").filter((line) => line.includes("tags_parent"))).toEqual([
      "many-to-one tags via tags_parent parent=name",
      "one-to-many tags via tags_parent (theirs) name=parent",
    ]);
  });

  it("keeps the columns of composite keys paired", () => {
    expect(told("order_lines")).toEqual(["many-to-one orders via lines_order region=region,number=number"]);
    expect(told("orders")).toEqual(["one-to-many order_lines via lines_order (theirs) region=region,number=number"]);
  });

  it("relates a partitioned table once, and not its partitions", () => {
    expect(told("events")).toContain("many-to-one people via events_person_id_fkey person_id=id");
    expect(told("events_2026")).toEqual([]);
    expect(told("people").filter((line) => line.includes("events"))).toEqual([
      "one-to-many events via events_person_id_fkey (theirs) id=person_id",
    ]);
  });

  it("lets views inherit keys through other views, private tables and CTEs, and not through unions or expressions", () => {
    expect(told("my_secrets")).toContain("many-to-one people via secrets_owner owner=id");
    expect(told("posts_again")).toContain("many-to-one people via posts_author writer=id");
    expect(told("with_cte")).toContain("many-to-one people via posts_author author_id=id");
    expect(told("posts_with_author")).toContain("many-to-one people via posts_author author_id=id");
    expect(told("everyone")).toEqual([]);
    expect(told("odd view")).toEqual([
      `many-to-one people via ${oddConstraint()} :targetList (=id`,
      `many-to-one plain_people via ${oddConstraint()} :targetList (=id`,
    ]);
  });

  it("offers every way a view shows one key", () => {
    expect(told("twice").filter((line) => line.startsWith("many-to-one people"))).toEqual([
      "many-to-one people via posts_author one=id",
      "many-to-one people via posts_author two=id",
    ]);
  });

  it("takes functions of a row for computed relationships, in place of detected ones of the same name", () => {
    const lines = told("people");
    expect(lines).toContain("computed posts via best_post to one");
    expect(lines).toContain("computed posts via all_posts to many");
    expect(lines).toContain("computed profiles via profiles to one");
    expect(lines.filter((line) => line.startsWith("one-to-one profiles"))).toEqual([]);
  });

  /** PostgreSQL cuts the generated name to 63 bytes: taken from the catalogue's own table side. */
  function oddConstraint(): string {
    const odd = relation('odd "name" {with} (braces) \\ and :colons — ünïcödé 🙂');
    const [first] = catalog.relationships(odd);
    if (first === undefined || first.kind !== "many-to-one") throw new Error("The odd table lost its key.");
    return first.constraint;
  }
});

describe("functions", () => {
  it("reads parameters, defaults, modes and overloads", () => {
    const adds = catalog.functions("api", "add");
    expect(adds.map((one) => one.parameters.map((parameter) => `${parameter.name} ${parameter.type}`))).toEqual([
      ["a integer", "b integer"],
      ["a text", "b text"],
    ]);
    expect(adds[0]).toMatchObject({
      comment: "Adds",
      volatility: "immutable",
      returns: { kind: "scalar", type: "integer" },
    });
    expect(adds[0]!.parameters.map((parameter) => parameter.isRequired)).toEqual([true, false]);
    expect(theFunction("sum_of").parameters).toEqual([
      { name: "numbers", type: "integer[]", isRequired: true, isVariadic: true },
    ]);
    expect(theFunction("both_ways").parameters.map((parameter) => parameter.name)).toEqual(["x", "y"]);
    expect(theFunction("code").parameters.map((parameter) => parameter.type)).toEqual([
      "character varying",
      "bit varying",
    ]);
  });

  it("tells what comes back", () => {
    const returns = (name: string) => theFunction(name).returns;
    expect(returns("nothing")).toEqual({ kind: "void" });
    expect(returns("one_out")).toEqual({ kind: "composite", columns: [{ name: "doubled", type: "integer" }] });
    expect(returns("both_ways")).toEqual({
      kind: "composite",
      columns: [
        { name: "x", type: "integer" },
        { name: "z", type: "text" },
      ],
    });
    expect(theFunction("table_of")).toMatchObject({
      isSetReturning: true,
      estimatedRows: 7,
      returns: {
        kind: "composite",
        columns: [
          { name: "i", type: "integer" },
          { name: "label", type: "text" },
        ],
      },
    });
    expect(returns("anyone")).toEqual({ kind: "relation", relation: relation("people") });
    expect(returns("where_to")).toMatchObject({ columns: [{ name: "street" }, { name: "number", type: "integer" }] });
    expect(returns("some_record")).toEqual({ kind: "composite", columns: [] });
    expect(returns("foreign_row")).toMatchObject({ columns: [{ name: "id" }, { name: "owner_id" }, { name: "note" }] });
  });

  it("offers what a caller can call, and no triggers or unnamed parameters other than one body", () => {
    expect(theFunction("unnamed_json").parameters).toEqual([
      { name: "", type: "json", isRequired: true, isVariadic: false },
    ]);
    for (const name of ["unnamed_int", "two_unnamed", "on_change", "full_name"])
      expect(catalog.functions("api", name)).toEqual([]);
    expect(catalog.allFunctions).not.toContainEqual(expect.objectContaining({ name: "on_change" }));
  });

  it("finds computed columns by relation and name", () => {
    expect(catalog.computedColumn(relation("people"), "full_name")).toMatchObject({ schema: "api", name: "full_name" });
    expect(catalog.computedColumn(relation("people"), "all_posts")).toBeNull();
    expect(catalog.computedColumn(relation("posts"), "full_name")).toBeNull();
  });

  it("reads SET clauses", () => {
    expect(Object.fromEntries(theFunction("slow").settings)).toEqual({
      statement_timeout: "3s",
      search_path: "api, public",
    });
  });
});

describe("the rest", () => {
  it("finds media handlers, representations and time zones", () => {
    expect(
      catalog.mediaHandlers.map(({ mediaType, relation: of, function: by }) => [mediaType, of?.name ?? null, by]),
    ).toEqual([
      ["text/html", null, "api.html"],
      ["text/html", "people", "api.person_html"],
    ]);
    expect(Object.fromEntries(catalog.representations)).toEqual({
      "api.colour>json": 'api."json"',
      "json>api.colour": "api.colour",
    });
    expect(catalog.timezones.has("europe/rome")).toBe(true);
    expect(catalog.timezones.has("nowhere/else")).toBe(false);
  });

  it("is one picture: whoever took it keeps it", async () => {
    const before = holder.current();
    await database.query(sql`create table api.later (id int primary key)`);
    const after = await holder.reload();
    expect(after.version).toBeGreaterThan(before.version);
    expect(before.relation("api", "later")).toBeNull();
    expect(after.relation("api", "later")).not.toBeNull();
    expect(holder.current()).toBe(after);
    await database.query(sql`drop table api.later`);
  });
});

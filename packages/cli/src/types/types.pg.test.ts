import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { type TestDatabase, testDatabase } from "@mainstay/testing";
import pg from "pg";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { introspect } from "./introspect.ts";
import type { DatabaseModel } from "./model.ts";
import { writeTypeScript } from "./typescript.ts";

const run = promisify(execFile);
const modules = join(import.meta.dirname, "../../../../node_modules");
const schemas = ["public", "other"];

let database: TestDatabase;
let model: DatabaseModel;
let dir: string;

beforeAll(async () => {
  database = await testDatabase();
  const client = new pg.Client({ connectionString: database.url });
  await client.connect();
  await client.query(await readFile(join(import.meta.dirname, "fixture.sql"), "utf8"));
  model = await introspect(client);
  await client.end();
  dir = await mkdtemp(join(tmpdir(), "types-"));
  await symlink(modules, join(dir, "node_modules"));
  await writeFile(join(dir, "package.json"), '{ "type": "module" }');
  await writeFile(join(dir, "ours.ts"), writeTypeScript(model, schemas));
});

afterAll(async () => {
  await rm(dir, { recursive: true, force: true });
  await database.drop();
});

/** What TypeScript has to say about a file, line by line; empty when it agrees. */
async function typeErrors(name: string, content: string): Promise<string[]> {
  await writeFile(join(dir, name), content);
  const options = ["--noEmit", "--strict", "--skipLibCheck", "--exactOptionalPropertyTypes", "--module", "nodenext"];
  const more = [
    "--target",
    "esnext",
    "--lib",
    "esnext,dom",
    "--allowImportingTsExtensions",
    "--types",
    "",
    "--pretty",
    "false",
  ];
  const args = [join(modules, "typescript/bin/tsc"), ...options, ...more, name];
  const { stdout } = await run(process.execPath, args, { cwd: dir }).catch((error: { stdout: string }) => error);
  return stdout.split("\n").filter((line) => line !== "");
}

describe("next to the Supabase CLI's own", () => {
  /**
   * Where we say more than it does, on purpose:
   * a domain is its base type everywhere (theirs: `unknown` outside of columns), and OUT parameters make a typed row
   * (theirs: `Record<string, unknown>`).
   */
  const moreExact = new Set(["Functions.an_email", "Functions.outs", "Views.totals.Row"]);

  it("gives the same types", async () => {
    const supabase = join(modules, ".bin/supabase");
    const remote = `${database.url}?sslmode=disable`;
    const args = ["gen", "types", "--lang", "typescript", "--schema", schemas.join(","), `--remote=${remote}`];
    const { stdout } = await run(supabase, args, { cwd: dir, maxBuffer: 16_000_000 });
    // What is said about a function that cannot be called is a sentence; that it is said is the type.
    const bare = (text: string) =>
      text.replaceAll(/\{ error: true \} & "(?:[^"\\]|\\.)*"/g, "{ error: true } & string");
    await writeFile(join(dir, "theirs.ts"), bare(stdout));
    await writeFile(join(dir, "ours-bare.ts"), bare(writeTypeScript(model, schemas)));

    const checks: string[] = [];
    const same = (path: readonly string[]) => {
      if (moreExact.has(path.slice(1).join("."))) return;
      const at = path.map((key) => `[${JSON.stringify(key)}]`).join("");
      checks.push(`same<Ours.Database${at}, Theirs.Database${at}>(true); // ${path.join(".")}`);
    };
    const sameKeys = (path: readonly string[]) => {
      const at = path.map((key) => `[${JSON.stringify(key)}]`).join("");
      checks.push(`same<keyof Ours.Database${at}, keyof Theirs.Database${at}>(true); // keys of ${path.join(".")}`);
    };
    for (const schema of schemas) {
      for (const group of ["Tables", "Views", "Functions", "Enums", "CompositeTypes"]) sameKeys([schema, group]);
      same([schema, "Enums"]);
      for (const relation of model.relations.filter((candidate) => candidate.schema === schema)) {
        const at = [schema, relation.isView ? "Views" : "Tables", relation.name];
        sameKeys(at);
        const parts = ["Row", "ComputedFields", "Relationships"];
        if (!relation.isView || relation.isInsertable) parts.push("Insert");
        if (!relation.isView || relation.isUpdatable) parts.push("Update");
        for (const part of parts) same([...at, part]);
      }
      for (const type of model.types.values()) {
        if (type.schema === schema && type.kind === "composite") same([schema, "CompositeTypes", type.name]);
      }
      const written = await readFile(join(dir, "ours.ts"), "utf8");
      for (const name of new Set(model.functions.filter((fn) => fn.schema === schema).map((fn) => fn.name))) {
        if (written.includes(` ${name}: { Args`)) same([schema, "Functions", name]);
      }
    }
    const check = `import type * as Ours from "./ours-bare.ts";
import type * as Theirs from "./theirs.ts";
import * as OursValue from "./ours-bare.ts";
import * as TheirsValue from "./theirs.ts";
type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
declare function same<A, B>(yes: Same<A, B>): void;
same<typeof OursValue.Constants.public, typeof TheirsValue.Constants.public>(true);
same<Ours.Tables<"users">, Theirs.Tables<"users">>(true);
same<Ours.Tables<{ schema: "other" }, "things">, Theirs.Tables<{ schema: "other" }, "things">>(true);
same<Ours.Tables<"adults">, Theirs.Tables<"adults">>(true);
same<Ours.TablesInsert<"users">, Theirs.TablesInsert<"users">>(true);
same<Ours.TablesUpdate<"users">, Theirs.TablesUpdate<"users">>(true);
same<Ours.Enums<"mood">, Theirs.Enums<"mood">>(true);
same<Ours.Enums<{ schema: "other" }, "kind">, Theirs.Enums<{ schema: "other" }, "kind">>(true);
same<Ours.CompositeTypes<"address">, Theirs.CompositeTypes<"address">>(true);
${checks.join("\n")}
`;
    expect(checks.length).toBeGreaterThan(150);
    const errors = await typeErrors("check.ts", check);
    const lines = check.split("\n");
    const shown = errors.map((error) => {
      const line = Number(/check\.ts\((\d+),/.exec(error)?.[1]);
      return Number.isNaN(line) ? error : `${lines[line - 1]}\n    ${error}`;
    });
    expect(shown).toEqual([]);
    // The comparison itself can fail.
    const wrong = `${check}\nsame<Ours.Database["public"]["Tables"]["users"]["Row"], Theirs.Database["public"]["Tables"]["countries"]["Row"]>(true);`;
    expect(await typeErrors("wrong.ts", wrong)).toHaveLength(1);
  });
});

describe("with supabase-js", () => {
  const client = `import { createClient } from "@supabase/supabase-js";
import type { Database, Tables } from "./ours.ts";
const db = createClient<Database>("http://127.0.0.1:54321", "key");
`;

  it("types what comes back, embeds and calls included", async () => {
    const errors = await typeErrors(
      "good.ts",
      `${client}
const { data: users } = await db.from("users").select("id, mood, country:countries(name), full_name");
if (users) {
  const [user] = users;
  const mood: "sad" | "ok" | "happy" | null | undefined = user?.mood;
  const country: string | undefined = user?.country?.name;
  console.log(mood, country);
}
const { data: one } = await db.from("passports").select("number, users(email)").single();
const email: string | undefined = one?.users.email;
await db.from("countries").insert({ code: "FR", name: "France" });
await db.from("users").update({ mood: "happy" }).eq("id", "x");
const { data: sum } = await db.rpc("add", { a: 1, b: 2 });
const n: number | null = sum;
const { data: listed } = await db.rpc("listed", { n: 1 });
const label: string | undefined = listed?.[0]?.label;
const { data: things } = await db.schema("other").from("things").select("kind");
const kind: "a" | "b" | undefined = things?.[0]?.kind;
const row: Tables<"adults">["email"] = "x";
console.log(email, n, label, kind, row);
`,
    );
    expect(errors).toEqual([]);
  });

  it("refuses what the database would", async () => {
    const wrong = [
      'db.from("nowhere");',
      'await db.from("countries").insert({ id: 1, code: "FR", name: "France" });',
      'await db.from("countries").insert({ code: "FR" });',
      'await db.from("users").update({ mood: "furious" });',
      'await db.rpc("add", { a: 1 });',
    ];
    for (const line of wrong)
      expect(await typeErrors("bad.ts", `${client}${line}\nexport type T = Tables<"users">;`), line).not.toEqual([]);
  });
});

it("writes a composite or enum of another schema out in full when that schema is not written", () => {
  const text = writeTypeScript(model, ["public"]);
  expect(text).toContain('kind: "a" | "b" | null');
  expect(text).not.toContain('Database["other"]');
});

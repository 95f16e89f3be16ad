import { afterAll, describe, expect, it } from "vitest";
import { type CompiledPolicy, createPolicyCompiler, type PolicyInput, type RelationShape } from "./index.ts";

const compiler = createPolicyCompiler({ parserIdleMs: 1_000 });
afterAll(() => compiler.close());

const plain = { isDeterministic: true, isByteOrder: false, foldsAscii: false };
const column = (name: string, typeOid: number) => ({ name, typeOid, collation: null });
const things: RelationShape = {
  schema: "public",
  name: "things",
  columns: [column("id", 23), column("owner", 2950), column("room", 20), column("title", 25), column("ci", 99_999)],
};
const members: RelationShape = {
  schema: "public",
  name: "members",
  columns: [column("room", 23), column("who", 2950)],
};

function compile(using: string | PolicyInput["using"], more: Partial<PolicyInput> = {}): Promise<CompiledPolicy> {
  return compiler.compile({
    using: typeof using === "string" ? [{ sql: using, isPermissive: true }] : using,
    relation: things,
    knownFunctions: new Set(["auth.uid", "auth.role", "auth.email", "auth.jwt"]),
    collation: plain,
    tableOf: ({ schema, name }) => (schema === "public" && name === "members" ? members : null),
    ...more,
  });
}

async function predicate(using: string): Promise<Extract<CompiledPolicy, { kind: "predicate" }>> {
  const policy = await compile(using);
  if (policy.kind === "beyond") throw new Error(policy.reason);
  return policy;
}

describe("what policies say together", () => {
  it("is nothing without a permissive one", async () => {
    const policy = await compile([{ sql: "true", isPermissive: false }]);
    expect(policy).toMatchObject({
      kind: "predicate",
      predicate: { node: "and", of: [{ value: false }, { value: true }] },
    });
    expect(await compile([])).toMatchObject({ predicate: { node: "constant", value: false } });
  });

  it("joins permissive ones by OR and restrictive ones by AND", async () => {
    const policy = await compile([
      { sql: "(id = 1)", isPermissive: true },
      { sql: "(id = 2)", isPermissive: false },
      { sql: "(id = 3)", isPermissive: true },
    ]);
    expect(policy).toMatchObject({
      predicate: {
        node: "and",
        of: [{ node: "or", of: [{ node: "compare" }, { node: "compare" }] }, { node: "compare" }],
      },
      columns: ["id"],
    });
  });

  it("keeps what is simple beside what is beyond", async () => {
    const policy = await predicate("((owner = auth.uid()) OR public.is_friend(owner))");
    expect(policy.predicate).toMatchObject({ node: "or", of: [{ node: "compare" }, { node: "beyond" }] });
    expect(policy.beyond).toContain("public.is_friend");
    expect(policy.depends).toEqual({ claims: "all", tables: "unknown", readsClock: true });
  });
});

describe("names", () => {
  it.each([
    ["(id OPERATOR(public.=) 1)", "somebody's operator"],
    ["(title = 'a'::public.text)", "a type of the name of a built-in one"],
    ["(ci = 'a'::text)", "a column of somebody's type"],
    ["(title = public.lower('A'::text))", "a function of the name of a built-in one"],
    ["(owner = public.uid())", "somebody's uid"],
    ['(title = (1)::text COLLATE "C")', "a collation"],
    ["(tableoid = 1)", "a column of the system"],
    ["(things.* IS NULL)", "a whole row"],
    ["(title < 'm'::text)", "an order that is not of bytes"],
    ["(lower(title) = 'a'::text)", "lower case of an unknown language"],
    ["(title = $1)", "a parameter"],
    ["(id = 1", "no SQL at all"],
  ])("%s is beyond: %s", async (sql) => {
    expect((await compile(sql)).kind).toBe("beyond");
  });

  it("are ours only when we are told so", async () => {
    const policy = await compile("(owner = auth.uid())", { knownFunctions: new Set(["auth.jwt"]) });
    expect(policy).toMatchObject({ kind: "beyond", depends: { claims: "all", tables: "unknown" } });
  });

  it("under a collation of many equals are beyond", async () => {
    const collation = { ...plain, isDeterministic: false };
    const columns = things.columns.map((one) => (one.name === "title" ? { ...one, collation } : one));
    expect((await compile("(title = 'a'::text)", { relation: { ...things, columns } })).kind).toBe("beyond");
  });
});

describe("dependencies", () => {
  it.each([
    ["(owner = auth.uid())", [["sub"]]],
    ["(auth.role() = 'authenticated'::text)", [["role"]]],
    [
      "((( SELECT auth.jwt() AS jwt) -> 'app_metadata'::text) ->> 'role'::text) = 'admin'::text",
      [["app_metadata", "role"]],
    ],
    ["(((auth.jwt() -> 'a'::text) -> 0) ->> 'b'::text) = 'c'::text", [["a"]]],
    ["(owner = (((current_setting('request.jwt.claims'::text, true))::json ->> 'sub'::text))::uuid)", [["sub"]]],
    ["((NULLIF(current_setting('request.jwt.claims'::text, true), ''::text))::jsonb ->> 'x'::text) IS NULL", [["x"]]],
    ["(title = ANY (ARRAY[(auth.jwt() ->> 'a'::text), (auth.jwt() ->> 'b'::text)]))", [["a"], ["b"]]],
    ["(auth.jwt() ->> title) = 'x'::text", "all"],
    ["(auth.jwt() @> '{}'::jsonb)", "all"],
    ["(current_setting('app.tenant'::text) = 'x'::text)", "all"],
    ["public.f()", "all"],
    ["(title ~ 'a'::text)", []],
  ])("%s reads %j", async (sql, claims) => {
    expect((await compile(sql)).depends.claims).toEqual(claims);
  });

  it("names tables, and the clock", async () => {
    const sql =
      "(EXISTS ( SELECT 1 FROM public.members m WHERE ((m.who = auth.uid()) AND (m.room = things.room)))) AND (now() > '2024-01-01 00:00:00+00'::timestamp with time zone)";
    expect((await compile(sql)).depends).toEqual({
      claims: [["sub"]],
      tables: [{ schema: "public", name: "members" }],
      readsClock: true,
    });
  });
});

describe("sub-selects", () => {
  it("become a set of what ties them to the row", async () => {
    const policy = await predicate(
      "(EXISTS ( SELECT 1\n   FROM public.members m\n  WHERE ((m.who = auth.uid()) AND (things.room = m.room))))",
    );
    expect(policy.sets).toEqual([
      {
        sql: `select distinct ("m"."room")::text as c0 from "public"."members" as "m" where ("m"."who" operator(pg_catalog.=) auth.uid())`,
        tables: [{ schema: "public", name: "members" }],
        correlates: ["integer"],
        value: null,
        isScalar: false,
      },
    ]);
  });

  it("are asked once when they ask the same", async () => {
    const one = "(room IN ( SELECT m.room FROM public.members m WHERE (m.who = auth.uid())))";
    expect((await predicate(`(${one} OR (NOT ${one}))`)).sets).toHaveLength(1);
  });

  it("are small where the caller's own value is looked for", async () => {
    const sql = "(auth.uid() IN ( SELECT m.who FROM public.members m WHERE (m.room = things.room)))";
    expect((await predicate(sql)).sets[0]?.sql).toContain(`auth.uid() operator(pg_catalog.=) "m"."who"`);
    // Under NOT, NULL and false differ.
    expect((await predicate(`(NOT ${sql})`)).sets[0]?.sql).not.toContain("auth.uid()");
  });

  it("keep the privileges that EXISTS needs for what it selects", async () => {
    const sql = "(EXISTS ( SELECT m.who FROM public.members m WHERE (m.room = things.room)))";
    expect((await predicate(sql)).sets[0]?.sql).toContain(`("m"."who" is null or true)`);
  });

  it.each([
    [
      "EXISTS ( SELECT count(*) AS count FROM public.members m WHERE (m.room = things.room))",
      "an aggregate is always there",
    ],
    ["EXISTS ( SELECT 1 FROM public.members m WHERE (m.room > things.room))", "tied by more than equality"],
    [
      "EXISTS ( SELECT 1 FROM public.members m WHERE ((m.room = things.room) OR (m.who = things.owner)))",
      "tied within OR",
    ],
    ["EXISTS ( SELECT 1 FROM public.members m WHERE ((m.room + things.id) = things.room))", "mixed sides"],
    ["(room IN ( SELECT m.room FROM public.members m LIMIT 1))", "LIMIT"],
    ["(room IN ( SELECT m.room FROM public.members m GROUP BY m.room))", "GROUP BY"],
    ["(room IN ( SELECT m.room FROM public.members m UNION SELECT 1))", "UNION"],
    ["(room IN ( SELECT m.room FROM public.members m WHERE public.f(m.room)))", "somebody's function"],
    ["(room IN ( SELECT m.room FROM public.members m WHERE (random() < 0.5)))", "chance"],
    ["(room IN ( SELECT v.room FROM public.a_view v))", "a view"],
    ["(room IN ( SELECT c.oid FROM pg_class c))", "the catalogue"],
    ["(room IN ( SELECT m.room FROM public.members m FOR UPDATE))", "locks"],
    ["(owner IN ( SELECT m.room FROM public.members m))", "types that do not meet"],
    ["(room = ( SELECT max(m.room) AS max FROM public.members m))", "an aggregate as a value"],
    ["((room, owner) IN ( SELECT m.room, m.who FROM public.members m))", "rows"],
  ])("%s is beyond: %s", async (sql) => {
    expect((await compile(sql)).kind).toBe("beyond");
  });
});

describe("too much", () => {
  it("B08 is beyond, without a crash", async () => {
    const deep = `${"(NOT ".repeat(5_000)}true${")".repeat(5_000)}`;
    const wide = Array.from({ length: 3_000 }, (_, at) => `(id = ${at})`).join(" OR ");
    expect((await compile(deep)).kind).toMatch(/beyond|predicate/);
    expect(await compile("x".repeat(70_000))).toMatchObject({ kind: "beyond" });
    expect((await compile(wide)).kind).toBe("predicate");
    // And the next one is compiled.
    expect((await compile("true")).kind).toBe("predicate");
  });
});

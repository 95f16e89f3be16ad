import { afterEach, describe, expect, it } from "vitest";
import { type TestProject, testProject } from "../testing.ts";

let project: TestProject;
afterEach(() => project.remove());

const check = async (files: Readonly<Record<string, string>>) => {
  project = await testProject(files);
  return (await project.open("look")).checkTypes();
};

const database = `
export type Database = { public: { Tables: { bookings: {
  Row: { id: string; status: "open" | "confirmed"; guests: number };
  Insert: { id?: string; status?: "open" | "confirmed"; guests: number };
  Update: { id?: string; status?: "open" | "confirmed"; guests?: number };
  Relationships: [];
} }; Views: { [_ in never]: never }; Functions: { [_ in never]: never }; Enums: { [_ in never]: never }; CompositeTypes: { [_ in never]: never } } };
declare module "@mainstay/functions" { interface Register { database: Database } }
`;

describe("types", () => {
  it("of the schema: right columns compile, wrong ones are said with their line", async () => {
    const found = await check({
      "functions/database.d.ts": database,
      "functions/a.ts": `import { on, serve } from "@mainstay/functions";
serve(async (_request, ctx) => {
  const { data } = await ctx.db.from("bookings").select("id, guests").eq("status", "open");
  const guests: number = data?.[0]?.guests ?? 0;
  return Response.json({ guests });
});
on("bookings", "insert", async (change, ctx) => {
  ctx.log.info(change.row.id.toUpperCase());
  await ctx.db.from("bookings").update({ guests: "many" });
  change.row.nothing;
  await ctx.db.from("flights").select();
});
`,
    });
    expect(found.map(({ file, line, source, severity }) => [file, line, severity, source?.trim()])).toEqual([
      ["functions/a.ts", 9, "warning", 'await ctx.db.from("bookings").update({ guests: "many" });'],
      ["functions/a.ts", 10, "warning", "change.row.nothing;"],
      ["functions/a.ts", 11, "warning", 'await ctx.db.from("flights").select();'],
    ]);
    expect(found[1]?.message).toContain("nothing");
  });

  it("of functions written for Deno: as they are", async () => {
    const found = await check({
      "supabase/functions/hello/index.ts": `import "jsr:@supabase/functions-js/edge-runtime.d.ts";
import { createClient } from "jsr:@supabase/supabase-js@2";
import { createClient as other } from "https://esm.sh/@supabase/supabase-js@2";
import { thing } from "thing";
import page from "./page.html" with { type: "text" };
import { Buffer } from "node:buffer";
import { cors } from "../_shared/cors.ts";
Deno.serve(async (request) => {
  const client = createClient(Deno.env.get("SUPABASE_URL") ?? "", Deno.env.get("SUPABASE_ANON_KEY")!, {
    global: { headers: { Authorization: request.headers.get("Authorization")! } },
  });
  const { data, error } = await client.from("x").select("*");
  EdgeRuntime.waitUntil(Promise.resolve());
  const wrong: number = Deno.env.get("X");
  return new Response(JSON.stringify({ data, error, thing, page, b: Buffer.from("x"), other }), { headers: cors });
});
`,
      "supabase/functions/hello/page.html": "<b>",
      "supabase/functions/hello/deno.json": '{ "imports": { "thing": "../../../lib/thing.ts" } }',
      "supabase/functions/_shared/cors.ts": 'export const cors = { "x": "y" };',
      "lib/thing.ts": "export const thing: string = 1;",
    });
    expect(found.map(({ file, line }) => [file, line])).toEqual([
      ["lib/thing.ts", 1],
      ["supabase/functions/hello/index.ts", 14],
    ]);
  });

  it("follow the functions' own tsconfig.json, and packages without types are not complained of", async () => {
    project = await testProject({
      "functions/tsconfig.json":
        '{ "extends": "../.mainstay/cache/functions/tsconfig.json", "compilerOptions": { "strict": false } }',
      "functions/a.ts":
        'import { v } from "npm:plain"; import { w } from "plain";\nexport default (request) => new Response(request.x + v + w + missing);\n',
    });
    await project.install("plain", "1.0.0", "export const v = 1; export const w = 2;");
    const build = await project.open("look");
    expect(build.current().diagnostics).toEqual([]);
    expect((await build.checkTypes()).map(({ line, message }) => [line, message])).toEqual([
      [2, "Cannot find name 'missing'. (TS2304)"],
    ]);
  });

  it("are not said of what could not be built: that has been said", async () => {
    const found = await check({ "functions/a.ts": 'import x from "npm:missing";\nexport default () => x;' });
    expect(found).toEqual([]);
  });
});

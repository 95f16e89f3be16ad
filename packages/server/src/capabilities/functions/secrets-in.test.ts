import { expect, test } from "vitest";
import { secretsIn } from "./secrets-in.ts";

test("finds the secrets that a module names, and none that everybody has", () => {
  const source = `
    const a = Deno.env.get("A_KEY") ?? Deno.env.get( 'B' );
    const { C } = process.env; const d = process.env.D_KEY, e = process.env["E"];
    webhook({ provider: "stripe", secret: "F_SECRET" }, (event, ctx) => ctx.secrets.G + ctx.secrets["H"] + secrets.length);
    Deno.env.get("SUPABASE_URL"); process.env.NODE_ENV; process.env[name]; Deno.env.get(name);`;
  expect([...secretsIn(source)].sort()).toEqual(["A_KEY", "B", "D_KEY", "E", "F_SECRET", "G", "H"]);
});

import * as esbuild from "esbuild";
import { afterAll, describe, expect, it } from "vitest";
import { findAbsent } from "./absent.ts";

afterAll(() => esbuild.stop());

describe("what the runtime has not", () => {
  it("is found in code, and in nothing that looks like it", async () => {
    const source = [
      'import type { X } from "./x.ts";',
      "// Deno.listen in a comment",
      'const text: string = "Deno.listen({})", more = `Deno.listen`;',
      "export function own(Deno: { listen(): void }) { return Deno.listen(); }",
      'export const server = Deno.listen({ port: 1 });  globalThis.Deno?.openKv("x");',
      "const { listen } = { listen: 1 };",
      "Deno.listenTls;",
      'Deno["listen"]();',
    ].join("\n");
    const found = await findAbsent(esbuild, new Map([["/p/functions/a.ts", source]]), "/p", "a", {
      "Deno.listen": "Use Deno.serve.",
      "Deno.openKv": "",
    });
    expect(found.map(({ line, column, message, hint }) => [line, column, message, hint])).toEqual([
      [5, 23, "Deno.listen is not part of this runtime: calling it throws.", "Use Deno.serve."],
      [5, 50, "Deno.openKv is not part of this runtime: calling it throws.", null],
      [8, 1, "Deno.listen is not part of this runtime: calling it throws.", "Use Deno.serve."],
    ]);
    expect(found[0]).toMatchObject({ file: "functions/a.ts", severity: "warning", source: source.split("\n")[4] });
  });
});

import { randomBytes } from "node:crypto";
import { SourceMap, type SourceMapPayload } from "node:module";
import { extname, relative, sep } from "node:path";
import type { Loader } from "esbuild";
import type { Diagnostic } from "../types.ts";

/** APIs of Deno that there are not, by their path (`Deno.listen`), and what to do without. */
export type AbsentTable = Readonly<Record<string, string>>;

/**
 * Finds uses of what the runtime has not, in the code itself: the compiler puts marks where the names stand as code, so neither strings nor
 * comments nor a variable of the same name count. Only sources that have the words are looked at.
 */
export async function findAbsent(
  esbuild: typeof import("esbuild"),
  sources: ReadonlyMap<string, string>,
  projectDir: string,
  functionName: string,
  table: AbsentTable | null = null,
): Promise<readonly Diagnostic[]> {
  if (sources.size === 0) return [];
  const absent = table ?? (await import("../thread/deno/absent.ts")).absent;
  const found: Diagnostic[] = [];
  for (const [path, source] of sources) {
    const names = Object.keys(absent).filter((name) => source.includes(name.slice(name.lastIndexOf(".") + 1)));
    if (names.length === 0) continue;
    // Nothing in the source looks like it.
    const mark = `absent_${randomBytes(8).toString("hex")}_`;
    const marks = names.flatMap((name, at) => [
      [name, `${mark}${at}_`],
      [`globalThis.${name}`, `${mark}${at}_`],
    ]);
    const { code, map } = await esbuild.transform(source, {
      loader: extname(path).replace(/^\.[cm]?/, "") as Loader,
      sourcefile: path,
      sourcemap: "external",
      sourcesContent: false,
      target: "esnext",
      jsx: "preserve",
      define: Object.fromEntries(marks),
    });
    const lines = source.split("\n");
    const origins = new SourceMap(JSON.parse(map) as SourceMapPayload);
    for (const [row, text] of code.split("\n").entries()) {
      for (const match of text.matchAll(new RegExp(`${mark}(\\d+)_`, "g"))) {
        const origin = origins.findEntry(row, match.index);
        if (!("originalLine" in origin)) continue;
        const name = names[Number(match[1])]!;
        found.push({
          severity: "warning",
          functionName,
          file: relative(projectDir, path).split(sep).join("/"),
          line: origin.originalLine + 1,
          column: origin.originalColumn + 1,
          message: `${name} is not part of this runtime: calling it throws.`,
          hint: absent[name] || null,
          source: lines[origin.originalLine] ?? null,
        });
      }
    }
  }
  return found;
}

/**
 * Parses JSON with comments and commas before a closing bracket, as `deno.json` and `tsconfig.json` have them.
 * @throws SyntaxError for anything else
 */
export function parseJsonc(text: string): unknown {
  // Strings are matched first, so that what looks like a comment inside one stays.
  const withoutComments = text
    .replace(/^\uFEFF/, "")
    .replace(/("(?:[^"\\\n]|\\.)*")|\/\/[^\n]*|\/\*[\s\S]*?\*\//g, (whole, string?: string) =>
      string === undefined ? whole.replace(/[^\n]/g, " ") : string,
    );
  return JSON.parse(
    withoutComments.replace(/("(?:[^"\\\n]|\\.)*")|,(?=\s*[\]}])/g, (_, string?: string) => string ?? " "),
  );
}

import type { Style } from "../output/style.ts";

/** What there is to say about a file, wherever it comes from. */
export interface Shown {
  readonly severity: "error" | "warning";
  readonly file: string | null;
  readonly line: number | null;
  readonly column: number | null;
  readonly message: string;
  readonly hint: string | null;
  readonly source: string | null;
}

/** Longest piece of a line of source that is shown. */
const sourceLimit = 120;

/** A diagnostic for a person: where, what, the line itself with a mark under it, and what to do. Several lines, without a last break. */
export function showDiagnostic({ severity, file, line, column, message, hint, source }: Shown, style: Style): string {
  const mark = severity === "error" ? style.red("✗") : style.yellow("!");
  const place = [file, line, line === null ? null : column].filter((part) => part !== null).join(":");
  return [
    `${mark} ${place === "" ? "" : `${style.bold(place)}  `}${message}`,
    ...(line === null || source === null || source.length > sourceLimit ? [] : excerpt(source, line, column, style)),
    ...(hint === null ? [] : [`    ${hint}`]),
  ].join("\n");
}

function excerpt(source: string, line: number, column: number | null, style: Style): readonly string[] {
  const number = `    ${line} │ `;
  // Tabs stay tabs, so that the mark stands under its place.
  const before = source.slice(0, (column ?? 1) - 1).replace(/[^\t]/g, " ");
  return [
    `${style.dim(number)}${source}`,
    ...(column === null ? [] : [`${style.dim(`${" ".repeat(number.length - 2)}│ `)}${before}${style.red("^")}`]),
  ];
}

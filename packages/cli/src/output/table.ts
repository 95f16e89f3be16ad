import type { Style } from "./style.ts";

/** One cell: its text, and how it is to look where there are colours. */
export type Cell = string | readonly [text: string, paint: Style[keyof Style]];

const textOf = (cell: Cell): string => (typeof cell === "string" ? cell : cell[0]);
const shown = (cell: Cell, width: number): string => {
  const text = textOf(cell).padEnd(width);
  return typeof cell === "string" ? text : cell[1](text);
};

/** Rows with their columns one below the other, two spaces between them; the last is as long as it is. Ends with a line break. */
export function table(rows: readonly (readonly Cell[])[]): string {
  const widths: number[] = [];
  for (const row of rows) {
    row.forEach((cell, column) => {
      widths[column] = Math.max(widths[column] ?? 0, textOf(cell).length);
    });
  }
  const lines = rows.map((row) =>
    row.map((cell, column) => shown(cell, column === row.length - 1 ? 0 : widths[column]!)).join("  "),
  );
  return lines.map((line) => `${line.trimEnd()}\n`).join("");
}

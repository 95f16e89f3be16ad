import { scanList } from "./scan.ts";

/**
 * The parentheses of `in.(…)`: `list = "(" [element *("," element)] ")"`, where an element is quoted (with `\` as escape) or
 * runs to the next `,` or `)`. Elements are returned unquoted; `()` gives none. Returns `null` when the text is not a list
 * from its first to its last character. PostgREST docs, Tables and Views.
 */
export function readList(text: string, maxElements = Number.POSITIVE_INFINITY): readonly string[] | null | "too-many" {
  const elements: string[] = [];
  const end = scanList(text, 0, (element) => {
    elements.push(element);
    return elements.length <= maxElements;
  });
  if (elements.length > maxElements) return "too-many";
  return end === text.length ? elements : null;
}

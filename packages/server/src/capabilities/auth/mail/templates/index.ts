import { type Parsed, parse } from "./parse.ts";
import { run } from "./run.ts";

export { TemplateError } from "./error.ts";
export { TrustedUrl } from "./values.ts";

/** A template that has been read, to be filled in any number of times. */
export interface Template {
  /**
   * Fills it in. What is missing in `data` is nothing.
   * @throws TemplateError when it writes more, or runs longer, than a mail may
   */
  render(data: unknown): string;
}

/**
 * Reads a template in the language of Go's text/template, as GoTrue and Supabase projects write them; with `html` every value
 * is escaped for its place, as html/template does.
 * @param name the file, for messages
 * @throws TemplateError with file, line and column
 */
export function readTemplate(name: string, text: string, mode: "text" | "html"): Template {
  const parsed: Parsed = parse({ name, text });
  return { render: (data) => run(parsed, data, mode) };
}

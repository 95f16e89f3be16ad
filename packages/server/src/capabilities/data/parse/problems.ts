import { Problem } from "../../../kernel/problem.ts";
import { type QueryLimits, queryLimitSettings } from "./settings.ts";

/** Longest piece of the caller's text that is repeated in a message, in characters. */
const echoedChars = 300;

/** The failures that reading a query string can name. */
export const parseProblems = {
  /**
   * A part of the query string does not follow the grammar. The message names the part, repeats it and says where;
   * `details` says what was found and what was expected.
   */
  malformed: (part: string, text: string, column: number, details: string) =>
    new Problem("PGRST100", 400, `"failed to parse ${part} (${shorten(text)})" (line 1, column ${column})`, {
      details,
    }),
  /** A `%` that is not followed by two hexadecimal digits, or bytes that are not UTF-8. */
  encoding: (text: string) =>
    new Problem("PGRST100", 400, `"failed to decode (${shorten(text)})" (line 1, column 1)`, {
      details: "The query string must be UTF-8, percent-encoded.",
    }),
  /** A control character stands in the query string as itself. */
  controlCharacter: (column: number) =>
    new Problem("PGRST100", 400, `"failed to parse query string" (line 1, column ${column})`, {
      details: "Control characters must be percent-encoded.",
    }),
  /** The query string is larger than a limit allows. The hint names the setting that raises it. */
  tooLarge: (limit: keyof QueryLimits, allowed: number) => {
    const { unit, env } = queryLimitSettings[limit];
    return new Problem("PGRST100", 400, `"the query string is too large" (line 1, column 1)`, {
      details: `More than ${allowed} ${unit}.`,
      hint: `Ask for less at once, or raise ${env[0]}.`,
    });
  },
};

function shorten(text: string): string {
  return text.length <= echoedChars ? text : `${text.slice(0, echoedChars)}…`;
}

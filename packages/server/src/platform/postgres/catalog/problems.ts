import { Problem } from "../../../kernel/problem.ts";

export const problems = {
  /** The catalogue of tables and functions has not been read yet: the database is starting, or away. */
  notLoaded: () =>
    new Problem("catalog/not-loaded", 503, "The database's schema has not been read yet.", {
      hint: "Try again shortly.",
      headers: { "Retry-After": "1" },
    }),
};

import { Problem } from "../../../kernel/problem.ts";

export const problems = {
  /** The site has no page of that address, and no `404.html` either. */
  noSuchPage: () => new Problem("storage/no-such-page", 404, "There is no such page."),
};

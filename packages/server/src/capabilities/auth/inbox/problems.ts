import { Problem } from "../../../kernel/problem.ts";

export const problems = {
  /** The inbox is for this machine: the request names another host, or comes from a page of another site. */
  elsewhere: () =>
    new Problem("auth/inbox_elsewhere", 403, "The inbox is for this machine only.", {
      hint: "Open it as http://localhost:<port>/inbox, in a tab of its own.",
    }),
  /** No message has this id; the oldest are let go. */
  messageNotFound: () => new Problem("auth/inbox_message_not_found", 404, "There is no such message in the inbox."),
  /** A value of the query is none that is known. */
  badQuery: (message: string) => new Problem("auth/inbox_bad_query", 400, message),
};

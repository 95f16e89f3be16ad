import { Problem } from "../../../kernel/problem.ts";

/** What PostgreSQL and the app's own rules refuse, in the codes of Supabase's storage. */
export const databaseProblems = {
  /** Something that a rule of the app wants to be there once is there already. */
  alreadyExists: () => new Problem("ResourceAlreadyExists", 409, "The resource already exists"),
  /** Rows of another table stand in the way: they refer to what is to go, or what is referred to is not there. */
  referenced: () =>
    new Problem(
      "ResourceReferenced",
      409,
      "The resource could not be updated or removed due to a foreign key constraint",
    ),
  /** The database took longer than it may. */
  timeout: (cause: unknown) =>
    new Problem("DatabaseTimeout", 544, "The database took too long to answer", {
      hint: "Look at the policies on storage.objects: what they ask for needs an index, or `(select auth.uid())` in place of `auth.uid()`.",
      cause,
    }),
  /** The database takes no changes now: a replica, or one that is being moved. */
  readOnly: (cause: unknown) =>
    new Problem("DatabaseReadOnly", 503, "The database is currently in read-only mode. Please try again later.", {
      cause,
    }),
  /** A policy cannot be worked out: it refers to itself. */
  invalidDefinition: (cause: unknown) =>
    new Problem(
      "DatabaseInvalidObjectDefinition",
      500,
      "A policy on storage.objects or storage.buckets cannot be worked out: it asks its own table.",
      { hint: "Move the sub-select into a function that is `security definer`.", cause },
    ),
  /** A value cannot be used. */
  refused: (cause: unknown) =>
    new Problem("InvalidParameter", 400, "The database does not take one of the values", { cause }),
  /** The database could not do it. The log has the reason. */
  failed: (sqlState: string, cause: unknown) =>
    new Problem("DatabaseError", 500, `database error, code: ${sqlState}`, { cause }),
};

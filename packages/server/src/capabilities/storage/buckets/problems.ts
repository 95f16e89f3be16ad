import { Problem } from "../../../kernel/problem.ts";

export const bucketProblems = {
  /** A bucket is deleted when nothing is in it. Empty it first. */
  notEmpty: () =>
    new Problem("ResourceNotEmpty", 409, "The bucket you tried to delete is not empty", {
      hint: "Empty the bucket first.",
    }),
  /** Only buckets of files are served; those for analytics are another product. */
  typeUnavailable: (type: string) =>
    new Problem("FeatureNotEnabled", 400, `Buckets of the type ${type} are not available`),
};

import { Problem } from "../../../kernel/problem.ts";

export const signedProblems = {
  /** The token of the URL is none of ours, has ended, or its key was rotated away. Sign a new one. */
  invalidToken: (message = "Invalid Compact JWS") => new Problem("InvalidJWT", 400, message),
  /** The token was signed for another file, or for something else to be done with it. */
  otherPurpose: () => new Problem("InvalidSignature", 400, "Invalid signature"),
  /** Nobody may be given a link that lasts so long. */
  tooLong: (maxSeconds: number) =>
    new Problem("InvalidParameter", 400, `expiresIn must be at most ${maxSeconds} seconds.`, {
      hint: "The setting storageSignedUrlMaxSeconds says how long links may last.",
    }),
};

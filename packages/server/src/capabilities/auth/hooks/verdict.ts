import type { Fields } from "../request.ts";
import { hookProblems } from "./problems.ts";
import type { Verdict } from "./types.ts";

export const goOn: Verdict = { rejectedBecause: null, endsSessions: false };

export const verdictOf = {
  /**
   * What a hook says of an attempt. @param of as the default message names it
   * @throws Problem 500 for a decision that is none: an attempt nobody decided about does not go on
   */
  attempt(name: string, { decision, message, should_logout_user: endsSessions }: Fields, of: string): Verdict {
    switch (decision) {
      case "continue":
        return goOn;
      case "reject": {
        const isSaid = typeof message === "string" && message !== "";
        const said = isSaid ? message : `Further ${of} verification attempts will be rejected.`;
        return { rejectedBecause: said, endsSessions: endsSessions === true };
      }
      default:
        throw hookProblems.failed(name, 'Hook did not decide: decision must be "continue" or "reject"');
    }
  },

  /** @throws Problem when a hook rejects a new account by a decision, not by an error */
  creation({ decision, message }: Fields): void {
    if (decision !== "reject") return;
    throw hookProblems.refused(403, typeof message === "string" && message !== "" ? message : "Signups not allowed");
  },
};

import { auth } from "../problems.ts";

export const breachedProblems = {
  /** Nobody could say whether the password was in a breach, and the setting `passwordHibpFailClosed` asks to be sure. Try again. */
  unchecked: (cause: unknown) =>
    auth("unexpected_failure", 500, "Unable to perform password strength check with HaveIBeenPwned.org.", { cause }),
};

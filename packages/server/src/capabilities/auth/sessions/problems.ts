import { auth } from "../problems.ts";

export const sessionProblems = {
  /** The user has no session with this id: it may have ended. Not `session_not_found`, at which clients sign out. */
  unknownSession: () => auth("not_found", 404, "No session of this user has this id"),
};

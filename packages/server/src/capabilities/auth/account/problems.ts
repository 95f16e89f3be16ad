import { auth } from "../problems.ts";
import type { PlannedRows } from "./store.ts";

/** Failures of leaving. */
export const accountProblems = {
  /** The session is too old to delete or export an account: sign in again, or send the password. */
  reauthenticationNeeded: () =>
    auth(
      "reauthentication_needed",
      400,
      "Sign in again, or send the current password, to delete or export the account",
    ),
  /** The password sent as a proof is wrong. */
  passwordWrong: () => auth("current_password_invalid", 400, "The current password is wrong."),
  /** The user has a second factor and this session did not show it. */
  insufficientAal: () =>
    auth("insufficient_aal", 401, "AAL2 session is required to delete or export an account when MFA is enabled."),
  /**
   * Rows of tables that do not go with their user (on delete restrict, or no action) reference this one. `details.rows` says which;
   * the setting `accountErasedTables` lets them go.
   */
  blocked: (rows: readonly PlannedRows[]) =>
    auth("conflict", 409, "Rows of other tables stand in the way of deleting this account", { details: { rows } }),
  /** The database refused to delete the account: a trigger of the app's, or a constraint. The server's log has the reason. */
  deletingFailed: (cause: unknown) => auth("unexpected_failure", 500, "Database error deleting user", { cause }),
  /** Too many exports are being written; try again. */
  exportsBusy: () =>
    auth("over_request_rate_limit", 429, "Too many exports at once", { headers: { "Retry-After": "30" } }),
};

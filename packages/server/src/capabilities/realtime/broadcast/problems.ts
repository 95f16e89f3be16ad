import { Problem } from "../../../kernel/problem.ts";

/** What is wrong with a value, by its field and place: `{"messages":[{},{"payload":["can't be blank"]}]}`. */
export type FieldErrors = Readonly<Record<string, unknown>>;

/** What broadcasting by HTTP refuses. Texts that clients of Supabase may look at are kept. */
export const broadcastProblems = {
  /** The body is not what the endpoint takes, or a payload is too large: `errors` says where. */
  invalid: (errors: FieldErrors) =>
    new Problem("realtime/invalid-broadcast", 422, "The broadcast is not valid.", { details: errors }),
  /** The body is neither JSON nor bytes. */
  unsupportedMediaType: () =>
    new Problem(
      "realtime/unsupported-media-type",
      415,
      "Unsupported Media Type. Use application/json or application/octet-stream",
    ),
  /** No policy on `realtime.messages` lets the caller insert on this topic; or the server takes private channels only. */
  notAllowed: () =>
    new Problem("realtime/broadcast-not-allowed", 403, "You do not have permissions to write to this Channel topic", {
      hint: "Grant it with an insert policy on realtime.messages.",
    }),
  /** The caller, or all callers together, broadcast too much. */
  tooMany: (headers: Readonly<Record<string, string>>) =>
    new Problem("realtime/too-many-broadcasts", 429, "You have exceeded your rate limit", { headers }),
};

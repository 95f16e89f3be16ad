import { Problem } from "../../../kernel/problem.ts";

/** What is wrong with a value, by its field and place: `{"messages":[{},{"payload":["can't be blank"]}]}`. */
export type FieldErrors = Readonly<Record<string, unknown>>;

const unstored = (code: string, message: string): Problem =>
  new Problem(code, 422, message, { details: { persist: [message] } });

/** What broadcasting refuses. Texts that clients of Supabase may look at are kept. */
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
  /** `persist` cannot be understood, or asks for longer than messages are kept. */
  persistInvalid: (mostSeconds: number) =>
    unstored("realtime/persist-invalid", `persist must be true, or have a ttl of 1 to ${mostSeconds} whole seconds`),
  /** Only broadcasts of private channels are stored: there are policies that say who may read them later. */
  persistPublic: () => unstored("realtime/persist-public", "persist can only be used on private channels"),
  /** The caller may broadcast on this topic, but not store: no insert policy on `realtime.messages` with the extension `persistence` allows it. */
  persistNotAllowed: () =>
    new Problem(
      "realtime/persist-not-allowed",
      403,
      "You do not have permissions to store messages of this Channel topic",
      {
        hint: "Grant it with an insert policy on realtime.messages where extension = 'persistence'.",
      },
    ),
  /** The payload is too large to be stored, as JSON that PostgreSQL writes: with a space after each comma and colon. */
  persistTooLarge: (limitBytes: number) =>
    unstored(
      "realtime/persist-too-large",
      `A broadcast that is stored takes at most ${limitBytes} bytes as PostgreSQL writes it`,
    ),
  /** JSON that PostgreSQL cannot keep: the character U+0000, half a character, a number beyond 1e99. */
  persistUnstorable: () =>
    unstored(
      "realtime/persist-unstorable",
      "PostgreSQL cannot store this payload: U+0000, half a character, or a number beyond 1e99",
    ),
  /** PostgreSQL did not store it: it was too slow, or the table `realtime.messages` is not as this server needs it. The log says more. */
  notStored: (cause: unknown) =>
    new Problem("realtime/not-stored", 503, "The broadcast could not be stored, and was sent to nobody", { cause }),
  /** The caller, or all callers together, broadcast too much. */
  tooMany: (headers: Readonly<Record<string, string>>) =>
    new Problem("realtime/too-many-broadcasts", 429, "You have exceeded your rate limit", { headers }),
};

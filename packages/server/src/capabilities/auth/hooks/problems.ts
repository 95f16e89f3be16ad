import { auth } from "../problems.ts";

/**
 * Failures of an app's hooks. All but the app's own refusals are 5xx, where GoTrue has some of them as 4xx: clients end the session
 * when a refresh is answered 4xx, and a hook that is away for a minute must not sign everybody out.
 */
export const hookProblems = {
  /** A hook did not answer in time: 5 seconds over HTTP, 2 as a database function. */
  timeout: (name: string, timeoutMs: number) =>
    auth("hook_timeout", 504, `Failed to reach hook within maximum time of ${timeoutMs / 1000} seconds`, {
      details: { hook: name },
    }),
  /** A hook could not be reached, three times in a row. */
  timeoutAfterRetry: (name: string, cause: unknown) =>
    auth("hook_timeout_after_retry", 503, "Failed to reach hook after maximum retries", {
      details: { hook: name },
      cause,
    }),
  /** What a hook is to be told, or what it answered, is larger than 200 KB. */
  payloadTooLarge: (name: string, maxBytes: number) =>
    auth("hook_payload_over_size_limit", 500, `Payload size exceeded size limit of ${maxBytes} bytes`, {
      details: { hook: name },
    }),
  /** A hook answered with another content type than `application/json`. */
  invalidContentType: (name: string, found: string) =>
    auth("hook_payload_invalid_content_type", 500, `Invalid JSON response. Received content-type: ${found || "none"}`, {
      details: { hook: name },
    }),
  /** A hook answered 429 or 503 to the end of its time: try again. */
  unavailable: (name: string) =>
    auth("unexpected_failure", 503, "Service currently unavailable due to hook", { details: { hook: name } }),
  /** A hook answered what it must not, or failed; the message says which. */
  failed: (name: string, message: string, cause?: unknown) =>
    auth("unexpected_failure", 500, message, { details: { hook: name }, ...(cause === undefined ? {} : { cause }) }),
  /** The app's hook refused, in its own words and with its own status. */
  refused: (status: 400 | 401 | 403 | 409 | 422 | 429 | 503, message: string) => auth("unknown", status, message),
};

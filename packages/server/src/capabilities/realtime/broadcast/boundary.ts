import { type Boundary, json } from "../../../kernel/route.ts";

/**
 * Renders problems as Supabase's realtime does over HTTP: `{"message": …}`; `{"errors": {field: …}}` for what a body has wrong; `{"error": …}`
 * for a media type.
 */
export const realtimeBoundary: Boundary = {
  name: "realtime",
  render(problem, call) {
    const { code, message, details } = problem;
    const headers = Object.entries(problem.headers).flat();
    const reply = ((): ReturnType<typeof json> => {
      switch (code) {
        case "realtime/invalid-broadcast":
          return json({ errors: details }, 422, headers);
        case "realtime/persist-invalid":
        case "realtime/persist-public":
        case "realtime/persist-too-large":
        case "realtime/persist-unstorable":
          // The client's library shows `message`, and Supabase's server says `errors`.
          return json({ message, errors: details }, 422, headers);
        case "realtime/unsupported-media-type":
        case "http/body-encoding":
          return json({ error: message }, 415, headers);
        case "http/body-too-large":
          return json({ errors: { body: [message] } }, 422, headers);
        case "identity/key-missing":
        case "identity/key-unknown":
        case "identity/token-expired":
        case "identity/token-invalid":
        case "identity/token-claims":
        case "identity/session-ended":
        case "identity/user-banned":
        case "identity/user-deleted":
          return json({ message: message === "" ? "Unauthorized" : message }, 401, headers);
        default:
          return json({ message }, problem.status, headers);
      }
    })();
    return call?.method === "HEAD" ? { ...reply, body: null } : reply;
  },
};

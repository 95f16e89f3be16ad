/** What a client wants of its presence. */
export type PresenceCall =
  /** `fields`: JSON text of an object, without the keys that are ours. */
  | { readonly kind: "track"; readonly fields: string }
  | { readonly kind: "untrack" }
  /** In words for the client. */
  | { readonly kind: "invalid"; readonly reason: string };

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value) && !Buffer.isBuffer(value);

/** Reads `{type: "presence", event, payload?}`. `phx_ref` and `phx_ref_prev` of a client's own are left out: they are ours to give. */
export function readPresence(payload: unknown): PresenceCall {
  const { event, payload: fields = {} } = isObject(payload) ? payload : {};
  switch (typeof event === "string" ? event.toLowerCase() : null) {
    case "track": {
      if (!isObject(fields)) return { kind: "invalid", reason: "Presence track payload must be a map" };
      const { phx_ref: _ref, phx_ref_prev: _prev, ...rest } = fields;
      return { kind: "track", fields: JSON.stringify(rest) };
    }
    case "untrack":
      return { kind: "untrack" };
    default:
      return { kind: "invalid", reason: "UnknownPresenceEvent: an event is track or untrack" };
  }
}

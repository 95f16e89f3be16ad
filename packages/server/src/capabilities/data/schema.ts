import type { Call } from "../../kernel/route.ts";
import type { DataSettings } from "./effective.ts";
import { profileOf } from "./parse/index.ts";
import { problems } from "./problems.ts";

/** The schema a request is for. */
export interface RequestedSchema {
  readonly schema: string;
  /** What `Content-Profile` says: the schema, where the caller named one or there is more than one to name. */
  readonly profile: string | null;
}

/**
 * The schema a request names in its profile header, else the first one served.
 * @throws PGRST106 (406) for a schema that is not served.
 */
export function requestedSchema(call: Call, { schemas }: DataSettings): RequestedSchema {
  // A preflight-free OPTIONS asks about reading: it has no content whose profile it could name.
  const asked = profileOf(call.method === "OPTIONS" ? "GET" : call.method, call.headers);
  if (asked !== null && !schemas.includes(asked)) throw problems.unknownSchema(asked, schemas);
  const schema = asked ?? schemas[0] ?? "public";
  return { schema, profile: asked !== null || schemas.length > 1 ? schema : null };
}

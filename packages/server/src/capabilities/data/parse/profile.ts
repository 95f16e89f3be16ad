import type { IncomingHttpHeaders } from "node:http";
import type { Method } from "../../../kernel/route.ts";

/**
 * The schema a caller asks for: `Accept-Profile` when reading, `Content-Profile` when writing; `null` when not said.
 * PostgREST docs, Schemas.
 */
export function profileOf(method: Method, headers: IncomingHttpHeaders): string | null {
  const isRead = method === "GET" || method === "HEAD";
  const value = headers[isRead ? "accept-profile" : "content-profile"];
  const profile = typeof value === "string" ? value.trim() : "";
  return profile === "" ? null : profile;
}

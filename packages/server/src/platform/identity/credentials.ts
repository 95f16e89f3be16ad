import type { IncomingHttpHeaders } from "node:http";
import { problems } from "./problems.ts";

/** RFC 6750 §2.1; another scheme is not for us. @throws Problem for a bearer that is empty. */
export function bearerOf(authorization: string | undefined): string | null {
  if (authorization === undefined) return null;
  const found = /^bearer(?:[ \t]+(.*))?$/i.exec(authorization.trim());
  if (found === null) return null;
  const token = found[1];
  if (!token) throw problems.tokenInvalid("Empty JWT is sent in Authorization header");
  return token;
}

/** The API key of a request: its header, or the parameter of clients that can send none. @throws Problem for one that cannot be read. */
export function keyOf(headers: IncomingHttpHeaders, query: string): string | null {
  const header = headers.apikey;
  if (typeof header === "string" && header !== "") return header;
  if (Array.isArray(header)) throw problems.keyUnknown();
  const found = /(?:^|&)apikey=([^&]*)/.exec(query)?.[1];
  if (!found) return null;
  try {
    return decodeURIComponent(found);
  } catch {
    throw problems.keyUnknown();
  }
}

/** Every browser's user agent has begun so since 1994; the SDKs' own on phones and servers do not. */
export function isBrowser(headers: IncomingHttpHeaders): boolean {
  return headers["user-agent"]?.startsWith("Mozilla/") ?? false;
}

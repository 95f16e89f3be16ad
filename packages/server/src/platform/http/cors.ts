import type { IncomingHttpHeaders } from "node:http";
import type { CorsPolicy, Method, Reply } from "../../kernel/route.ts";

/** The CORS answers of one group, ready to be sent. https://fetch.spec.whatwg.org/#http-cors-protocol */
export interface Cors {
  /** Flat headers for a reply to `origin`. */
  headersFor(origin: string): readonly string[];
  /** The answer to a preflight; `null` when the request is none. */
  preflight(method: Method, headers: IncomingHttpHeaders): Reply | null;
}

/** A list of header names, as a browser sends it. Bounded: it is echoed. */
const nameList = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+(?:[ \t]*,[ \t]*[!#$%&'*+.^_`|~0-9A-Za-z-]+)*$/;
const nameListLimit = 4096;

/** Says nothing to a page of another origin, so its browser refuses for us. */
export const closedCors: Cors = { headersFor: () => [], preflight: () => null };

/**
 * With `*` every origin gets `*` and no credentials. With a list, a listed origin is named and may send credentials, any
 * other gets nothing at all, and caches are told that the answer depends on it.
 */
export function createCors(policy: CorsPolicy, origins: readonly string[]): Cors {
  const expose = policy.exposeHeaders === "" ? [] : ["Access-Control-Expose-Headers", policy.exposeHeaders];
  const isOpen = origins.includes("*");
  const open = ["Access-Control-Allow-Origin", "*"];
  const allowed = new Map(
    origins.map((origin) => [
      origin,
      ["Access-Control-Allow-Origin", origin, "Access-Control-Allow-Credentials", "true", "Vary", "Origin"],
    ]),
  );
  const refused = ["Vary", "Origin"];
  const grant = (origin: string) => (isOpen ? open : (allowed.get(origin) ?? refused));
  const openReply = [...open, ...expose];

  return {
    headersFor: (origin) => (isOpen ? openReply : allowed.has(origin) ? [...grant(origin), ...expose] : refused),
    preflight(method, headers) {
      if (method !== "OPTIONS" || headers.origin === undefined) return null;
      if (headers["access-control-request-method"] === undefined) return null;
      const granted = grant(headers.origin);
      if (granted === refused) return { status: 204, headers: refused, body: null };
      return {
        status: 204,
        headers: [
          ...granted,
          "Access-Control-Allow-Methods",
          policy.allowMethods,
          "Access-Control-Allow-Headers",
          allowedHeaders(policy, headers["access-control-request-headers"]),
          "Access-Control-Max-Age",
          String(policy.maxAgeSeconds),
        ],
        body: null,
      };
    },
  };
}

/** The policy's own headers and whatever the page wants to send besides: a header is no secret, and SDKs add new ones. */
function allowedHeaders(policy: CorsPolicy, requested: string | undefined): string {
  if (requested === undefined || requested.length > nameListLimit || !nameList.test(requested))
    return policy.allowHeaders;
  return policy.allowHeaders === "" ? requested : `${policy.allowHeaders}, ${requested}`;
}

import type { IncomingHttpHeaders } from "node:http";

const authority = /^(?:[A-Za-z0-9._-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\])(?::\d{1,5})?$/;
const prefixPath = /^(?:\/[A-Za-z0-9._~-]{1,100}){1,10}\/?$/;

/**
 * Where the caller has reached us: `https://api.example.com/prefix`, without a slash at its end. From the Host header, or from `X-Forwarded-Host`,
 * `-Proto`, `-Port` and `-Prefix` when the peer is a proxy of ours; where several proxies append, the first is who the caller spoke with. `""`
 * when there is no host that a URL could have.
 *
 * A caller chooses its own Host, so what is built from this may be told to the caller alone: never a cache, a mail or another person.
 */
export function requestOrigin(headers: IncomingHttpHeaders, isFromProxy: boolean): string {
  const forwarded = (name: string): string | undefined => {
    const value = isFromProxy ? headers[name] : undefined;
    return typeof value === "string" ? value.split(",", 1)[0]!.trim() : undefined;
  };
  const scheme = forwarded("x-forwarded-proto")?.toLowerCase() === "https" ? "https" : "http";
  const named = forwarded("x-forwarded-host") ?? headers.host ?? "";
  if (!authority.test(named)) return "";
  const port = forwarded("x-forwarded-port") ?? "";
  const isOwnPort = /^\d{1,5}$/.test(port) && port !== (scheme === "https" ? "443" : "80") && !/:\d+$/.test(named);
  const prefix = forwarded("x-forwarded-prefix") ?? "";
  const path = prefixPath.test(prefix) && !prefix.includes("..") ? prefix.replace(/\/$/, "") : "";
  return `${scheme}://${named}${isOwnPort ? `:${port}` : ""}${path}`;
}

import type { IncomingMessage } from "node:http";
import type { Principal } from "../../../kernel/principal.ts";
import { Problem } from "../../../kernel/problem.ts";
import type { Values } from "../../../kernel/settings.ts";
import type { Identity } from "../../../platform/identity/types.ts";
import type { WireVersion } from "../types.ts";
import { problems } from "./problems.ts";
import type { socketSettings } from "./settings.ts";

/** What a client says of itself when it connects. */
export interface Handshake {
  readonly version: WireVersion;
  readonly key: Principal;
  /** The key as it was given; `null` when there was none and none is needed. */
  readonly keyText: string | null;
  readonly clientInfo: string;
}

const clientInfoChars = 256;

/**
 * Judges a request to open a websocket before anything is answered. Only the API key says who connects: cookies and `Authorization` are
 * not looked at, so no page of another site can borrow what a browser keeps (threat R09).
 * @throws Problem
 */
export function judgeHandshake(
  request: IncomingMessage,
  { identity, settings }: { readonly identity: Identity; readonly settings: Values<typeof socketSettings> },
): Handshake {
  const { headers } = request;
  const url = request.url!; // there is one on the server's side
  if (url.length > settings.realtimeUrlLimitBytes) throw problems.urlTooLong(settings.realtimeUrlLimitBytes);
  refuseRepeated(request.rawHeaders);
  refuseOrigin(headers.origin, settings.realtimeOrigins);
  const start = url.indexOf("?");
  const query = new URLSearchParams(start < 0 ? "" : url.slice(start + 1));
  const version = versionOf(single(query, "vsn"));
  const keyText = keyTextOf(request, single(query, "apikey"));
  return {
    version,
    key: whoseKey(identity, keyText, headers["user-agent"]),
    keyText,
    clientInfo: String(headers["x-client-info"] ?? headers["user-agent"] ?? "").slice(0, clientInfoChars),
  };
}

/** Headers of which two could be read in two ways: by us and by what stands before us (threat X08). */
const singleHeaders: ReadonlySet<string> = new Set([
  "apikey",
  "connection",
  "host",
  "origin",
  "sec-websocket-key",
  "sec-websocket-version",
  "upgrade",
  "x-api-key",
]);

function refuseRepeated(rawHeaders: readonly string[]): void {
  const seen = new Set<string>();
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = rawHeaders[i]!.toLowerCase();
    if (!singleHeaders.has(name)) continue;
    if (seen.has(name)) throw problems.handshakeRepeats(name);
    seen.add(name);
  }
}

/** What is no page sends no origin; a page without a name (a file, a sandbox) sends `null`, which nobody can name. */
function refuseOrigin(origin: string | undefined, allowed: readonly string[]): void {
  if (origin === undefined || allowed.length === 0 || allowed.includes("*")) return;
  if (origin === "null" || !allowed.includes(origin)) throw problems.originRefused();
}

function single(query: URLSearchParams, name: string): string | null {
  const values = query.getAll(name);
  if (values.length > 1) throw problems.handshakeRepeats(name);
  return values[0] ?? null;
}

/** As Phoenix does it: any patch of a version is that version, none given is the first. */
function versionOf(vsn: string | null): WireVersion {
  if (vsn === null || /^1\.0\.\d{1,3}$/.test(vsn)) return "1.0.0";
  if (/^2\.0\.\d{1,3}$/.test(vsn)) return "2.0.0";
  throw problems.versionUnknown();
}

function keyTextOf({ headers }: IncomingMessage, parameter: string | null): string | null {
  const given = headers["x-api-key"] ?? parameter ?? headers.apikey;
  if (given === "") throw problems.keyEmpty();
  return typeof given === "string" ? given : null;
}

/** Who a key says connects. @throws Problem */
export function whoseKey(
  identity: Pick<Identity, "identifyKey" | "verify">,
  text: string | null,
  userAgent?: string,
): Principal {
  const headers = userAgent === undefined ? {} : { "user-agent": userAgent };
  if (text === null) return identity.identifyKey(headers, "");
  try {
    return identity.identifyKey({ ...headers, apikey: text }, "");
  } catch (error) {
    if (!(error instanceof Problem) || error.code !== "identity/key-unknown" || !text.startsWith("ey")) throw error;
    return userOf(identity.verify(text));
  }
}

/**
 * A user's own token in the place of the key, as some clients send it: good for as long as it is, and for no more than a user. The service's
 * keys are known by `identifyKey`, which refuses them in browsers.
 */
function userOf(principal: Principal): Principal {
  if (principal.role === "service_role") throw problems.keyUnfit();
  if (typeof principal.claims.role !== "string" || !Number.isFinite(principal.expiresAtMs)) throw problems.keyUnfit();
  return principal;
}

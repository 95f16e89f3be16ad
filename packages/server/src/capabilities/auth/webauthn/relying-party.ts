import { isIP } from "node:net";
import type { AuthSettings } from "../context.ts";
import { androidOriginOf, parseAndroidApps } from "./mobile-apps.ts";

/** Who a credential is made for (WebAuthn Level 3 §4): settled by the settings alone, whatever a request says of it. */
export interface RelyingParty {
  /** A domain. */
  readonly id: string;
  readonly name: string;
  /** Compared whole. */
  readonly origins: readonly string[];
}

/**
 * An id must be a domain, and browsers take no address for one: on a machine of its own a server is `localhost` to them, and
 * only pages opened under that name can use WebAuthn.
 */
export function relyingPartyOf(
  settings: Pick<
    AuthSettings,
    "publicUrl" | "siteUrl" | "webauthnRpId" | "webauthnRpDisplayName" | "webauthnRpOrigins" | "androidApps"
  >,
): RelyingParty {
  const id = settings.webauthnRpId ?? domainOf(settings.siteUrl) ?? domainOf(settings.publicUrl) ?? "localhost";
  const origins =
    settings.webauthnRpOrigins.length > 0
      ? settings.webauthnRpOrigins
      : [...[settings.siteUrl, settings.publicUrl].flatMap((url) => originsOf(url, id)), `https://${id}`];
  const apps = parseAndroidApps(settings.androidApps).map(androidOriginOf);
  return { id, name: settings.webauthnRpDisplayName ?? id, origins: [...new Set([...origins, ...apps])] };
}

/** `null` for what is no web address, a custom scheme for instance, or has no name. */
function domainOf(url: string): string | null {
  const host = hostOf(url);
  if (host === null) return null;
  return isIP(host) === 0 ? host : isLoopback(host) ? "localhost" : null;
}

/** The origin of `url` as browsers name it, when pages there can use credentials of `id` (Level 3 §5.1.3 step 8). */
function originsOf(url: string, id: string): readonly string[] {
  const host = hostOf(url);
  if (host === null) return [];
  const parsed = new URL(url);
  const name = isLoopback(host) ? "localhost" : host;
  if (name !== id && !name.endsWith(`.${id}`)) return [];
  return [name === host ? parsed.origin : `${parsed.protocol}//${name}${parsed.port === "" ? "" : `:${parsed.port}`}`];
}

function hostOf(url: string): string | null {
  if (!URL.canParse(url)) return null;
  const { protocol, hostname } = new URL(url);
  const isWeb = protocol === "http:" || protocol === "https:";
  return isWeb && hostname !== "" ? hostname.replace(/^\[|\]$/g, "") : null;
}

const isLoopback = (host: string): boolean => host === "::1" || /^127(\.\d+){3}$/.test(host);

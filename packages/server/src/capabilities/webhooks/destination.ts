import { SettingError } from "../../kernel/settings.ts";
import {
  createGuard,
  type Guard,
  type OutboundReply,
  type OutboundRequest,
  outboundRequest,
} from "../../platform/outbound/index.ts";

/** Where this server is, and how projects write that in SQL. */
export interface OwnPlaces {
  /** Where it listens now, as this machine reaches it: `http://127.0.0.1:8080`; `null` while it does not. */
  readonly listensAt: () => string | null;
  /** Where apps reach it. */
  readonly publicUrl: string;
}

/** Thrown for a request to this very server while it does not listen. */
export class NotListeningError extends Error {
  override readonly name = "NotListeningError";
}

/** Calls a URL that came from SQL. */
export type CallOut = (
  url: string,
  request: Omit<OutboundRequest, "isAllowedAddress" | "isRepeatable">,
) => Promise<OutboundReply>;

/** As a project's SQL names the server it belongs to: the CLI's port here and from within Docker, and the gateway of Supabase's compose file. */
const usualOrigins = [
  "http://127.0.0.1:54321",
  "http://localhost:54321",
  "http://host.docker.internal:54321",
  "http://kong:8000",
  "http://api.supabase.internal:8000",
];

/**
 * The way out for URLs of an app: to the public internet, to hosts the operator has named, and to this server itself, however it is named; never
 * elsewhere in private space and never over a redirect (threat X01).
 */
export function createCallOut(guard: Guard, { listensAt, publicUrl }: OwnPlaces): CallOut {
  const own = new Set(usualOrigins);
  if (URL.canParse(publicUrl)) own.add(new URL(publicUrl).origin);
  const isOurs = (url: URL): boolean => {
    const place = listensAt();
    if (own.has(url.origin)) return true;
    if (place === null || url.protocol !== "http:") return false;
    const isThisMachine = ["127.0.0.1", "localhost", "[::1]", "host.docker.internal"].includes(url.hostname);
    return url.origin === new URL(place).origin || (isThisMachine && url.port === new URL(place).port);
  };
  return async (text, request) => {
    const url = URL.canParse(text) ? new URL(text) : null;
    if (url === null) return outboundRequest(text, request);
    if (!isOurs(url)) return outboundRequest(url, { ...request, isAllowedAddress: guard.addressesFor(url) });
    const place = listensAt();
    if (place === null) throw new NotListeningError("this server does not listen at the moment");
    // Straight to where it listens: its public name may lead to a proxy that this machine cannot reach.
    return outboundRequest(new URL(`${url.pathname}${url.search}`, place), request);
  };
}

/** Where webhooks may go besides the public internet. @throws SettingError naming an entry that is no host */
export function webhookGuard(allowedHosts: readonly string[]): Guard {
  try {
    return createGuard(allowedHosts);
  } catch (error) {
    if (error instanceof TypeError) throw new SettingError(`MAINSTAY_WEBHOOK_ALLOWED_HOSTS: ${error.message}`);
    throw error;
  }
}

import type { AuthSettings } from "../context.ts";
import { issuerOf } from "../tokens.ts";

/** A mail's link: built from the settings alone, whatever host a request names (threat A14). */
export function mailLink(
  { publicUrl }: Pick<AuthSettings, "publicUrl">,
  link: { readonly token: string; readonly type: string; readonly redirectTo: string },
): string {
  const query = new URLSearchParams({ token: link.token, type: link.type, redirect_to: link.redirectTo });
  return `${issuerOf({ issuer: null, publicUrl })}/verify?${query}`;
}

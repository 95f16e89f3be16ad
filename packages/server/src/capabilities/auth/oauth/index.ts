import type { AuthContext } from "../context.ts";
import type { AuthPart } from "../part.ts";

export function oauthPart(_context: AuthContext): AuthPart {
  return { routes: [] };
}

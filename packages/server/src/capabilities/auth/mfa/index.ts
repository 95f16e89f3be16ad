import type { AuthContext } from "../context.ts";
import type { AuthPart } from "../part.ts";

export function mfaPart(_context: AuthContext): AuthPart {
  return { routes: [] };
}

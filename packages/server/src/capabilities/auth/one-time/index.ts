import type { AuthContext } from "../context.ts";
import type { AuthPart } from "../part.ts";

export function oneTimePart(_context: AuthContext): AuthPart {
  return { routes: [] };
}

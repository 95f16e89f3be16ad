import type { AuthContext } from "../context.ts";
import type { AuthPart } from "../part.ts";
import { sessionRoutes } from "./routes.ts";

/** Sessions as their owners see them: where one is signed in, and how to end that. */
export function sessionsPart(context: AuthContext): AuthPart {
  return { routes: sessionRoutes(context) };
}

import type { Capability } from "../../kernel/capability.ts";
import type { Clock } from "../../kernel/clock.ts";
import type { Values } from "../../kernel/settings.ts";
import type { Identity, TokenSigner } from "../../platform/identity/types.ts";
import type { Observe } from "../../platform/observe/observation.ts";
import type { Database } from "../../platform/postgres/database.ts";
import { authBoundary } from "./boundary.ts";
import { createContext } from "./context.ts";
import { metadataRoutes } from "./metadata-routes.ts";
import { createPasswords, type IsBlocked } from "./password.ts";
import { authCors } from "./reply.ts";
import { authRoutes } from "./routes.ts";
import { createAuthService } from "./service.ts";
import type { authSettings } from "./settings.ts";

export type { IsBlocked } from "./password.ts";
export { authSettings } from "./settings.ts";

/** Reported as the server's version by `/auth/v1/health`. */
const version = "0.1.0";

/** Who is asking: sign-up, sign-in, sessions and their tokens, under `/auth/v1`. */
export function createAuth(needs: {
  readonly db: Database;
  readonly identity: Identity;
  readonly signer: TokenSigner;
  readonly settings: Values<typeof authSettings>;
  readonly clock: Clock;
  readonly observe: Observe;
  /** Passwords never to be used, known ones for instance; none when left out. */
  readonly isBlocked?: IsBlocked;
}): Capability {
  const { db, signer, settings, clock, observe, isBlocked } = needs;
  const passwords = createPasswords(settings, isBlocked);
  const service = createAuthService(createContext({ db, signer, settings, clock, observe, passwords }));
  return {
    name: "auth",
    routes: [
      {
        mount: "/auth/v1",
        boundary: authBoundary,
        cors: authCors,
        routes: [...metadataRoutes(signer, settings, version), ...authRoutes(service, settings)],
      },
    ],
    stop: () => passwords.close(),
  };
}

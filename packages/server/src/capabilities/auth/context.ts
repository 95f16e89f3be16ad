import type { Clock } from "../../kernel/clock.ts";
import type { Values } from "../../kernel/settings.ts";
import type { TokenSigner } from "../../platform/identity/types.ts";
import type { Observe } from "../../platform/observe/observation.ts";
import type { Database } from "../../platform/postgres/database.ts";
import { createLimit, type Limit } from "./limits.ts";
import type { Passwords } from "./password.ts";
import type { Origin } from "./session-store.ts";
import type { authSettings } from "./settings.ts";
import { createRefreshTokens, type RefreshTokens } from "./tokens.ts";

/** What every flow works with. */
export interface AuthContext {
  readonly db: Database;
  readonly signer: TokenSigner;
  readonly settings: Values<typeof authSettings>;
  readonly clock: Clock;
  readonly observe: Observe;
  readonly passwords: Passwords;
  readonly refreshTokens: RefreshTokens;
  readonly limits: Limits;
}

/**
 * Supabase docs, Auth, Rate limits. Keyed by what the network says of the caller, or by account: never by what a
 * request says.
 */
export interface Limits {
  readonly signIn: Limit;
  readonly refresh: Limit;
  readonly anonymous: Limit;
  /** Failed sign-ins only. */
  readonly account: Limit;
}

/** Where a call comes from, settled by the HTTP platform (threat A13). */
export interface Caller extends Origin {
  readonly address: string;
  /** What the caller is counted by. */
  readonly network: string;
}

const fiveMinutes = 300;

export function createContext(needs: Omit<AuthContext, "refreshTokens" | "limits">): AuthContext {
  const { settings, clock } = needs;
  const isOn = settings.rateLimits;
  return {
    ...needs,
    refreshTokens: createRefreshTokens(needs.signer),
    limits: {
      signIn: createLimit(settings.rateLimitSignIn, fiveMinutes, clock, isOn),
      refresh: createLimit(settings.rateLimitRefresh, fiveMinutes, clock, isOn),
      anonymous: createLimit(settings.rateLimitAnonymous, 3_600, clock, isOn),
      account: createLimit(settings.rateLimitAccount, fiveMinutes, clock, isOn),
    },
  };
}

import type { Clock } from "../../kernel/clock.ts";
import type { Values } from "../../kernel/settings.ts";
import type { Identity, TokenSigner } from "../../platform/identity/types.ts";
import type { Observe } from "../../platform/observe/observation.ts";
import type { Outbox } from "../../platform/outbox/index.ts";
import type { Database } from "../../platform/postgres/database.ts";
import type { OnErased } from "./account/index.ts";
import type { AfterCommit } from "./after-commit.ts";
import type { Audit } from "./audit/index.ts";
import type { Captcha } from "./captcha/types.ts";
import type { Hooks } from "./hooks/index.ts";
import type { Limits } from "./limits/index.ts";
import type { Messages } from "./messages.ts";
import type { Passwords } from "./password.ts";
import type { DeviceKey } from "./protection/device.ts";
import type { Lockout } from "./protection/lockout.ts";
import type { Origin } from "./session-store.ts";
import type { authSettings } from "./settings.ts";
import type { RefreshTokens } from "./tokens.ts";

export type AuthSettings = Values<typeof authSettings>;

/** What every flow works with. */
export interface AuthContext {
  readonly db: Database;
  /** For what happens only once a transaction of `db` is committed. */
  readonly afterCommit: AfterCommit;
  readonly signer: TokenSigner;
  readonly settings: AuthSettings;
  /** Reads a bearer token where a route that needs none is told of one. */
  readonly identity: Identity;
  readonly clock: Clock;
  readonly observe: Observe;
  readonly passwords: Passwords;
  readonly refreshTokens: RefreshTokens;
  readonly limits: Limits;
  readonly lockout: Lockout;
  readonly deviceKey: DeviceKey;
  readonly audit: Audit;
  readonly hooks: Hooks;
  readonly captcha: Captcha;
  readonly messages: Messages;
  /** For what must reach the outside and is no message. */
  readonly outbox: Outbox;
  /** What other parts do when an account goes. */
  readonly onErased: readonly OnErased[];
}

/** Where a call comes from, settled by the HTTP platform (threat A13). */
export interface Caller extends Origin {
  readonly address: string;
  /** What the caller is counted by. */
  readonly network: string;
  /** True for a backend of the app's own, with the service key. */
  readonly isService: boolean;
}

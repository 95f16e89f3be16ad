import type { Capability } from "../../kernel/capability.ts";
import type { Clock } from "../../kernel/clock.ts";
import type { Identity, TokenSigner } from "../../platform/identity/types.ts";
import type { Observe } from "../../platform/observe/observation.ts";
import type { Outbox } from "../../platform/outbox/index.ts";
import type { Database } from "../../platform/postgres/database.ts";
import { openLane } from "../../platform/postgres/lane.ts";
import { type Accounts, accountPart, createAccounts, type OnErased } from "./account/index.ts";
import { withAfterCommit } from "./after-commit.ts";
import { createAudit } from "./audit/index.ts";
import { auditPart } from "./audit/part.ts";
import { authBoundary } from "./boundary.ts";
import { createBreached } from "./breached/index.ts";
import { createCaptcha } from "./captcha/index.ts";
import type { AuthContext, AuthSettings } from "./context.ts";
import { createHooks } from "./hooks/index.ts";
import { createInbox, inboxPart } from "./inbox/index.ts";
import { createLimits } from "./limits/index.ts";
import { createMessages, defaultMailTemplates, type WaysOut } from "./mail/index.ts";
import type { Messages } from "./messages.ts";
import { metadataRoutes } from "./metadata-routes.ts";
import { mfaPart } from "./mfa/index.ts";
import { notServedPart } from "./not-served/index.ts";
import { oauthPart } from "./oauth/index.ts";
import { oneTimePart } from "./one-time/index.ts";
import type { AuthPart } from "./part.ts";
import { createPasswords, type IsBlocked } from "./password.ts";
import { createDeviceKey } from "./protection/device.ts";
import { createLockout } from "./protection/lockout.ts";
import { protectionPart } from "./protection/part.ts";
import { authCors } from "./reply.ts";
import { authRoutes } from "./routes.ts";
import { sessionsPart } from "./sessions/index.ts";
import { assertTestNumbers, createSmsBudget, withinBudget } from "./sms/index.ts";
import { createRefreshTokens } from "./tokens.ts";
import { webauthnPart } from "./webauthn/index.ts";

export type { Accounts, ImportedIdentity, ImportedUser, ImportOptions, ImportOutcome } from "./account/index.ts";
export { authSettingErrors, settingErrorOf } from "./check-settings.ts";
export type { AuthSettings } from "./context.ts";
export { hasInbox } from "./inbox/index.ts";
export { createAppMails, openMailTemplates, type WaysOut } from "./mail/index.ts";
export { enabledProviders, idleProviders } from "./oauth/index.ts";
export type { IsBlocked } from "./password.ts";
export { authSettings } from "./settings.ts";

/** Reported as the server's version by `/auth/v1/health`. */
const version = "0.1.0";

export interface AuthNeeds {
  readonly db: Database;
  readonly identity: Identity;
  readonly signer: TokenSigner;
  readonly settings: AuthSettings;
  readonly clock: Clock;
  readonly observe: Observe;
  /** Passwords never to be used; when left out those that are known to attackers. */
  readonly isBlocked?: IsBlocked;
  /** Keeps what goes outside until it is there. Whoever gives it starts and stops it. */
  readonly outbox: Outbox;
  /** How messages leave and what mails say; left out, none leaves. */
  readonly waysOut?: WaysOut;
  /** The way to people, when it is not the outbox: for tests. */
  readonly messages?: Messages;
  /** What other capabilities do when an account goes. */
  readonly onErased?: readonly OnErased[];
}

/** Who is asking: sign-up, sign-in, sessions and their tokens, under `/auth/v1`. */
export function createAuth(needs: AuthNeeds): Capability & { readonly accounts: Accounts } {
  const { signer, settings, clock, observe, outbox } = needs;
  const { db, afterCommit } = withAfterCommit(needs.db);
  const lane = openLane(db, settings.rateLimitTimeoutMs);
  const limits = createLimits({ settings, clock, db: lane, secret: signer.deriveKey("auth/limits") });
  assertTestNumbers(settings, clock.nowMs());
  const passwords = createPasswords(settings, needs.isBlocked ?? createBreached({ settings, clock, observe }));
  const audit = createAudit({ observe, settings });
  const hooks = createHooks({ settings, db, clock });
  const waysOut = needs.waysOut ?? {
    templates: defaultMailTemplates(),
    transport: null,
    gateway: null,
    hasInbox: false,
  };
  const inbox = waysOut.hasInbox ? createInbox({ db, settings }) : null;
  const messages =
    needs.messages ?? createMessages({ db, outbox, settings, hooks, audit, clock, observe, ...waysOut, inbox });
  const context: AuthContext = {
    db,
    afterCommit,
    signer,
    settings,
    identity: needs.identity,
    clock,
    observe,
    passwords,
    refreshTokens: createRefreshTokens(signer),
    limits,
    lockout: createLockout({ db, settings, clock, secret: signer.deriveKey("auth/lockout") }),
    deviceKey: createDeviceKey(signer.deriveKey("auth/known-devices")),
    audit,
    hooks,
    outbox,
    onErased: needs.onErased ?? [],
    captcha: createCaptcha({ settings, clock, observe }),
    messages: withinBudget(messages, {
      budget: createSmsBudget({ settings, signer, observe }),
      settings,
      clock,
    }),
  };
  const rooms: readonly AuthPart[] = [
    oneTimePart(context),
    oauthPart(context),
    mfaPart(context),
    webauthnPart(context),
    accountPart(context),
    auditPart(context),
    ...(inbox === null ? [] : [inboxPart(context)]),
    protectionPart(context),
    sessionsPart(context),
    notServedPart(),
  ];
  const grants = new Map(rooms.flatMap((room) => Object.entries(room.grants ?? {})));
  const parts: readonly AuthPart[] = [
    { routes: metadataRoutes(signer, settings, version) },
    { routes: authRoutes(context, grants) },
    ...rooms,
  ];
  return {
    name: "auth",
    accounts: createAccounts(context),
    routes: [
      {
        mount: "/auth/v1",
        boundary: authBoundary,
        cors: authCors,
        routes: parts.flatMap((part) => part.routes ?? []),
      },
      ...parts.flatMap((part) => part.groups ?? []),
    ],
    async start() {
      for (const part of parts) await part.start?.();
    },
    async stop() {
      for (const part of parts.toReversed()) await part.stop?.();
      await limits.close();
      await lane.close();
      await passwords.close();
    },
  };
}

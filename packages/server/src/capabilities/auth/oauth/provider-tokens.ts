import { reasonOf } from "../../../kernel/reason.ts";
import type { Queryable } from "../../../platform/postgres/database.ts";
import type { AuthContext } from "../context.ts";
import { openToken, sealToken } from "../flow-tokens.ts";
import type { Providers } from "./registry.ts";
import { providerTokenStore } from "./store.ts";

/** Tokens revoked in one go. */
const batch = 20;
/** Until the second attempt; each time after it is twice as long. */
const firstDelaySeconds = 60;
/** Attempts before it is given up: some four days. */
const maxAttempts = 12;
/** How often this node looks, in milliseconds. */
const intervalMs = 15_000;

/** Keeps a refresh token until the account goes. */
export async function keepProviderToken(
  context: Pick<AuthContext, "signer">,
  tx: Queryable,
  token: {
    readonly userId: string;
    readonly provider: string;
    readonly providerId: string;
    readonly refreshToken: string;
  },
): Promise<void> {
  const id = providerTokenStore.newId();
  const { refreshToken, ...rest } = token;
  await providerTokenStore.keep(tx, { ...rest, id, sealed: sealToken(context, id, refreshToken)! });
}

/**
 * Has every provider told that a user's account is gone (Apple: App Store Review Guidelines 5.1.1(v)). They are told once `tx` is
 * committed, and again until they have heard. Also happens to users who are deleted in any other way.
 * @returns how many will be told
 */
export const revokeProviderTokens = (_context: unknown, tx: Queryable, userId: string): Promise<number> =>
  providerTokenStore.release(tx, userId);

type Needs = Pick<AuthContext, "db" | "signer" | "observe">;

/** One round of what is due. @returns how many providers were told */
export async function revokeDue(context: Needs, providers: Providers): Promise<number> {
  let told = 0;
  for (const kept of await providerTokenStore.takeDue(context.db.background, batch, firstDelaySeconds)) {
    const token = openToken(context, kept.id, kept.refreshToken);
    const provider = providers.find(kept.provider);
    try {
      // What cannot be read is of a project with other keys; a provider that is off cannot be spoken to.
      if (token !== null) {
        if (provider === null) throw new Error(`${kept.provider} is not set up any more`);
        await provider.revoke(token);
        told++;
      }
      await providerTokenStore.remove(context.db, kept.id);
    } catch (error) {
      if (kept.attempts < maxAttempts) continue;
      const reason = reasonOf(error);
      const message = `A refresh token of ${kept.provider} could not be revoked and is dropped: ${reason}`;
      context.observe({ kind: "warning", area: "auth", message });
      await providerTokenStore.remove(context.db, kept.id);
    }
  }
  return told;
}

/** Looks for work until it is stopped; a stop waits for the round under way. */
export function createRevoker(context: Needs, providers: Providers) {
  let timer: NodeJS.Timeout | null = null;
  let round: Promise<unknown> = Promise.resolve();
  let isBusy = false;
  const look = (): void => {
    if (isBusy) return;
    isBusy = true;
    round = revokeDue(context, providers)
      // The database is away: the next round is soon.
      .catch(() => {})
      .finally(() => {
        isBusy = false;
      });
  };
  return {
    async start(): Promise<void> {
      timer = setInterval(look, intervalMs);
      timer.unref();
    },
    async stop(): Promise<void> {
      if (timer !== null) clearInterval(timer);
      timer = null;
      await round;
    },
  };
}

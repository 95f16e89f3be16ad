import { reasonOf } from "../../../kernel/reason.ts";
import type { AuthContext } from "../context.ts";
import { sweepStore } from "./sweep-store.ts";

/** What has ended is kept for a while, so that whoever comes late is told so; and a code sent again remembers the last. */
const lateSeconds = 86_400;

/** Batches of one kind in one go: what is left waits for the next. */
const maxBatches = 100;

/** Clears away what has had its time. Any number of nodes may do so at once. @returns rows cleared, by kind */
export async function sweepExpired({ db, settings }: Pick<AuthContext, "db" | "settings">) {
  const { sessionTimeboxSeconds: timeboxSeconds, sessionInactivitySeconds: inactivitySeconds } = settings;
  const flowSeconds = Math.max(settings.mailCodeSeconds, lateSeconds) + settings.authCodeSeconds;
  const all = async (batch: () => Promise<number>): Promise<number> => {
    let gone = 0;
    for (let at = 0; at < maxBatches; at++) {
      const count = await batch();
      gone += count;
      if (count < sweepStore.batch) break;
    }
    return gone;
  };
  return {
    oneTimeTokens: await all(() => sweepStore.oneTimeTokens(db, lateSeconds)),
    usedCodes: await all(() => sweepStore.usedCodes(db, lateSeconds)),
    flows: await all(() => sweepStore.flows(db, flowSeconds)),
    sessions: await all(() => sweepStore.sessions(db, { keptSeconds: lateSeconds, timeboxSeconds, inactivitySeconds })),
    refreshTokens: await all(() => sweepStore.refreshTokens(db, settings.sweepRevokedTokenSeconds)),
  };
}

/** Sweeps every `sweepIntervalSeconds` until stopped; never twice at once. */
export function createSweeper(context: AuthContext): { start(): void; stop(): Promise<void> } {
  const { settings, observe } = context;
  let timer: NodeJS.Timeout | undefined;
  let running: Promise<unknown> | null = null;
  const sweep = () => {
    running ??= sweepExpired(context)
      .catch((error: unknown) => {
        const message = `Expired sign-in data could not be cleared away: ${reasonOf(error)}`;
        observe({ kind: "warning", area: "auth", message });
      })
      .finally(() => {
        running = null;
      });
  };
  return {
    start() {
      if (settings.sweepIntervalSeconds === 0) return;
      timer = setInterval(sweep, settings.sweepIntervalSeconds * 1_000);
      timer.unref();
    },
    async stop() {
      clearInterval(timer);
      await running;
    },
  };
}

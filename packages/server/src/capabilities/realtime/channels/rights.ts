import type { Principal } from "../../../kernel/principal.ts";
import type { Observe } from "../../../platform/observe/observation.ts";
import { DatabaseError, type Session } from "../../../platform/postgres/session/types.ts";
import { JoinRefusal } from "../join-refusal.ts";
import type { ChannelRights } from "../types.ts";
import { type Extension, rightsStore } from "./rights-store.ts";

const yes = (): Promise<boolean> => Promise.resolve(true);
const no = (): Promise<boolean> => Promise.resolve(false);

/** Of a public channel: nobody is asked. Nothing of it is stored. */
export const publicRights: ChannelRights = {
  readBroadcast: true,
  readPresence: true,
  writeBroadcast: yes,
  writePresence: yes,
  storeBroadcast: no,
};

/** Reported at most so often: a policy that fails does so at every join. */
const reportEveryMs = 60_000;

/** Asks who may do what on private channels. */
export class RightsDesk {
  readonly #session: Session;
  readonly #observe: Observe;
  /** Questions under way. Those of one user's devices, or of one user's many tabs, are one. */
  readonly #asking = new Map<string, Promise<ChannelRights>>();
  /** By SQLSTATE. */
  readonly #reportedAtMs = new Map<string, number>();

  constructor(session: Session, observe: Observe) {
    this.#session = session;
    this.#observe = observe;
  }

  /**
   * What the caller may do on the private channel of this name. What fails in a policy is no right.
   * Rejects with a Problem when PostgreSQL is away or busy.
   */
  ask(name: string, who: Principal): Promise<ChannelRights> {
    const key = JSON.stringify([name, who.role, who.claimsJson]);
    const asking = this.#asking.get(key);
    if (asking !== undefined) return asking;
    const answer = this.#read(name, who).finally(() => {
      if (this.#asking.get(key) === answer) this.#asking.delete(key);
    });
    this.#asking.set(key, answer);
    return answer;
  }

  /** What is being answered is not of now any more: who asks from here on asks PostgreSQL. */
  doubt(): void {
    this.#asking.clear();
  }

  async #read(name: string, who: Principal): Promise<ChannelRights> {
    const none = { broadcast: false, presence: false };
    const read = await this.#orElse(none, () => rightsStore.mayRead(this.#session, who, name));
    const write = (extension: Extension) =>
      once(() => this.#orElse(false, () => rightsStore.mayWrite(this.#session, who, name, extension)));
    return {
      readBroadcast: read.broadcast,
      readPresence: read.presence,
      writeBroadcast: write("broadcast"),
      writePresence: write("presence"),
      storeBroadcast: write("persistence"),
    };
  }

  async #orElse<T>(denied: T, ask: () => Promise<T>): Promise<T> {
    try {
      return await ask();
    } catch (error) {
      if (!(error instanceof DatabaseError)) throw error;
      this.#report(error);
      return denied;
    }
  }

  #report({ sqlstate, message }: DatabaseError): void {
    const nowMs = performance.now();
    if (nowMs - (this.#reportedAtMs.get(sqlstate) ?? Number.NEGATIVE_INFINITY) < reportEveryMs) return;
    this.#reportedAtMs.set(sqlstate, nowMs);
    this.#observe({
      kind: "warning",
      area: "realtime",
      message: `A policy on realtime.messages could not be asked, and the private channel was refused (${sqlstate}): ${message}`,
    });
  }
}

/** Nothing to read is no way in; one of the two is. */
export const canRead = ({ readBroadcast, readPresence }: ChannelRights): boolean => readBroadcast || readPresence;

export const unreadable = (name: string): JoinRefusal =>
  new JoinRefusal("Unauthorized", `You do not have permissions to read from this Channel topic: ${name}`);

/** What the caller may do on a private channel. @throws JoinRefusal when there is nothing to read */
export async function readableRights(
  desk: RightsDesk,
  { name, who }: { readonly name: string; readonly who: Principal },
): Promise<ChannelRights> {
  const rights = await desk.ask(name, who);
  if (!canRead(rights)) throw unreadable(name);
  return rights;
}

/** Asks when first needed. An answer stays; a failure does not. */
function once(ask: () => Promise<boolean>): () => Promise<boolean> {
  let answer: Promise<boolean> | null = null;
  return () => {
    answer ??= ask().catch((error: unknown) => {
      answer = null;
      throw error;
    });
    return answer;
  };
}

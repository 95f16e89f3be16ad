import { setTimeout as sleep } from "node:timers/promises";
import type { Principal } from "../../kernel/principal.ts";
import { Problem } from "../../kernel/problem.ts";
import type { Values } from "../../kernel/settings.ts";
import { asCaller } from "../postgres/caller.ts";
import type { Row, Session, Statement } from "../postgres/session/types.ts";
import { sqlStateOf } from "../postgres/sql-state.ts";
import type { policiesSettings } from "./settings.ts";

export interface AskerNeeds {
  readonly session: Session;
  readonly settings: Pick<
    Values<typeof policiesSettings>,
    "policyTimeoutMs" | "policyRetryMs" | "policyQuestionsInFlight"
  >;
}

/** Waits between attempts while PostgreSQL is away, in ms: the first, and the longest. */
const [retryFirstMs, retryMaxMs] = [20, 1_000];

/** Puts questions to PostgreSQL as a caller, a bounded number at a time. */
export class Asker {
  readonly #needs: AskerNeeds;
  #inFlight = 0;
  readonly #waiting: (() => void)[] = [];
  #isClosed = false;
  /** Statements that were sent, for statistics. */
  asked = 0;

  constructor(needs: AskerNeeds) {
    this.#needs = needs;
  }

  /**
   * Rejects with a DatabaseError, which is PostgreSQL's answer; with a Problem when it has been away, or too busy, for
   * `policyRetryMs`.
   */
  async ask(who: Principal, statement: Statement): Promise<readonly Row[]> {
    const { policyQuestionsInFlight, policyRetryMs } = this.#needs.settings;
    if (this.#inFlight >= policyQuestionsInFlight) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    else this.#inFlight++;
    const since = performance.now();
    try {
      for (let waitMs = retryFirstMs; ; waitMs = Math.min(2 * waitMs, retryMaxMs)) {
        try {
          return await this.#fly(who, statement);
        } catch (error) {
          if (!isAway(error) || this.#isClosed) throw error;
          if (performance.now() - since + waitMs > policyRetryMs) throw error;
          await sleep(waitMs);
        }
      }
    } finally {
      const next = this.#waiting.shift();
      if (next === undefined) this.#inFlight--;
      else next();
    }
  }

  close(): void {
    this.#isClosed = true;
  }

  async #fly(who: Principal, statement: Statement): Promise<readonly Row[]> {
    this.asked++;
    const { session, settings } = this.#needs;
    const { rows } = await session.fly({
      role: who.role,
      // Policies read headers where they are written for the data API too; here there are none.
      prologue: asCaller(who, { "request.headers": "{}", statement_timeout: String(settings.policyTimeoutMs) }),
      statement,
      lane: "read",
      isRetryable: true,
      // A function that a policy calls may write.
      isRolledBack: true,
    });
    return rows;
  }
}

/** Classes 08 and 57P are PostgreSQL on its way out or in. */
const isAway = (error: unknown): boolean => error instanceof Problem || /^(?:08|57P)/.test(sqlStateOf(error) ?? "");

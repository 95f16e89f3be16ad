import { setTimeout as sleep } from "node:timers/promises";
import { reasonOf } from "../../../kernel/reason.ts";
import type { Values } from "../../../kernel/settings.ts";
import type { ChangeLog } from "../../../platform/changes/types.ts";
import type { Jobs } from "../../../platform/jobs/types.ts";
import type { Observe } from "../../../platform/observe/observation.ts";
import type { Database } from "../../../platform/postgres/database.ts";
import type { StopListening } from "../../../platform/postgres/listener.ts";
import type { Session } from "../../../platform/postgres/session/types.ts";
import { type HandlerTrouble, Keeper } from "./keeper.ts";
import { ChangeReader } from "./reader.ts";
import type { changesSettings } from "./settings.ts";
import { changeStore, handlersNews } from "./store.ts";
import type { ChangeHandler, Missed } from "./types.ts";

export type { HandlerTrouble } from "./keeper.ts";
export { changesSettings } from "./settings.ts";
export { type ChangeHandler, changeJobs } from "./types.ts";

export interface FunctionChangesNeeds {
  readonly db: Database;
  readonly session: Session;
  readonly log: Pick<ChangeLog, "followDurably">;
  readonly jobs: Pick<Jobs, "enqueue">;
  /** This process: `nodes.id`. */
  readonly node: string;
  readonly settings: Values<typeof changesSettings> & { readonly jobsPayloadMaxBytes: number };
  readonly observe: Observe;
}

/** What functions on change need: their tables in the log, and their changes as jobs `mainstay.change/<handler>`. */
export interface FunctionChanges {
  /**
   * This node's functions want these, and nothing else any more. Once it resolves, every change that commits becomes a job; when the database is away,
   * as soon as it is back. @returns what their authors should know
   */
  apply(handlers: readonly ChangeHandler[]): Promise<readonly HandlerTrouble[]>;
  start(): Promise<void>;
  stop(): Promise<void>;
}

/** How often we say that handlers are still wanted, as parts of the time until they are forgotten. */
const renewalsPerForget = 4;
/** What could not be done is tried again after so long, in ms. */
const retryMs = 2_000;
/** Changes of the schema come many at once: so long after the first one, in ms, all of them are looked at. */
const settleMs = 100;

/** How long a start waits for the reader's place in the log, and how often it looks, in ms. */
const enrolMs = 10_000;
const enrolLookMs = 20;

export function createFunctionChanges(needs: FunctionChangesNeeds): FunctionChanges {
  const { db, log, settings, observe } = needs;
  const onMissed = ({ handlers, reason, detail }: Missed) =>
    observe({ kind: "functions.changes-missed", handlers, reason, detail });
  const keeper = new Keeper({ ...needs, onMissed });
  let isReading = false;
  let isStopped = false;
  let turn: Promise<unknown> = Promise.resolve();
  let timer: NodeJS.Timeout | null = null;
  let stopListening: StopListening | null = null;
  let told = new Set<string>();

  /** One after another. */
  const inTurn = <T>(work: () => Promise<T>): Promise<T> => {
    const done = turn.then(work);
    turn = done.catch(() => {});
    return done;
  };

  const lookIn = (ms: number): void => {
    if (isStopped) return;
    if (timer !== null) clearTimeout(timer);
    timer = setTimeout(() => {
      timer = null;
      void inTurn(look).catch(() => {});
    }, ms).unref();
  };

  /** Rejects as the database does, and comes again. */
  const look = async (): Promise<void> => {
    if (isStopped) return;
    let nextMs = retryMs;
    try {
      const isNeeded = keeper.wanted.length > 0 || (await changeStore.hasHandlers(db));
      if (!isNeeded && !isReading) {
        nextMs = Number.POSITIVE_INFINITY;
        return;
      }
      await keeper.write();
      if (await keeper.publish()) nextMs = settings.functionsForgetHandlersMs / renewalsPerForget;
      if (!isReading) {
        isReading = true;
        log.followDurably(new ChangeReader({ ...needs, onMissed }));
        await enrolled();
      }
    } finally {
      if (nextMs !== Number.POSITIVE_INFINITY) lookIn(nextMs);
    }
  };

  /** For the first time in this database the reader begins at whatever place the log has come to: what commits before is not for it. */
  const enrolled = async (): Promise<void> => {
    if ((await changeStore.walLevel(db)) !== "logical") return;
    const untilMs = performance.now() + enrolMs;
    while (!isStopped && performance.now() < untilMs && !(await changeStore.isEnrolled(db))) await sleep(enrolLookMs);
  };

  /** What is new among what authors should know. */
  const tell = async (): Promise<readonly HandlerTrouble[]> => {
    const troubles = await keeper.troubles();
    const fresh = troubles.filter(({ handler, message }) => !told.has(`${handler} ${message}`));
    told = new Set(troubles.map(({ handler, message }) => `${handler} ${message}`));
    return fresh;
  };

  const lookAgain = (): void => {
    if (isStopped) return;
    if (timer !== null) clearTimeout(timer);
    timer = setTimeout(() => {
      timer = null;
      const work = async () => {
        await look();
        for (const { handler, message, hint } of await tell()) {
          const words = hint === null ? message : `${message} ${hint}`;
          observe({ kind: "warning", area: "functions", message: `${handler}: ${words}` });
        }
      };
      void inTurn(work).catch(() => {});
    }, settleMs).unref();
  };

  return {
    apply: (handlers) =>
      inTurn(async () => {
        keeper.put(handlers);
        told = new Set();
        try {
          await look();
          return await tell();
        } catch (error) {
          const message = `Changes cannot be followed yet: ${reasonOf(error)}`;
          return handlers.map(({ name }) => ({ handler: name, severity: "warning", message, hint: null }) as const);
        }
      }),
    async start() {
      // What another node's functions want is read here, too, when this node reads.
      stopListening = await db.listen([handlersNews, "mainstay_catalog"], lookAgain);
      await inTurn(look).catch(() => {});
    },
    async stop() {
      isStopped = true;
      if (timer !== null) clearTimeout(timer);
      await stopListening?.();
      await turn;
    },
  };
}

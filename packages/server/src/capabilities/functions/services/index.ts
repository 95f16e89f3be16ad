import type { Principal } from "../../../kernel/principal.ts";
import type { Values } from "../../../kernel/settings.ts";
import type { Jobs } from "../../../platform/jobs/types.ts";
import { createGuard } from "../../../platform/outbound/index.ts";
import type { Database } from "../../../platform/postgres/database.ts";
import { openGuests } from "../../../platform/postgres/guest/index.ts";
import type { ConnectionTarget, Statement } from "../../../platform/postgres/session/index.ts";
import type { OutgoingMails } from "../ports.ts";
import type { functionsSettings } from "../settings.ts";
import type { Invocation, Services } from "../types.ts";
import { createHttpClient } from "./http-client/index.ts";
import { jobServices } from "./jobs.ts";
import { mailServices } from "./mail/index.ts";
import { createTransactions, type Transactions } from "./transactions.ts";

export interface ServicesNeeds {
  readonly db: Database;
  readonly jobs: Jobs;
  /** The way out of mails. */
  readonly mails: OutgoingMails;
  /** The API's login. */
  readonly login: ConnectionTarget;
  /** What the API sets ahead of statements that run as somebody. */
  readonly contextOf: (who: Principal) => readonly Statement[];
  /** Whom `ctx.admin` acts for. */
  readonly service: Principal;
  /** This process among those that share the database: a UUID. */
  readonly nodeId: string;
  readonly statementTimeoutMs: number;
  readonly settings: Values<typeof functionsSettings>;
}

/** What threads may ask of the server in every invocation. */
export interface FunctionServices {
  readonly services: Services;
  /** For whoever has something to commit with a transaction of an invocation. */
  readonly transactions: Pick<Transactions, "join">;
  /** The invocation is over: what it has left open is undone. */
  onOver(invocation: Invocation): void;
  close(): Promise<void>;
}

/** Longest statement of a transaction, in characters: what is longer holds values that should be parameters. */
const statementMaxLength = 1_000_000;

/** Opens nothing until it is needed. To be closed. @throws TypeError when `functionsAllowedHosts` cannot be read */
export function createServices(needs: ServicesNeeds): FunctionServices {
  const { contextOf, db, jobs, login, mails, nodeId, service, settings } = needs;
  const guests = openGuests({
    target: login,
    database: db,
    limits: {
      connections: settings.functionsTransactions,
      waitMs: settings.functionsTransactionWaitMs,
      idleMs: settings.functionsTransactionIdleMs,
      statementMs: needs.statementTimeoutMs,
      rowsBytes: settings.functionsRowsBytes,
    },
  });
  const transactions = createTransactions({
    guests,
    contextOf,
    service,
    jobs,
    eachLimit: settings.functionsTransactionsEach,
    statementMaxLength,
  });
  const http = createHttpClient({ db, guard: createGuard(settings.functionsAllowedHosts), nodeId, settings });
  return {
    services: {
      ...jobServices({ db, jobs }),
      ...transactions.services,
      ...mailServices({ db, mails, transactions, settings }),
      ...http.services,
    },
    transactions,
    onOver: (invocation) => transactions.ended(invocation),
    async close() {
      await Promise.all([guests.close(), http.close()]);
    },
  };
}

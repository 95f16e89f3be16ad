import { randomUUID } from "node:crypto";
import type { Principal } from "../../../kernel/principal.ts";
import type { Jobs, Json } from "../../../platform/jobs/types.ts";
import type { Queryable } from "../../../platform/postgres/database.ts";
import type { Guests, GuestTransaction } from "../../../platform/postgres/guest/index.ts";
import type { Statement } from "../../../platform/postgres/session/types.ts";
import type { Invocation, Services } from "../types.ts";
import { Arguments } from "./arguments.ts";
import { enqueue, newJobIn } from "./jobs.ts";
import { serviceProblems } from "./problems.ts";

export interface TransactionNeeds {
  readonly guests: Pick<Guests, "begin">;
  /** What is set before the first statement of whoever it is. */
  readonly contextOf: (who: Principal) => readonly Statement[];
  /** Whom `ctx.admin` acts for. */
  readonly service: Principal;
  readonly jobs: Pick<Jobs, "enqueue">;
  /** Open at once, for one invocation. */
  readonly eachLimit: number;
  /** Longest statement, in characters. */
  readonly statementMaxLength: number;
}

/** `ctx.transaction`: what an invocation has open is nobody else's, and is undone when that ends. */
export interface Transactions {
  readonly services: Services;
  /**
   * For what must commit with a transaction of this invocation, such as the end of its job: statements run as the server.
   * @throws Problem `functions/no-transaction`
   */
  join(handle: Json, invocation: Invocation): Queryable;
  /** The invocation is over, however: whatever it has left open is rolled back. */
  ended(invocation: Invocation): void;
}

/** One invocation's. */
interface Held {
  readonly byHandle: Map<string, GuestTransaction>;
  /** Those that are being opened count too. */
  count: number;
  isOver: boolean;
  stopListening(): void;
}

export function createTransactions(needs: TransactionNeeds): Transactions {
  const { contextOf, eachLimit, guests, jobs, service } = needs;
  const held = new Map<Invocation, Held>();

  function holdFor(invocation: Invocation): Held {
    const known = held.get(invocation);
    if (known !== undefined) return known;
    const { signal } = invocation;
    // Nobody waits any more: what it might still commit is not wanted, even if its code goes on for a while.
    const onAbort = () => ended(invocation);
    signal.addEventListener("abort", onAbort, { once: true });
    const made: Held = {
      byHandle: new Map(),
      count: 0,
      isOver: signal.aborted,
      stopListening: () => signal.removeEventListener("abort", onAbort),
    };
    held.set(invocation, made);
    return made;
  }

  function ended(invocation: Invocation): void {
    const open = held.get(invocation);
    if (open === undefined) return;
    held.delete(invocation);
    open.isOver = true;
    open.stopListening();
    for (const tx of open.byHandle.values()) void tx.rollback();
    open.byHandle.clear();
  }

  function find(handle: Json, invocation: Invocation): GuestTransaction {
    const tx = typeof handle === "string" ? held.get(invocation)?.byHandle.get(handle) : undefined;
    if (tx === undefined) throw serviceProblems.noTransaction();
    return tx;
  }

  async function begin(invocation: Invocation, as: "caller" | "admin"): Promise<string> {
    const open = holdFor(invocation);
    if (open.isOver) {
      ended(invocation);
      throw serviceProblems.noTransaction();
    }
    if (open.count >= eachLimit) throw serviceProblems.tooManyTransactions(eachLimit);
    open.count++;
    try {
      const tx = await guests.begin(contextOf(as === "admin" ? service : invocation.who));
      if (open.isOver) {
        await tx.rollback();
        throw serviceProblems.noTransaction();
      }
      const handle = randomUUID();
      open.byHandle.set(handle, tx);
      return handle;
    } catch (error) {
      open.count--;
      throw error;
    }
  }

  async function end(how: "commit" | "rollback", handle: Json, invocation: Invocation): Promise<undefined> {
    const tx = find(handle, invocation);
    const open = held.get(invocation)!;
    open.byHandle.delete(handle as string);
    try {
      await tx[how]();
    } finally {
      // A commit that has failed leaves nothing open; one whose fate is unknown has lost its connection.
      await tx.rollback();
      open.count--;
      if (open.count === 0) ended(invocation);
    }
    return undefined;
  }

  return {
    services: {
      "tx.begin": async (args, invocation) => {
        const [as] = args;
        if (as !== "caller" && as !== "admin") {
          throw serviceProblems.invalidArgument("tx.begin", 'it is either as "caller" or as "admin"');
        }
        return begin(invocation, as);
      },
      "tx.query": async (args, invocation) => {
        const tx = find(args[0]!, invocation);
        const given = new Arguments("tx.query", args);
        return await tx.query(given.text(1, "the statement", needs.statementMaxLength), given.parameters(2));
      },
      "tx.enqueue": async (args, invocation) =>
        enqueue(jobs, find(args[0]!, invocation).server, newJobIn("tx.enqueue", args, 1), invocation),
      "tx.commit": async ([handle = null], invocation) => end("commit", handle, invocation),
      "tx.rollback": async ([handle = null], invocation) => {
        // The thread rolls back whatever has failed, also what could not be committed.
        if (typeof handle !== "string" || !held.get(invocation)?.byHandle.has(handle)) return undefined;
        return end("rollback", handle, invocation);
      },
    },
    join: (handle, invocation) => find(handle, invocation).server,
    ended,
  };
}

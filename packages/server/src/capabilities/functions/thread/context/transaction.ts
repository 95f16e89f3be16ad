import type { Transaction } from "@mainstay/functions";
import type { Json } from "../../../../platform/jobs/types.ts";
import type { Wire } from "../wire.ts";
import { enqueueArguments } from "./jobs.ts";
import { createMails } from "./mail.ts";
import { parameterOf } from "./parameters.ts";

export interface OpenTransaction {
  readonly handle: Json;
  readonly tx: Transaction;
}

/**
 * Runs `work` in a transaction of its own, and `ending` as its last before it commits. Rolls back when either throws; a statement that nobody
 * waited for is refused from then on, rather than done in the next transaction.
 */
export async function inTransaction<T>(
  wire: Wire,
  as: "caller" | "admin",
  work: (tx: Transaction) => Promise<T>,
  ending?: (handle: Json, value: T) => Promise<unknown>,
): Promise<T> {
  const handle = (await wire.call("tx.begin", [as])) as Json;
  const open = { isOver: false };
  try {
    const value = await work(createTransaction(wire, handle, open));
    open.isOver = true;
    await ending?.(handle, value);
    await wire.call("tx.commit", [handle]);
    return value;
  } catch (error) {
    open.isOver = true;
    // What has failed is told, and not that there was nothing left to undo.
    await wire.call("tx.rollback", [handle]).catch(() => {});
    throw error;
  }
}

function createTransaction(wire: Wire, handle: Json, open: { readonly isOver: boolean }): Transaction {
  const ask = async (service: string, args: readonly Json[]): Promise<Json | undefined> => {
    if (open.isOver) throw new Error("This transaction is over: wait for every statement (`await`) before its end.");
    return await wire.call(service, [handle, ...args]);
  };
  return {
    async sql<Row>(text: TemplateStringsArray, ...values: readonly unknown[]): Promise<Row[]> {
      if (!Array.isArray(text) || !Array.isArray(text.raw)) {
        throw new TypeError(
          "tx.sql is a tag: it stands before a template, without parentheses, so that values are parameters and never text.",
        );
      }
      const statement = text.reduce((sum, part, at) => `${sum}$${at}${part}`);
      return (await ask("tx.query", [statement, values.map(parameterOf)])) as Row[];
    },
    jobs: {
      async enqueue(name, payload, options) {
        return (await ask("tx.enqueue", enqueueArguments(name, payload, options))) as { id: string; isNew: boolean };
      },
    },
    mail: createMails((mail) => ask("tx.mail", [mail])),
  };
}

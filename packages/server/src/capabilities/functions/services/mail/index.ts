import type { Values } from "../../../../kernel/settings.ts";
import type { Json } from "../../../../platform/jobs/types.ts";
import type { Queryable } from "../../../../platform/postgres/database.ts";
import type { OutgoingMails } from "../../ports.ts";
import type { Services } from "../../types.ts";
import type { Transactions } from "../transactions.ts";
import { Allowance } from "./allowance.ts";
import { mailProblems } from "./problems.ts";
import { readMail } from "./read-mail.ts";
import type { mailSettings } from "./settings.ts";

/** `ctx.mail` and `tx.mail`. A mail is refused before it is kept, or it leaves: nothing is lost in between without a word. */
export function mailServices(needs: {
  readonly db: Queryable;
  readonly mails: OutgoingMails;
  readonly transactions: Pick<Transactions, "join">;
  readonly settings: Values<typeof mailSettings>;
}): Services {
  const { db, mails, transactions } = needs;
  const { functionsMailBytes, functionsMailsPerMinute } = needs.settings;
  const allowance = new Allowance(functionsMailsPerMinute, () => performance.now());

  const put = async (service: string, tx: Queryable, args: readonly Json[]): Promise<Json> => {
    const mail = readMail(service, args, functionsMailBytes);
    if (!mails.canLeave) throw mailProblems.noMailServer();
    if (!allowance.spend()) throw mailProblems.tooMany(functionsMailsPerMinute);
    return { id: await mails.put(tx, mail) };
  };
  return {
    "mail.send": (args) => put("mail.send", db, args),
    "tx.mail": async ([handle = null, ...args], invocation) =>
      put("tx.mail", transactions.join(handle, invocation), args),
  };
}

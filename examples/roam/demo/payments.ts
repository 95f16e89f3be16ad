import { createHmac, randomUUID } from "node:crypto";
import type { Server } from "./server.ts";

/** The payment provider: tells Roam of money, as Stripe does. */
export interface Payments {
  /** Says that `amountCents` were paid for a booking. The same `event` again is the same money. @returns the status it is answered with */
  tell(booking: number, amountCents: number, event?: string): Promise<number>;
}

/** @param secret what it shares with Roam */
export function openPayments({ url }: Pick<Server, "url">, secret: string): Payments {
  return {
    async tell(booking, amountCents, event = `evt_${randomUUID()}`) {
      const session = { client_reference_id: `${booking}`, amount_total: amountCents };
      const body = JSON.stringify({ id: event, type: "checkout.session.completed", data: { object: session } });
      const time = Math.floor(Date.now() / 1_000);
      // https://docs.stripe.com/webhooks#verify-manually
      const signature = createHmac("sha256", secret).update(`${time}.${body}`).digest("hex");
      const answer = await fetch(new URL("/functions/v1/pay", url), {
        method: "POST",
        headers: { "Content-Type": "application/json", "Stripe-Signature": `t=${time},v1=${signature}` },
        body,
      });
      await answer.body?.cancel();
      return answer.status;
    },
  };
}

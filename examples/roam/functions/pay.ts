import { type Json, webhook } from "@mainstay/functions";

interface Payment {
  readonly booking: number;
  readonly amountCents: number;
}

/**
 * Where the payment provider tells of money, at `/functions/v1/pay`. Whatever reaches this handler has been signed by it and comes once by its id; what it
 * changes commits with the end of the job, so that once is once.
 */
webhook({ provider: "stripe", secret: "ROAM_PAYMENT_SECRET" }, async (event, ctx) => {
  if (event.type !== "checkout.session.completed") return;
  const payment = paymentIn(event.body);
  if (payment === null) throw new TypeError(`The event ${event.id} names no booking of ours.`);
  const { booking, amountCents } = payment;
  const outcome = await ctx.complete(async (tx) => {
    const [settled] = await tx.sql`
      update public.bookings set payment = 'paid'
      where id = ${booking} and payment = 'due' and price_cents = ${amountCents} returning id`;
    const outcome = settled === undefined ? "to refund" : "settled";
    await tx.sql`
      insert into public.payments (event_id, booking_id, amount_cents, outcome)
      values (${event.id}, ${booking}, ${amountCents}, ${outcome})`;
    // In the same transaction: who waits for it is told of nothing that was undone.
    if (settled !== undefined) {
      await tx.sql`select mainstay.send_event('booking-paid', ${{ amountCents }}::jsonb, ${`${booking}`})`;
    }
    return outcome;
  });
  if (outcome === "to refund") ctx.log.warn("money that is not ours", { event: event.id, booking, amountCents });
});

/** The provider's words: https://docs.stripe.com/api/checkout/sessions/object */
function paymentIn(body: Json): Payment | null {
  const session = (body as { data?: { object?: { client_reference_id?: Json; amount_total?: Json } } }).data?.object;
  const [booking, amountCents] = [Number(session?.client_reference_id), session?.amount_total];
  const isWhole = Number.isSafeInteger(booking) && booking > 0;
  return isWhole && typeof amountCents === "number" ? { booking, amountCents } : null;
}

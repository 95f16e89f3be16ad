import { job, on } from "@mainstay/functions";
import { addressOf, findBooking, inEuros, inWords, nameOf } from "./_shared/bookings.ts";

/** A booking was committed, however it came about. Its mail and its payment begin in the transaction that ends this: once each. */
on("bookings", "insert", { name: "booking-made" }, async ({ row }, ctx) => {
  const booking = Number(row.id);
  await ctx.complete(async (tx) => {
    await tx.jobs.enqueue("confirm-booking", { booking }, { key: `${booking}` });
    if (row.payment === "due") await tx.jobs.enqueue("collect-payment", { booking }, { key: `${booking}` });
  });
});

/** The confirmation. The mail is kept by the transaction that ends the job, so that however often this runs one leaves. */
job("confirm-booking", { maxAttempts: 8 }, async ({ booking: id }: { booking: number }, ctx) => {
  const booking = await findBooking(ctx, id);
  const to = booking && (await addressOf(ctx, booking.guest_id));
  // Cancelled already, or by somebody who has left no address.
  if (!booking || !to) return { sent: false };
  const { slot } = booking;
  const lines = [
    `You have booked "${slot.title}" in ${slot.place.name} with ${nameOf(slot.host)}: ${inWords(slot.starts_at)}, Lisbon time.`,
    ...(booking.payment === "due" ? [`Please pay ${inEuros(booking.price_cents)} to keep your place.`] : []),
    "See you there!",
  ];
  await ctx.complete(async (tx) => {
    await tx.mail.send({ to, subject: `Booked: ${slot.title}`, text: lines.join("\n\n") });
    return { sent: true };
  });
});

/** Paid: said once, by whoever changed it. */
on(
  "bookings",
  "update",
  { name: "booking-paid", filter: "payment=eq.paid", columns: ["payment"] },
  async ({ row }, ctx) => {
    const booking = await findBooking(ctx, Number(row.id));
    const to = booking && (await addressOf(ctx, booking.guest_id));
    if (!booking || !to) return;
    await ctx.complete((tx) =>
      tx.mail.send({
        to,
        subject: `Paid: ${booking.slot.title}`,
        text: `We have your ${inEuros(booking.price_cents)}. Your place is yours.`,
      }),
    );
  },
);

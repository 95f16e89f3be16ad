import { job, type Mail } from "@mainstay/functions";
import { addressOf, type Booking, findBooking, inEuros } from "./_shared/bookings.ts";

interface Terms {
  readonly halfMs: number;
  readonly reminder: Mail | null;
  readonly goodbye: Mail | null;
}

/**
 * Waits for the money: half of the time in silence, the rest after a reminder; then the slot is free again. It may take a week and a dozen
 * deployments. Nothing is held meanwhile.
 */
job("collect-payment", async ({ booking }: { booking: number }, ctx) => {
  const terms = await ctx.step("terms", async (): Promise<Terms | null> => {
    const found = await findBooking(ctx, booking);
    // Whoever pays at once may have paid before this job was there: a wait knows only of what was told since.
    if (found?.payment !== "due") return null;
    return termsOf(found, await addressOf(ctx, found.guest_id));
  });
  if (terms === null) return { outcome: "paid at once, or cancelled by the guest" };
  const { halfMs, reminder, goodbye } = terms;
  const key = `${booking}`;
  if (await ctx.waitForEvent("booking-paid", { key, timeout: halfMs })) return { outcome: "paid" };

  const isDue = await ctx.stepInTransaction("remind", async (tx) => {
    const [due] = await tx.sql`select from public.bookings where id = ${booking} and payment = 'due'`;
    if (due !== undefined && reminder !== null) await tx.mail.send(reminder);
    return due !== undefined;
  });
  if (!isDue) return { outcome: "cancelled by the guest, or paid at the last moment" };
  if (await ctx.waitForEvent("booking-paid", { key, timeout: halfMs, step: "after the reminder" })) {
    return { outcome: "paid after a reminder" };
  }

  // The condition decides between this and a payment at the same moment: one of them finds the row as it wants it.
  const isGone = await ctx.stepInTransaction("cancel", async (tx) => {
    const [gone] = await tx.sql`delete from public.bookings where id = ${booking} and payment = 'due' returning id`;
    if (gone !== undefined && goodbye !== null) await tx.mail.send(goodbye);
    return gone !== undefined;
  });
  return { outcome: isGone ? "cancelled, not paid" : "paid at the last moment" };
});

function termsOf({ price_cents, slot }: Booking, to: string | null): Terms {
  const mail = (subject: string, text: string): Mail | null =>
    to === null ? null : { to, subject: `${subject}: ${slot.title}`, text };
  return {
    halfMs: slot.pay_within_s * 500,
    reminder: mail("Still to pay", `${inEuros(price_cents)} are due. Others are waiting for this place.`),
    goodbye: mail("Released", "It was not paid in time, so somebody else may book it now. You owe nothing."),
  };
}

import { serve } from "@mainstay/functions";

interface Trip {
  readonly id: number;
  readonly guest_id: string;
  readonly price_cents: number;
  readonly payment: "none" | "due" | "paid";
  readonly slot: { readonly title: string; readonly starts_at: string; readonly place: { readonly name: string } };
}

/**
 * `GET /functions/v1/trips`: what the caller is going to do, and whom the caller is going to meet. Nothing here says whose bookings to read: `ctx.db` is the
 * caller, and the policies of `bookings` show theirs and those of their slots.
 */
serve(async (_request, ctx) => {
  const { user } = ctx;
  if (user === null) return Response.json({ message: "Sign in first." }, { status: 401 });
  const { data: seen } = await ctx.db
    .from("bookings")
    .select("id, guest_id, price_cents, payment, slot:slots!inner(title, starts_at, place:places(name))")
    .gte("slot.starts_at", new Date().toISOString())
    .overrideTypes<Trip[], { merge: false }>()
    .throwOnError();
  const trips = seen.toSorted((a, b) => a.slot.starts_at.localeCompare(b.slot.starts_at));
  const own = trips.filter(({ guest_id }) => guest_id === user.id);
  return Response.json({
    going: own.map(shown),
    hosting: trips.filter(({ guest_id }) => guest_id !== user.id).map(shown),
    dueCents: own.reduce((sum, { payment, price_cents }) => sum + (payment === "due" ? price_cents : 0), 0),
  });
});

const shown = ({ id, payment, slot }: Trip) => ({
  id,
  title: slot.title,
  place: slot.place.name,
  startsAt: slot.starts_at,
  payment,
});

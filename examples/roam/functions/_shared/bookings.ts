import type { Context } from "@mainstay/functions";

/** A booking with what mails say of it. */
export interface Booking {
  readonly id: number;
  readonly guest_id: string;
  readonly price_cents: number;
  readonly payment: "none" | "due" | "paid";
  readonly slot: {
    readonly title: string;
    readonly starts_at: string;
    readonly pay_within_s: number;
    readonly place: { readonly name: string };
    readonly host: { readonly username: string; readonly display_name: string | null };
  };
}

/** `null` when it has been cancelled. */
export async function findBooking(ctx: Pick<Context, "admin">, id: number): Promise<Booking | null> {
  const { data } = await ctx.admin
    .from("bookings")
    .select(
      `id, guest_id, price_cents, payment,
       slot:slots(title, starts_at, pay_within_s, place:places(name), host:profiles(username, display_name))`,
    )
    .eq("id", id)
    .maybeSingle<Booking>()
    .throwOnError();
  return data;
}

/** Where a person's mails go; `null` for those who have no account any more, or have not said. */
export async function addressOf(ctx: Pick<Context, "admin">, person: string): Promise<string | null> {
  const { data, error } = await ctx.admin.auth.admin.getUserById(person);
  if (error?.status === 404) return null;
  if (error !== null) throw error;
  return data.user.email || null;
}

export const nameOf = ({ display_name, username }: Booking["slot"]["host"]): string => display_name ?? username;

const euros = new Intl.NumberFormat("en", { style: "currency", currency: "EUR" });
export const inEuros = (cents: number): string => euros.format(cents / 100);

const when = new Intl.DateTimeFormat("en-GB", { dateStyle: "full", timeStyle: "short", timeZone: "Europe/Lisbon" });
/** As people on the spot would say it. */
export const inWords = (time: string | Date): string => when.format(new Date(time));

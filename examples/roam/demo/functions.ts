import { randomUUID } from "node:crypto";
import type { SupabaseClient } from "@supabase/supabase-js";
import type { Person } from "./accounts.ts";
import type { Inbox } from "./inbox.ts";
import { openPayments, type Payments } from "./payments.ts";
import { check, tell } from "./say.ts";
import type { Secrets } from "./secrets.ts";
import type { Server } from "./server.ts";
import { until } from "./wait.ts";
import { findWeather, type Weather } from "./weather.ts";

const lisbon = 2267057;
const day = 86_400_000;

/** What the app's own code does: `functions/`. */
export async function useFunctions(
  server: Pick<Server, "url">,
  inbox: Inbox,
  { paymentSecret, weatherUrl }: Secrets,
  [nora, omar]: readonly [nora: Person, omar: Person],
): Promise<void> {
  const weather = await findWeather(weatherUrl);
  try {
    await weather.setMood("fine");
    const payments = openPayments(server, paymentSecret);
    const forged = openPayments(server, "whsec_guessed");
    await untilReady(forged, omar.roam);
    const slot = await offer(nora, "Dinner on the river", { price_cents: 2_500 });
    await importedWeather(omar.roam, nora.name);
    await payOnce(omar, slot, { payments, forged, inbox });
    await letItLapse(nora, omar, inbox);
    await seeTrips(nora, omar);
    await planDays(omar);
    await askThroughTheFault(omar, weather);
  } finally {
    await weather.setMood("fine").catch(() => {});
    await weather.stop();
  }
}

/** A server in development has been given the secrets a moment ago, and loads its functions anew. */
async function untilReady(forged: Payments, anyone: SupabaseClient): Promise<void> {
  await until("the webhook for payments", async () => (await forged.tell(0, 0)) !== 503);
  await until("the weather service", async () => {
    const { error } = await anyone.functions.invoke(`weather?place=${lisbon}`, { method: "GET" });
    return error === null;
  });
}

async function offer(host: Person, title: string, more: { price_cents: number; pay_within_s?: number }) {
  // Nobody is at two places at once: each at a time of its own.
  const startsAt = Date.now() + (more.pay_within_s === undefined ? 3 : 5) * day;
  const { data } = await host.roam
    .from("slots")
    .insert({
      place_id: lisbon,
      title,
      starts_at: new Date(startsAt).toISOString(),
      ends_at: new Date(startsAt + 7_200_000).toISOString(),
      ...more,
    })
    .select("id")
    .single<{ id: number }>()
    .throwOnError();
  return data.id;
}

async function book({ roam }: Person, slot_id: number): Promise<number> {
  const { data } = await roam.from("bookings").insert({ slot_id }).select("id").single<{ id: number }>().throwOnError();
  return data.id;
}

async function addressOf({ roam }: Person): Promise<string> {
  const { data } = await roam.auth.getUser();
  return data.user?.email ?? "";
}

async function importedWeather(roam: SupabaseClient, host: string): Promise<void> {
  const now = await until("the weather", async () => {
    const { data } = await roam.from("weather").select("sky, temperature_c").eq("place_id", lisbon).throwOnError();
    return data[0];
  });
  tell(
    `${host} offers a dinner for 25 euros; a job has fetched the weather there: ${now.sky}, ${now.temperature_c} °C.`,
  );
}

async function payOnce(
  guest: Person,
  slot: number,
  { payments, forged, inbox }: { payments: Payments; forged: Payments; inbox: Inbox },
): Promise<void> {
  const to = await addressOf(guest);
  const booking = await book(guest, slot);
  const mail = await until("the confirmation", () => inbox.mailFor(to, "Booked: Dinner on the river"));
  check(mail.includes("€25.00"), `the confirmation should say what is due, not: ${mail}`);
  tell(`${guest.name} books, and is written to: "${mail.split("\n")[0]}"`);

  const guessed = await forged.tell(booking, 2_500);
  check(guessed === 401, `a payment that nobody signed should be refused with 401, not ${guessed}`);
  const event = `evt_${randomUUID()}`;
  for (let times = 0; times < 3; times++) {
    const status = await payments.tell(booking, 2_500, event);
    check(status === 200, `the payment provider should be answered with 200, not ${status}`);
  }
  await until("the receipt", () => inbox.mailFor(to, "Paid: Dinner on the river"));
  const { data: paid } = await guest.roam.from("bookings").select("payment").eq("id", booking).single().throwOnError();
  const { data: money } = await guest.roam.from("payments").select("outcome").eq("booking_id", booking).throwOnError();
  check(paid.payment === "paid" && money.length === 1, `one payment should settle it, not ${money.length}`);
  tell(
    "The payment provider says three times that he has paid; it counts once. Somebody without its secret is refused.",
  );
}

/** Two seconds here, a day in the app: nothing is held while it waits. */
async function letItLapse(host: Person, guest: Person, inbox: Inbox): Promise<void> {
  const slot = await offer(host, "Fado", { price_cents: 1_200, pay_within_s: 2 });
  const booking = await book(guest, slot);
  const to = await addressOf(guest);
  await until("the reminder", () => inbox.mailFor(to, "Still to pay: Fado"));
  await until("the end of it", () => inbox.mailFor(to, "Released: Fado"));
  const { data: left } = await guest.roam.from("bookings").select("id").eq("id", booking).throwOnError();
  const { data: free } = await guest.roam.from("slots").select("is_booked").eq("id", slot).single().throwOnError();
  check(left.length === 0 && free.is_booked === false, "what nobody pays should be free again");
  tell(`He books another and does not pay: he is reminded, and then the place is free again.`);
}

async function seeTrips(host: Person, guest: Person): Promise<void> {
  interface Trips {
    readonly going: readonly { readonly title: string }[];
    readonly hosting: readonly { readonly title: string }[];
  }
  const ask = async ({ roam }: Person): Promise<Trips> => {
    const { data, error } = await roam.functions.invoke<Trips>("trips", { method: "GET" });
    if (error !== null) throw error;
    return data as Trips;
  };
  const [hers, his] = await Promise.all([ask(host), ask(guest)]);
  const has = (list: Trips["going"]) => list.some(({ title }) => title === "Dinner on the river");
  check(has(his.going) && has(hers.hosting) && !has(hers.going), "each should see their own side of the dinner");
  tell(`One endpoint, with the rights of whoever calls: ${guest.name} is going to dinner, ${host.name} has a guest.`);
}

async function planDays({ roam }: Person): Promise<void> {
  const query = new URLSearchParams({ lat: "38.7167", lng: "-9.1333", days: "2" });
  const { data, error } = await roam.functions.invoke<Response>(`itinerary?${query}`, { method: "GET" });
  if (error !== null || data === null) throw error ?? new Error("there should be an itinerary");
  const days: string[] = [];
  let text = "";
  for await (const chunk of data.body!.pipeThrough(new TextDecoderStream())) {
    text += chunk;
    const events = text.split("\n\n");
    text = events.pop() ?? "";
    for (const event of events) {
      const json = /^event: day\ndata: (.*)$/.exec(event)?.[1];
      if (json === undefined) continue;
      const { day, places } = JSON.parse(json) as { day: number; places: readonly { name: string }[] };
      days.push(`day ${day} ${places.map(({ name }) => name).join(", ")}`);
    }
  }
  check(days.length === 2, `two days should be planned, not ${days.length}`);
  tell(`A plan comes day by day, while it is made: ${days.join("; ")}.`);
}

async function askThroughTheFault({ roam }: Person, weather: Weather): Promise<void> {
  const ask = async () => {
    const { data, error } = await roam.functions.invoke<{ sky: string; source: string }>(`weather?place=${lisbon}`, {
      method: "GET",
    });
    if (error !== null || data === null) throw error ?? new Error("there should be weather");
    return data;
  };
  const before = await ask();
  await weather.setMood("failing");
  const after = await ask();
  check(
    after.sky === before.sky && after.source !== "network",
    "weather that is known should be there without its service",
  );
  tell(`The weather service breaks; whoever asks still gets "${after.sky}".`);
}

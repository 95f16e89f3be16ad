import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { openPayments } from "./demo/payments.ts";
import { lisbon, openRoam, type Person, type Roam } from "./testing.ts";

let app: Roam;
let host: Person;
beforeAll(async () => {
  app = await openRoam({
    // Every look is one too late for the cache.
    env: { ROAM_WEATHER_FRESH_MS: "1" },
    sql: `insert into places (id, name, country_code, feature_code, lat, lng, population) values
      (${lisbon}, 'Lisbon', 'PT', 'PPLC', 38.7, -9.1, 500000), (2735943, 'Porto', 'PT', 'PPLA', 41.1, -8.6, 240000),
      (2267095, 'Sintra', 'PT', 'PPLA2', 38.8, -9.4, 30000), (2269041, 'Cascais', 'PT', 'PPLA2', 38.7, -9.4, 35000);`,
  });
  host = await app.newcomer();
});
afterAll(() => app?.stop());
beforeEach(() => {
  app.weather.mood = "fine";
});

const poll = <T>(of: () => T) => expect.poll(of, { interval: 25 });
const [day, hour] = [86_400_000, 3_600_000];
let hours = 0;

/** One of the host's, at an hour of its own. */
async function offer(more: Record<string, unknown> = {}): Promise<number> {
  const startsAt = Date.now() + 30 * day + ++hours * hour;
  const { data } = await host.roam
    .from("slots")
    .insert({
      place_id: lisbon,
      title: `Walk ${hours}`,
      starts_at: new Date(startsAt).toISOString(),
      ends_at: new Date(startsAt + hour).toISOString(),
      ...more,
    })
    .select("id")
    .single<{ id: number }>()
    .throwOnError();
  return data.id;
}

async function book(guest: Person, slot_id: number, more: Record<string, unknown> = {}): Promise<number> {
  const { data } = await guest.roam
    .from("bookings")
    .insert({ slot_id, ...more })
    .select("id")
    .single<{ id: number }>()
    .throwOnError();
  return data.id;
}

/** Newest last. */
async function mailsTo({ email }: Person): Promise<{ subject: string; text: string }[]> {
  const answer = await fetch(`${app.url}/inbox/api/messages?to=${encodeURIComponent(email)}`);
  const { messages } = (await answer.json()) as { messages: { subject: string; text: string }[] };
  return messages.toReversed().map(({ subject, text }) => ({ subject, text }));
}
const subjects = async (person: Person) => (await mailsTo(person)).map(({ subject }) => subject);
const jobs = (name: string, key: string) =>
  app.sql<{ state: number; result: unknown }>("select state, result from mainstay.jobs where name = $1 and key = $2", [
    name,
    key,
  ]);
const done = 4;
const paymentOf = async (booking: number) =>
  (await app.sql<{ payment: string }>("select payment from bookings where id = $1", [booking]))[0]?.payment;
const paymentsFor = (booking: number) =>
  app.sql("select event_id, amount_cents, outcome from payments where booking_id = $1 order by received_at", [booking]);

describe("a booking", () => {
  it("is confirmed by one mail, which says where and when", async () => {
    const guest = await app.newcomer();
    await app.sql("update profiles set display_name = 'Ada <script>' where id = $1", [host.id]);
    const booking = await book(guest, await offer({ title: "Tram 28" }));
    await poll(() => jobs("confirm-booking", `${booking}`)).toEqual([{ state: done, result: { sent: true } }]);
    await poll(() => mailsTo(guest)).toEqual([
      {
        subject: "Booked: Tram 28",
        text: expect.stringMatching(
          /^You have booked "Tram 28" in Lisbon with Ada <script>: .* Lisbon time\.\n\nSee you there!$/,
        ),
      },
    ]);
    expect(await jobs("collect-payment", `${booking}`)).toEqual([]);
  });

  it("of somebody without an address is confirmed to nobody", async () => {
    const roam = app.anonymous();
    const { data } = await roam.auth.signInAnonymously();
    const booking = await book({ id: data.user!.id, email: "", roam }, await offer());
    await poll(() => jobs("confirm-booking", `${booking}`)).toEqual([{ state: done, result: { sent: false } }]);
  });

  it("costs what its slot costs, and is paid by nobody's word but the provider's", async () => {
    const guest = await app.newcomer();
    const booking = await book(guest, await offer({ price_cents: 2_500 }), { price_cents: 1, payment: "paid" });
    const read = () => guest.roam.from("bookings").select("price_cents, payment").eq("id", booking).single();
    expect((await read()).data).toEqual({ price_cents: 2_500, payment: "due" });
    await guest.roam.from("bookings").update({ payment: "paid" }).eq("id", booking);
    expect((await read()).data).toEqual({ price_cents: 2_500, payment: "due" });
    const forged = await guest.roam
      .from("payments")
      .insert({ event_id: "evt_mine", booking_id: booking, amount_cents: 2_500, outcome: "settled" });
    expect(forged.error?.code).toBe("42501");
  });
});

describe("a payment", () => {
  const payments = () => openPayments(app, app.paymentSecret);

  it("settles its booking exactly once, however often it is told", async () => {
    const [guest, stranger] = [await app.newcomer(), await app.newcomer()];
    const booking = await book(guest, await offer({ price_cents: 2_500 }));
    const told = await Promise.all(Array.from({ length: 10 }, () => payments().tell(booking, 2_500, "evt_once")));
    expect(new Set(told)).toEqual(new Set([200]));
    // Before its workflow began, or while that waits: both are in time.
    await poll(() => jobs("collect-payment", `${booking}`)).toEqual([
      { state: done, result: { outcome: expect.stringMatching(/^paid/) } },
    ]);
    expect(await paymentOf(booking)).toBe("paid");
    await poll(() => subjects(guest)).toEqual(
      expect.arrayContaining([expect.stringMatching(/^Booked/), expect.stringMatching(/^Paid/)]),
    );
    expect(await payments().tell(booking, 2_500, "evt_once")).toBe(200);
    // Another event is other money, and the booking has no use for it.
    expect(await payments().tell(booking, 2_500, "evt_again")).toBe(200);
    await poll(() => paymentsFor(booking)).toEqual([
      { event_id: "evt_once", amount_cents: 2_500, outcome: "settled" },
      { event_id: "evt_again", amount_cents: 2_500, outcome: "to refund" },
    ]);
    expect(await subjects(guest)).toHaveLength(2);
    const seen = ({ roam }: Person) => roam.from("payments").select("event_id").throwOnError();
    expect([(await seen(guest)).data.length, (await seen(stranger)).data]).toEqual([2, []]);
  });

  it("of another amount settles nothing, and one that nobody has signed is not looked at", async () => {
    const guest = await app.newcomer();
    const booking = await book(guest, await offer({ price_cents: 2_500 }));
    expect(await openPayments(app, "whsec_guessed").tell(booking, 2_500, "evt_forged")).toBe(401);
    expect(await payments().tell(booking, 1, "evt_cent")).toBe(200);
    await poll(() => paymentsFor(booking)).toEqual([{ event_id: "evt_cent", amount_cents: 1, outcome: "to refund" }]);
    expect(await paymentOf(booking)).toBe("due");
  });

  it("that does not come is asked for once, and then the place is free again", async () => {
    const guest = await app.newcomer();
    const slot = await offer({ price_cents: 900, pay_within_s: 1 });
    const booking = await book(guest, slot);
    await poll(() => jobs("collect-payment", `${booking}`)).toEqual([
      { state: done, result: { outcome: "cancelled, not paid" } },
    ]);
    await poll(async () => (await subjects(guest)).map((subject) => subject.split(":")[0]).toSorted()).toEqual([
      "Booked",
      "Released",
      "Still to pay",
    ]);
    expect(await app.sql("select is_booked from slots where id = $1", [slot])).toEqual([{ is_booked: false }]);
    // What comes after all is written down, to be given back.
    expect(await payments().tell(booking, 900, "evt_late")).toBe(200);
    await poll(() => paymentsFor(booking)).toEqual([{ event_id: "evt_late", amount_cents: 900, outcome: "to refund" }]);
  });
});

describe("the digest", () => {
  it("tells each host in the evening who comes until the next, once", async () => {
    const [guest, other, idle] = [await app.newcomer(), await app.newcomer(), await app.newcomer()];
    await guest.roam.from("profiles").update({ display_name: "Gil" }).eq("id", guest.id).throwOnError();
    const due = new Date(Date.now() + 60 * day);
    const at = (afterMs: number) => ({
      starts_at: new Date(due.getTime() + afterMs).toISOString(),
      ends_at: new Date(due.getTime() + afterMs + hour).toISOString(),
    });
    const slots = [
      await offer({ title: "Early", ...at(2 * hour) }),
      await offer({ title: "Late", ...at(20 * hour) }),
      await offer({ title: "Too late", ...at(25 * hour) }),
    ];
    await offer({ title: "Nobody's", ...at(6 * hour) });
    for (const slot of slots) await book(guest, slot);
    const { data: own } = await other.roam
      .from("slots")
      .insert({ place_id: 2735943, title: "Port wine", ...at(3 * hour) })
      .select("id")
      .single<{ id: number }>()
      .throwOnError();
    await book(guest, own.id);
    await poll(() => app.sql("select place_id from weather where place_id = 2735943")).toHaveLength(1);
    const run = () =>
      app.sql("select mainstay.enqueue('mainstay.cron/digest', jsonb_build_object('scheduledAt', $1::text))", [
        due.toISOString(),
      ]);
    await run();
    const hasDigest = async (person: Person) => (await mailsTo(person)).filter(({ subject }) => /guest/.test(subject));
    await poll(() => hasDigest(host)).toEqual([
      {
        subject: "2 guests by tomorrow evening",
        text: expect.stringMatching(/^[^\n]*: Early, with Gil[^\n]*\n[^\n]*: Late, with Gil[^\n]*$/),
      },
    ]);
    await poll(() => hasDigest(other)).toEqual([
      {
        subject: "One guest by tomorrow evening",
        text: expect.stringMatching(/: Port wine, with Gil \(.*, [\d.]+ °C\)$/),
      },
    ]);
    // The same evening again: the jobs are there already, and were they not, it is written down that there was one.
    await app.sql("delete from mainstay.jobs where name = 'digest' and state = 4");
    await run();
    await poll(() =>
      app.sql("select count(*)::int as n from mainstay.jobs where name = 'digest' and state = 4"),
    ).toEqual([{ n: 2 }]);
    await poll(() => app.sql("select from mainstay.outbox")).toEqual([]);
    expect([await hasDigest(host), await hasDigest(other), await hasDigest(idle)].map(({ length }) => length)).toEqual([
      1, 1, 0,
    ]);
  });

  it("is due at seven in the evening on Lisbon's walls", async () => {
    const [schedule] = await app.sql<{ at: string }>(
      `select to_char(next_run_at at time zone 'Europe/Lisbon', 'HH24:MI') as at from mainstay.schedules where name = 'digest'`,
    );
    expect(schedule).toEqual({ at: "19:00" });
  });
});

describe("the weather", () => {
  const look = async (place: number | string = lisbon) => {
    const answer = await fetch(`${app.url}/functions/v1/weather?place=${place}`, { headers: { apikey: app.anonKey } });
    const found = (await answer.json()) as Record<string, unknown>;
    return { ...found, status: answer.status } as Record<string, unknown>;
  };

  /** From the service itself, which may be left alone for a while after it has failed. */
  const fresh = async () => {
    let found: Record<string, unknown> = {};
    await poll(async () => {
      found = await look();
      return found.source;
    }).toBe("network");
    return found;
  };

  it.each(["failing", "busy", "cut", "hanging"] as const)(
    "is known while the service is %s, and says of when",
    async (mood) => {
      const { source: _, asOf, ...before } = await fresh();
      expect(before).toMatchObject({ status: 200, place: "Lisbon", temperature_c: expect.any(Number) });
      app.weather.mood = mood;
      expect(await look()).toMatchObject({ ...before, source: "stale", asOf: expect.any(String) });
    },
    30_000,
  );

  it("that was never known is nobody's, and 503", async () => {
    app.weather.mood = "failing";
    expect(await look(2267095)).toMatchObject({ status: 503, message: "Nobody knows the weather just now." });
    expect(await look("x")).toMatchObject({ status: 400 });
    expect(await look(1)).toMatchObject({ status: 404 });
  });

  it("is imported for what is on within the week, over the faults of its service", async () => {
    await app.sql("delete from weather");
    const soon = { starts_at: new Date(Date.now() + 2 * day), ends_at: new Date(Date.now() + 2 * day + hour) };
    app.weather.mood = "failing";
    await offer({ place_id: 2269041, ...soon });
    const asked = app.weather.asked;
    await poll(() => app.weather.asked).toBeGreaterThan(asked);
    app.weather.mood = "fine";
    await poll(() => app.sql("select place_id from weather")).toEqual([{ place_id: "2269041" }]);
    await app.sql("update weather set sky = 'frogs', observed_at = '2020-01-01'");
    await app.sql("select mainstay.enqueue('mainstay.cron/weather-import', jsonb_build_object('scheduledAt', now()))");
    await poll(() => app.sql("select from weather where sky = 'frogs'")).toEqual([]);
  });
});

describe("trips", () => {
  const trips = async ({ roam }: Pick<Person, "roam">) =>
    roam.functions.invoke<{ going: { title: string }[]; hosting: { title: string }[]; dueCents: number }>("trips", {
      method: "GET",
    });

  it("are the caller's own, by the policies of bookings", async () => {
    const [guest, stranger] = [await app.newcomer(), await app.newcomer()];
    await book(guest, await offer({ title: "Mine", price_cents: 700 }));
    expect((await trips(guest)).data).toMatchObject({
      going: [{ title: "Mine", place: "Lisbon", payment: "due" }],
      hosting: [],
      dueCents: 700,
    });
    expect((await trips(stranger)).data).toEqual({ going: [], hosting: [], dueCents: 0 });
    const { data } = await trips(host);
    expect([data?.going, data?.hosting.map(({ title }) => title)]).toEqual([[], expect.arrayContaining(["Mine"])]);
    expect((await trips({ roam: app.anonymous() })).error?.context.status).toBe(401);
  });
});

describe("an itinerary", () => {
  it("comes day by day, while it is made", async () => {
    await app.sql(
      `insert into reviews (place_id, author_id, rating, body) values (${lisbon}, $1, 5, 'The light!') on conflict do nothing`,
      [host.id],
    );
    const { data } = await app.anonymous().functions.invoke<Response>("itinerary?lat=38.7&lng=-9.1&days=2", {
      method: "GET",
    });
    const text = await data!.text();
    const days = [...text.matchAll(/^event: day\ndata: (.*)$/gm)].map(([, json]) => JSON.parse(json!));
    expect(days.map(({ places }) => places.map(({ name }: { name: string }) => name))).toEqual([
      ["Lisbon", "Cascais", "Sintra"],
      [],
    ]);
    expect(days[0].places[0]).toEqual({ name: "Lisbon", km: 0, said: "The light!" });
    expect(text.endsWith("event: end\ndata: {}\n\n")).toBe(true);
  });

  it("of no point or too many days is refused", async () => {
    for (const query of ["", "?lat=91&lng=0&days=1", "?lat=0&lng=0&days=15", "?lat=0&lng=0&days=x"]) {
      const { error } = await app.anonymous().functions.invoke(`itinerary${query}`, { method: "GET" });
      expect(error?.context.status).toBe(400);
    }
  });
});

import { type Context, serve } from "@mainstay/functions";

const mostDays = 14;
const placesADay = 3;

interface Near {
  readonly id: number;
  readonly name: string;
  readonly distance_m: number;
}

/**
 * `GET /functions/v1/itinerary?lat=38.7&lng=-9.1&days=3`: a plan, day by day, as server-sent events. Each day goes out as soon as it is known, and when the reader
 * closes the page nothing more is asked of the database.
 */
serve((request, ctx) => {
  const { searchParams } = new URL(request.url);
  const [lat, lng, days] = ["lat", "lng", "days"].map((name) => Number(searchParams.get(name) ?? Number.NaN)) as [
    number,
    number,
    number,
  ];
  const isPoint = Math.abs(lat) <= 90 && Math.abs(lng) <= 180;
  if (!isPoint || !Number.isInteger(days) || days < 1 || days > mostDays) {
    return Response.json({ message: `lat, lng and 1 to ${mostDays} days, please.` }, { status: 400 });
  }
  let day = 0;
  const events = new ReadableStream<string>({
    async pull(controller) {
      if (day === days) {
        controller.enqueue("event: end\ndata: {}\n\n");
        return controller.close();
      }
      day += 1;
      const places = await placesOf(ctx, { lat, lng }, day);
      controller.enqueue(`event: day\ndata: ${JSON.stringify({ day, places })}\n\n`);
    },
  });
  const headers = { "content-type": "text/event-stream", "cache-control": "no-store" };
  return new Response(events.pipeThrough(new TextEncoderStream()), { headers });
});

/** The next nearest ones, with the best that was said of each. */
async function placesOf(ctx: Context, from: { lat: number; lng: number }, day: number) {
  const { data } = await ctx.db
    .rpc("nearby", { ...from, radius_m: 100_000, max_results: placesADay * day })
    .throwOnError();
  const near = data as readonly Near[];
  const todays = near.slice(placesADay * (day - 1));
  const { data: said } = await ctx.db
    .from("reviews")
    .select("place_id, body")
    .in(
      "place_id",
      todays.map(({ id }) => id),
    )
    .order("rating", { ascending: false })
    .overrideTypes<{ place_id: number; body: string }[], { merge: false }>()
    .throwOnError();
  return todays.map(({ id, name, distance_m }) => ({
    name,
    km: Math.round(distance_m / 100) / 10,
    said: said.find(({ place_id }) => place_id === id)?.body ?? null,
  }));
}

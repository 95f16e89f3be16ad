import { serve } from "@mainstay/functions";
import { type Observed, patience, weatherUrl } from "./_shared/weather.ts";

/** How long an answer counts as fresh, and for how long after that it is better than none. In ms. */
const freshMs = 600_000;
const staleMs = 86_400_000;

/**
 * `GET /functions/v1/weather?place=2267057`: the weather there now. The service is asked once in ten minutes, however many look, on however many nodes;
 * while it fails they get what it said last, and are told when that was.
 */
serve({ timeoutMs: 10_000 }, async (request, ctx) => {
  const id = Number(new URL(request.url).searchParams.get("place"));
  if (!Number.isSafeInteger(id) || id <= 0) return Response.json({ message: "Which place?" }, { status: 400 });
  const { data: place } = await ctx.db
    .from("places")
    .select("name, lat, lng")
    .eq("id", id)
    .maybeSingle()
    .throwOnError();
  if (place === null) return Response.json({ message: "There is no such place." }, { status: 404 });
  const url = weatherUrl(ctx, [place]);
  if (url === null) return Response.json({ message: "No weather service is set." }, { status: 503 });
  const cacheMs = Number(ctx.secrets.ROAM_WEATHER_FRESH_MS ?? freshMs);
  try {
    const answer = await ctx.http.request(url, { ...patience, cacheMs, staleIfErrorMs: staleMs });
    if (answer.status === 200) {
      const [now] = answer.json<Observed>().observations;
      return Response.json({ place: place.name, ...now, source: answer.source, asOf: answer.fetchedAt.toISOString() });
    }
    ctx.log.warn("the weather service fails", { status: answer.status });
  } catch (error) {
    ctx.log.warn("the weather service cannot be asked", { reason: (error as { code?: string }).code ?? String(error) });
  }
  return Response.json(
    { message: "Nobody knows the weather just now." },
    { status: 503, headers: { "retry-after": "60" } },
  );
});

import type { Context, HttpOptions } from "@mainstay/functions";

/** What the weather service says of a place: see `weather/service.ts` of the example, which stands for one. */
export interface Observation {
  readonly sky: string;
  readonly temperature_c: number;
  /** ISO 8601. */
  readonly observed_at: string;
}

export interface Point {
  readonly lat: number;
  readonly lng: number;
}

/** Where the service answers for these points; `null` where no service is set. */
export function weatherUrl({ secrets }: Pick<Context, "secrets">, points: readonly Point[]): URL | null {
  const { ROAM_WEATHER_URL: service } = secrets;
  if (service === undefined) return null;
  const url = new URL("/v1/now", service);
  for (const { lat, lng } of points) url.searchParams.append("at", `${lat},${lng}`);
  return url;
}

/** What it answers for each point, in their order. */
export interface Observed {
  readonly observations: readonly Observation[];
}

/** Nobody who looks at a screen waits longer for the weather. */
export const patience: HttpOptions = { timeoutMs: 2_000, retries: 1 };

import { type Mood, openWeatherService } from "../weather/service.ts";

/** The weather service, wherever it runs. */
export interface Weather {
  setMood(mood: Mood): Promise<void>;
  stop(): Promise<void>;
}

/** The one that runs (`node weather.ts`), or one of our own for as long as the story takes. */
export async function findWeather(url: string): Promise<Weather> {
  const mood = (init: RequestInit = {}) =>
    fetch(new URL("/mood", url), { ...init, signal: AbortSignal.timeout(5_000) });
  const isThere = await mood().then(
    ({ ok }) => ok,
    () => false,
  );
  const own = isThere ? null : await openWeatherService(Number(new URL(url).port));
  return {
    async setMood(wish) {
      const answer = await mood({ method: "PUT", body: wish });
      if (!answer.ok) throw new Error(`the weather service should change its mood, but: ${await answer.text()}`);
    },
    stop: async () => own?.stop(),
  };
}

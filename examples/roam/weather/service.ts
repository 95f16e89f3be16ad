import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";

/** What such services do now and then. `hanging` takes requests and says nothing; `cut` ends in the middle of the answer. */
export const moods = ["fine", "failing", "busy", "hanging", "cut"] as const;
export type Mood = (typeof moods)[number];

const isMood = (text: string): text is Mood => (moods as readonly string[]).includes(text);

/** Stands for the service that publishes the weather. */
export interface WeatherService {
  readonly url: string;
  /** How it is; `PUT /mood` with one of the words changes it. */
  mood: Mood;
  /** How often it was asked for the weather, answered or not. */
  readonly asked: number;
  stop(): Promise<void>;
}

const mostPoints = 100;
const skies = ["clear", "a few clouds", "overcast", "showers", "fog"];

/** @param port 0 takes any free one. @throws Error EADDRINUSE when another process has it */
export async function openWeatherService(port: number): Promise<WeatherService> {
  let mood: Mood = "fine";
  let asked = 0;
  const server = createServer(async (request, response) => {
    const { pathname, searchParams } = new URL(request.url ?? "/", "http://localhost");
    if (pathname === "/mood") return answerMood(request, response);
    if (pathname !== "/v1/now") return void response.writeHead(404).end();
    asked += 1;
    if (mood === "hanging") return;
    if (mood === "failing") return void response.writeHead(500).end("The thermometer is broken.");
    if (mood === "busy") return void response.writeHead(429, { "Retry-After": "1" }).end("Not so often, please.");
    const points = searchParams.getAll("at").map((at) => at.split(",").map(Number));
    if (points.length === 0 || points.length > mostPoints || points.flat().some(Number.isNaN)) {
      return void response.writeHead(400).end(`1 to ${mostPoints} points: at=38.7,-9.1`);
    }
    const body = JSON.stringify({ observations: points.map(([lat = 0, lng = 0]) => observe(lat, lng, new Date())) });
    response.writeHead(200, { "Content-Type": "application/json", "Content-Length": Buffer.byteLength(body) });
    if (mood === "cut") return void response.write(body.slice(0, 20), () => response.destroy());
    response.end(body);
  });
  async function answerMood(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const wish = request.method === "PUT" ? await text(request) : mood;
    if (!isMood(wish)) return void response.writeHead(400).end(`One of ${moods.join(", ")}.`);
    mood = wish;
    response.writeHead(200, { "Content-Type": "text/plain" }).end(mood);
  }
  await new Promise<void>((resolve, reject) => server.once("error", reject).listen(port, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    get mood() {
      return mood;
    },
    set mood(wish) {
      mood = wish;
    },
    get asked() {
      return asked;
    },
    async stop() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** Made up, but not at random: the same place has the same weather for a minute, and the poles are cold. */
function observe(lat: number, lng: number, now: Date) {
  const minute = Math.floor(now.getTime() / 60_000);
  const warmth = 30 - Math.abs(lat) / 2 + 4 * Math.sin(lng + minute / 60);
  return {
    sky: skies[Math.abs(Math.round(lat + lng + minute / 30)) % skies.length],
    temperature_c: Math.round(warmth * 10) / 10,
    observed_at: new Date(minute * 60_000).toISOString(),
  };
}

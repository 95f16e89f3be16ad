import { randomUUID } from "node:crypto";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { readSettings, type Values } from "../../../../kernel/settings.ts";
import type { Json } from "../../../../platform/jobs/types.ts";
import { createGuard } from "../../../../platform/outbound/index.ts";
import type { Database } from "../../../../platform/postgres/database.ts";
import type { Invocation } from "../../types.ts";
import { createHttpClient } from "./index.ts";
import { httpClientSettings } from "./settings.ts";

/** A service that publishes weather, and has the faults of such services. */
export interface Weather {
  readonly url: string;
  /** How each request is answered from now on. */
  answer: (request: IncomingMessage, response: ServerResponse, count: number) => void;
  /** What was asked, in order. */
  readonly asked: IncomingMessage[];
  stop(): Promise<void>;
}

export async function openWeather(answer: Weather["answer"] = sunny): Promise<Weather> {
  const asked: IncomingMessage[] = [];
  const server = createServer((request, response) => {
    asked.push(request);
    weather.answer(request, response, asked.length);
  });
  await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening));
  const weather: Weather = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    answer,
    asked,
    stop() {
      server.closeAllConnections();
      return new Promise((closed) => server.close(() => closed()));
    },
  };
  return weather;
}

/** Every answer is another, to see which one it was. */
export const sunny: Weather["answer"] = (_, response, count) => {
  response.writeHead(200, { "Content-Type": "application/json" }).end(JSON.stringify({ sky: "clear", count }));
};

export const failing =
  (status: number, headers: Record<string, string> = {}): Weather["answer"] =>
  (_, response) => {
    response.writeHead(status, headers).end("no weather");
  };

export interface TestAnswer {
  readonly status: number;
  readonly body: string;
  readonly source: "network" | "cache" | "stale";
  readonly headers: readonly string[];
}

export interface TestClient {
  ask(url: string, options?: Json, signal?: AbortSignal): Promise<TestAnswer>;
  close(): Promise<void>;
}

/** What is between a function and the services it asks, on a node of its own. */
export function openClient(
  db: Pick<Database, "query" | "execute">,
  settings: Partial<Values<typeof httpClientSettings>> = {},
  allowed: readonly string[] = ["127.0.0.1"],
): TestClient {
  const { services, close } = createHttpClient({
    db,
    guard: createGuard(allowed),
    nodeId: randomUUID(),
    settings: { ...readSettings(httpClientSettings, { env: {} }).values, functionsHttpRetryFirstMs: 5, ...settings },
  });
  return {
    async ask(url, options = {}, signal = new AbortController().signal) {
      const answer = await services["http.request"]!([url, options], { signal } as Invocation);
      const given = answer as unknown as TestAnswer;
      return { ...given, body: Buffer.from(given.body, "base64").toString() };
    },
    close,
  };
}

import { randomUUID } from "node:crypto";
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type BootedApp, type BootOptions, boot } from "@mainstay/testing";
import { createClient, type SupabaseClient } from "@supabase/supabase-js";
import { vi } from "vitest";
import config from "./mainstay.config.ts";
import { openWeatherService, type WeatherService } from "./weather/service.ts";

const here = import.meta.dirname;
export const lisbon = 2267057;

/** Roam with its functions, beside a weather service of its own. */
export interface Roam extends BootedApp {
  readonly weather: WeatherService;
  /** What the payment provider signs with. */
  readonly paymentSecret: string;
  /** What commands and the demo are told by. */
  readonly env: Readonly<Record<string, string>>;
  anonymous(): SupabaseClient;
  newcomer(): Promise<Person>;
}

export interface Person {
  readonly id: string;
  readonly email: string;
  readonly roam: SupabaseClient;
}

/** The migrations, as one text. */
export const schema = (): string =>
  [
    'set search_path to "$user", public, extensions;',
    ...readdirSync(join(here, "migrations"))
      .sort()
      .map((name) => readFileSync(join(here, "migrations", name), "utf8")),
  ].join("\n");

/** A copy of the project's functions: a server keeps what it builds beside them. Resolves when they follow the log. */
export async function openRoam({ sql = "", env = {} }: Pick<BootOptions, "sql" | "env"> = {}): Promise<Roam> {
  const projectDir = mkdtempSync(join(tmpdir(), "roam-"));
  cpSync(join(here, "functions"), join(projectDir, "functions"), { recursive: true });
  symlinkSync(join(here, "../../node_modules"), join(projectDir, "node_modules"));
  const weather = await openWeatherService(0);
  const paymentSecret = `whsec_${randomUUID()}`;
  const given = { ROAM_PAYMENT_SECRET: paymentSecret, ROAM_WEATHER_URL: weather.url, ...env };
  const clear = async (): Promise<void> => {
    await weather.stop();
    rmSync(projectDir, { recursive: true, force: true });
  };
  const app = await boot({
    projectDir,
    sql: `${schema()}\n${sql}`,
    env: given,
    settings: {
      auth: { ...config.auth, rateLimits: false, inbox: "on", environment: "test" },
      functions: {
        ...config.functions,
        functionsAllowedHosts: [new URL(weather.url).host],
        functionsHttpRetryFirstMs: 5,
        functionsHttpBreakerFirstMs: 5,
        functionsHttpBreakerMaxMs: 10,
      },
    },
  }).catch(async (error: unknown) => {
    await clear();
    throw error;
  });
  await vi.waitFor(
    async () => {
      const [row] = await app.sql("select from mainstay.log_cursors where name = 'functions'");
      if (row === undefined) throw new Error("functions do not follow the log yet");
    },
    { timeout: 60_000, interval: 50 },
  );
  const stopApp = app.stop.bind(app);
  const anonymous = () =>
    createClient(app.url, app.anonKey, { auth: { persistSession: false, autoRefreshToken: false } });
  return Object.assign(app, {
    weather,
    paymentSecret,
    env: given,
    anonymous,
    async newcomer() {
      const roam = anonymous();
      const email = `${randomUUID()}@roam.example`;
      const { data, error } = await roam.auth.signUp({ email, password: randomUUID() });
      if (error) throw error;
      return { id: data.user!.id, email, roam };
    },
    async stop() {
      await stopApp();
      await clear();
    },
  });
}

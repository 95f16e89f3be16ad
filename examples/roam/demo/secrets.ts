import { randomUUID } from "node:crypto";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseEnv } from "node:util";
import { tell } from "./say.ts";
import { projectDir } from "./server.ts";

/** What Roam shares with the services it works with. */
export interface Secrets {
  readonly paymentSecret: string;
  readonly weatherUrl: string;
}

/** The environment, then `functions/.env`, which is written at the first time: it is nobody's to commit. A server in development sees it at once. */
export function findSecrets(): Secrets {
  const file = join(projectDir, "functions/.env");
  const kept = existsSync(file) ? readFileSync(file, "utf8") : "";
  const known = { ...parseEnv(kept), ...process.env };
  const { ROAM_PAYMENT_SECRET, ROAM_WEATHER_URL } = known;
  const paymentSecret = ROAM_PAYMENT_SECRET ?? `whsec_${randomUUID()}`;
  const weatherUrl = ROAM_WEATHER_URL ?? "http://127.0.0.1:54390";
  const missing = [
    ...(ROAM_PAYMENT_SECRET === undefined ? [`ROAM_PAYMENT_SECRET=${paymentSecret}`] : []),
    ...(ROAM_WEATHER_URL === undefined ? [`ROAM_WEATHER_URL=${weatherUrl}`] : []),
  ];
  if (missing.length > 0) {
    const before = kept === "" || kept.endsWith("\n") ? kept : `${kept}\n`;
    writeFileSync(file, `${before}${missing.join("\n")}\n`, { mode: 0o600 });
    tell("What functions share with the payment provider and the weather service is in functions/.env from now on.");
  }
  return { paymentSecret, weatherUrl };
}

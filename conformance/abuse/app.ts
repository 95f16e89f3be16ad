import { createHmac } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { type BootedApp, type BootOptions, boot, clusterUrl } from "@mainstay/testing";
import { openRelay, type Relay } from "./relay.ts";

export const jwtSecret = "abuse-secret-of-at-least-thirty-two-bytes-000000";

/** SQL of this folder, or of one beside it. */
export const readSql = (...path: string[]): string => readFileSync(join(import.meta.dirname, ...path), "utf8");
/** The fixture of the dialect's own tests, with the canaries added. */
export const fixture = `${readSql("..", "supabase-js", "fixture.sql")}\n${readSql("canary.sql")}`;

export interface WatchedApp extends BootedApp {
  readonly relay: Relay;
}

/** Boots a server whose connections to PostgreSQL are watched. */
export async function startWatched(sql: string, settings: BootOptions["settings"] = {}): Promise<WatchedApp> {
  const direct = clusterUrl();
  const relay = await openRelay(direct);
  // `boot` makes its database on the cluster this names, and so its URL leads through the relay.
  process.env.MAINSTAY_TEST_CLUSTER = relay.url;
  try {
    const app = await boot({
      sql,
      settings: {
        ...settings,
        identity: { jwtSecret, jwtAlgorithm: "HS256", ...settings.identity },
        auth: { rateLimits: false, ...settings.auth },
        data: { schemas: ["public", "extra"], ...settings.data },
      },
    });
    if (relay.connections === 0)
      throw new Error("The API did not connect as `authenticator`: the relay would see nothing.");
    return {
      ...app,
      relay,
      async stop() {
        await app.stop();
        process.env.MAINSTAY_TEST_CLUSTER = direct;
        await relay.stop();
      },
    };
  } catch (error) {
    process.env.MAINSTAY_TEST_CLUSTER = direct;
    await relay.stop();
    throw error;
  }
}

/** Signs an HS256 token with the server's secret (RFC 7515 §3.1). Lives an hour unless `claims` say otherwise. */
export function mint(claims: Readonly<Record<string, unknown>>, secret = jwtSecret): string {
  const now = Math.floor(Date.now() / 1000);
  const encode = (value: unknown) => Buffer.from(JSON.stringify(value)).toString("base64url");
  const signed = `${encode({ alg: "HS256", typ: "JWT" })}.${encode({ iat: now, exp: now + 3600, ...claims })}`;
  return `${signed}.${createHmac("sha256", secret).update(signed).digest("base64url")}`;
}

/** A token of a signed-in user. */
export const userToken = (sub: string): string => mint({ sub, role: "authenticated", aud: "authenticated" });
export const ann = userToken("6f0c8d2e-0000-4000-8000-00000000000a");
export const bob = userToken("6f0c8d2e-0000-4000-8000-00000000000b");

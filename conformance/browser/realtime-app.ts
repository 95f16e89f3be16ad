import { createHmac, randomUUID } from "node:crypto";
import { type BootedApp, boot } from "@mainstay/testing";
import { openSite, type Site } from "./site.ts";

const jwtSecret = "conformance-secret-of-at-least-thirty-two-bytes";

/** Notes are their owners'. Everybody with an account hears what is said in `family…`; in `family` itself they may speak, too. */
const schema = `
  create table public.notes (
    id integer generated always as identity primary key,
    owner_id uuid not null,
    body text not null,
    tags text[] not null default '{}',
    details jsonb
  );
  alter table public.notes enable row level security;
  create policy "own" on public.notes for all to authenticated using (owner_id = (select auth.uid()));
  alter publication supabase_realtime add table public.notes;
  create policy "hear" on realtime.messages for select to authenticated using (realtime.topic() like 'family%');
  create policy "speak" on realtime.messages for insert to authenticated with check (realtime.topic() = 'family');`;

/** A server, and an app's website beside it. */
export interface RealtimeApp extends BootedApp {
  readonly site: Site;
  /** A token of somebody, as the server's own, that lives this long. */
  tokenOf(subject: string, seconds: number): string;
}

export async function bootWithSite(): Promise<RealtimeApp> {
  const site = await openSite();
  const app = await boot({
    sql: schema,
    settings: {
      auth: { rateLimits: false },
      identity: { jwtSecret, jwtAlgorithm: "HS256", jwtLeewaySeconds: 0 },
      // Browsers are asked so often what has arrived that they are asked while a page stands still, too.
      realtime: { realtimeResumeConfirmMs: 50 },
    },
  }).catch(async (error: unknown) => {
    await site.stop();
    throw error;
  });
  site.connect(app);
  return {
    ...app,
    site,
    tokenOf(sub, seconds) {
      const now = Math.floor(Date.now() / 1_000);
      const claims = {
        sub,
        role: "authenticated",
        aud: "authenticated",
        iat: now,
        exp: now + seconds,
        jti: randomUUID(),
      };
      const encode = (value: unknown) => Buffer.from(JSON.stringify(value)).toString("base64url");
      const signed = `${encode({ alg: "HS256", typ: "JWT" })}.${encode(claims)}`;
      return `${signed}.${createHmac("sha256", jwtSecret).update(signed).digest("base64url")}`;
    },
    async stop() {
      await app.stop();
      await site.stop();
    },
  };
}

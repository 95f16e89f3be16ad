import { type BootedApp, boot } from "@mainstay/testing";
import { afterAll, beforeAll, expect, test, vi } from "vitest";

let app: BootedApp;
beforeAll(async () => {
  app = await boot();
});
afterAll(() => app.stop());

// Each costs the machine 2 to 6 MB. One is the API's, the other hears of changes and looks for what nobody tells of.
test("a server that nobody asks anything comes down to two connections, and is still told of changes", async () => {
  // A look every few seconds over the pool would keep a connection of it for ever.
  await vi.waitFor(
    async () => {
      const connections = await app.sql(
        "select from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()",
      );
      expect(connections).toHaveLength(2);
    },
    { timeout: 50_000, interval: 100 },
  );
  await app.sql("create table public.afterwards (id int); grant select on public.afterwards to anon");
  await vi.waitFor(async () => {
    const answer = await fetch(`${app.url}/rest/v1/afterwards`, { headers: { apikey: app.anonKey } });
    expect(answer.status).toBe(200);
  }, 30_000);
});

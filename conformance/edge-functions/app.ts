import { randomUUID } from "node:crypto";
import { cpSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type BootedApp, boot } from "@mainstay/testing";
import { createClient, type SupabaseClient } from "@supabase/supabase-js";
import { expect } from "vitest";

/** What the project's owner has in a file that is never committed. */
const secrets = "GREETING=Hello\nSTRIPE_WEBHOOK_SIGNING_SECRET=whsec_of_the_project\n";

/** A server on the project in `project/`, as it would be on its own machine: its migrations, its functions, its packages. */
export interface EdgeApp extends BootedApp {
  /** A client of an app: nothing kept, nothing refreshed by itself. */
  client(key?: string): SupabaseClient;
  /** One of somebody who has just signed up. */
  signedUp(): Promise<{ readonly client: SupabaseClient; readonly id: string; readonly email: string }>;
}

export async function startEdgeApp(): Promise<EdgeApp> {
  const projectDir = mkdtempSync(join(tmpdir(), "mainstay-edge-"));
  const from = join(import.meta.dirname, "project");
  cpSync(join(from, "supabase"), join(projectDir, "supabase"), { recursive: true });
  writeFileSync(join(projectDir, "supabase", "functions", ".env"), secrets);
  cpSync(join(from, "packages"), join(projectDir, "node_modules"), { recursive: true });
  const remove = () => rmSync(projectDir, { recursive: true, force: true });
  const app = await boot({ projectDir, settings: { auth: { rateLimits: false, mailerAutoconfirm: true } } }).catch(
    (error: unknown) => {
      remove();
      throw error;
    },
  );
  const client = (key = app.anonKey) =>
    createClient(app.url, key, { auth: { persistSession: false, autoRefreshToken: false } });
  return {
    ...app,
    client,
    async signedUp() {
      const made = client();
      const email = `${randomUUID()}@edge.example`;
      const { data, error } = await made.auth.signUp({ email, password: "correct horse battery" });
      expect(error).toBeNull();
      return { client: made, id: data.user!.id, email };
    },
    async stop() {
      await app.stop();
      remove();
    },
  };
}

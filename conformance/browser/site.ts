import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { createRequire } from "node:module";
import type { AddressInfo } from "node:net";
import type { SupabaseClient } from "@supabase/supabase-js";
import type { JSHandle, Page } from "playwright-core";

/** supabase-js as published for a `<script>`, untouched. */
const bundle = readFileSync(createRequire(import.meta.url).resolve("@supabase/supabase-js/dist/umd/supabase.js"));

/** An app's website, on a port of its own at `localhost`: browsers call that a secure context, and no address beside it. */
export interface Site {
  readonly origin: string;
  stop(): Promise<void>;
}

/** Serves one page at every path, as single-page apps do; it has supabase-js and no more. */
export async function openSite(): Promise<Site> {
  const server = createServer((request, response) => {
    const isScript = request.url === "/supabase.js";
    response.setHeader("Content-Type", isScript ? "text/javascript" : "text/html; charset=utf-8");
    response.end(isScript ? bundle : "<!doctype html><title>App</title><script src='/supabase.js'></script>");
  });
  await new Promise<void>((resolve) => server.listen(0, "localhost", resolve));
  return {
    origin: `http://localhost:${(server.address() as AddressInfo).port}`,
    async stop() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/**
 * Opens `url` of a site and makes a client in its page, as the page's own script would. What is done with it runs there:
 * `client.evaluate((client, given) => client.auth.…, given)`; nothing of the test's file can be named inside.
 */
export async function openClient(
  page: Page,
  url: string,
  server: { readonly url: string; readonly anonKey: string },
): Promise<JSHandle<SupabaseClient>> {
  await page.goto(url);
  return page.evaluateHandle(
    ({ url, anonKey }) => {
      const { supabase } = globalThis as unknown as { supabase: typeof import("@supabase/supabase-js") };
      return supabase.createClient(url, anonKey, { auth: { experimental: { passkey: true } } });
    },
    { url: server.url, anonKey: server.anonKey },
  );
}

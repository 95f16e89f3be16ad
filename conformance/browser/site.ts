import { readdirSync, readFileSync } from "node:fs";
import { createServer } from "node:http";
import { createRequire } from "node:module";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import type { SupabaseClient } from "@supabase/supabase-js";
import type { JSHandle, Page } from "playwright-core";

/** Of a booted server, what an app of it is built with. */
export interface Project {
  readonly url: string;
  readonly anonKey: string;
}

/** A library as published for a `<script>`, untouched. */
const bundle = (path: string): Buffer => readFileSync(createRequire(import.meta.url).resolve(path));
const folder = join(import.meta.dirname, "pages");
const pages: ReadonlyMap<string, Buffer> = new Map([
  ...readdirSync(folder).map((name) => [name, readFileSync(join(folder, name))] as const),
  ["supabase.js", bundle("@supabase/supabase-js/dist/umd/supabase.js")],
  ["tus.js", bundle("tus-js-client/dist/tus.min.js")],
]);
const emptyPage = "<!doctype html><title>App</title><script src='/supabase.js'></script>";

/** An app's website, on a port of its own at `localhost`: browsers call that a secure context, and no address beside it. */
export interface Site {
  readonly origin: string;
  /** Says which server its pages are for. They are not served before. */
  connect(project: Project): void;
  stop(): Promise<void>;
}

/** Serves `pages/` in any folder, so that `/pkce/account.html` is one of them; elsewhere a page with supabase-js and no more. */
export async function openSite(): Promise<Site> {
  let project: string | null = null;
  const server = createServer((request, response) => {
    const name = new URL(request.url ?? "/", "http://site").pathname.split("/").at(-1) ?? "";
    const body = name === "project.js" ? project : (pages.get(name) ?? emptyPage);
    response.statusCode = body === null ? 404 : 200;
    response.setHeader("Content-Type", name.endsWith(".js") ? "text/javascript" : "text/html; charset=utf-8");
    response.end(body);
  });
  await new Promise<void>((resolve) => server.listen(0, "localhost", resolve));
  return {
    origin: `http://localhost:${(server.address() as AddressInfo).port}`,
    connect({ url, anonKey }) {
      project = `globalThis.project = ${JSON.stringify({ url, anonKey })};`;
    },
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
export async function openClient(page: Page, url: string, server: Project): Promise<JSHandle<SupabaseClient>> {
  await page.goto(url);
  return page.evaluateHandle(
    ({ url, anonKey }) => {
      const { supabase } = globalThis as unknown as { supabase: typeof import("@supabase/supabase-js") };
      return supabase.createClient(url, anonKey, { auth: { experimental: { passkey: true } } });
    },
    { url: server.url, anonKey: server.anonKey },
  );
}

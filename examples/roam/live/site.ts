import { readdirSync, readFileSync } from "node:fs";
import { createServer } from "node:http";
import { createRequire } from "node:module";
import type { AddressInfo } from "node:net";
import { extname, join } from "node:path";
import type { Server } from "../demo/server.ts";

const types: Readonly<Record<string, string>> = {
  ".html": "text/html; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
};
const folder = join(import.meta.dirname, "page");
/** A library as published for a `<script>`: nothing is fetched from elsewhere, so the page works without a network. */
const bundle = (path: string): Buffer => readFileSync(createRequire(import.meta.url).resolve(path));

export interface LiveSite {
  readonly url: string;
  stop(): Promise<void>;
}

/**
 * Serves `page/` at `localhost`, for this one server.
 * @param port 0 takes any free one
 * @throws Error EADDRINUSE when another process has the port
 */
export async function openLiveSite(server: Server, port: number): Promise<LiveSite> {
  const files: ReadonlyMap<string, Buffer | string> = new Map<string, Buffer | string>([
    ...readdirSync(folder).map((name) => [`/${name}`, readFileSync(join(folder, name))] as const),
    ["/supabase.js", bundle("@supabase/supabase-js/dist/umd/supabase.js")],
    ["/tus.js", bundle("tus-js-client/dist/tus.min.js")],
    ["/project.js", `export const project = ${JSON.stringify(server)};\n`],
  ]);
  const http = createServer((request, response) => {
    const { pathname } = new URL(request.url ?? "/", "http://localhost");
    const name = pathname === "/" ? "/index.html" : pathname;
    const file = files.get(name);
    if (file === undefined || request.method !== "GET") return void response.writeHead(404).end();
    response.writeHead(200, { "Content-Type": types[extname(name)] ?? "", "Cache-Control": "no-store" }).end(file);
  });
  await new Promise<void>((resolve, reject) => http.once("error", reject).listen(port, "localhost", resolve));
  return {
    url: `http://localhost:${(http.address() as AddressInfo).port}/`,
    async stop() {
      http.closeAllConnections();
      await new Promise((resolve) => http.close(resolve));
    },
  };
}

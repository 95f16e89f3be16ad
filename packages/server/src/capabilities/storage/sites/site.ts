import type { Call, Reply } from "../../../kernel/route.ts";
import { problems } from "./problems.ts";
import { type SiteCall, sendFile } from "./send-file.ts";
import { readSitePath, type SitePath } from "./site-path.ts";
import type { SiteFile, SiteSource } from "./types.ts";

/** A web site: where its files are, and what it answers where there is no page. */
export interface Site {
  readonly source: SiteSource;
  readonly fallback: "not-found" | "index";
}

interface Found {
  readonly file: SiteFile;
  readonly path: string;
}

/**
 * Answers a request for what is at `encodedPath`, the URL's path below the site's mount. Folders are their `index.html`; a page may be named
 * without its `.html`. @throws Problem `storage/no-such-page`
 */
export async function answer(
  call: SiteCall & Pick<Call, "path" | "query">,
  encodedPath: string,
  site: Site,
): Promise<Reply> {
  const asked = readSitePath(encodedPath);
  if (asked === null) return sendNotFound(call, site);
  // The links of a page are relative to its address, so that a folder's has to end with a slash. Below a mount, the site itself too.
  if (encodedPath === "") return moved(call);
  const found = await findPage(site.source, asked);
  if (found !== null) return sendFile(call, found.path, found.file, site.source);
  if (!asked.isFolder && (await isThere(site.source, join(asked.path, "index.html")))) return moved(call);
  return sendFallback(call, asked, site);
}

async function findPage(source: SiteSource, { path, isFolder }: SitePath): Promise<Found | null> {
  const candidates = isFolder ? [join(path, "index.html")] : hasEnding(path) ? [path] : [path, `${path}.html`];
  for (const candidate of candidates) {
    const file = await source.find(candidate);
    if (file !== null) return { file, path: candidate };
  }
  return null;
}

/** An app of a single page reads the address itself; what asks for a picture or a script wants to know that it is missing. */
async function sendFallback(call: SiteCall, { path }: SitePath, site: Site): Promise<Reply> {
  const wantsPage = !hasEnding(path) && /text\/html|\*\/\*/.test(call.headers.accept ?? "*/*");
  if (site.fallback === "index" && wantsPage) {
    const file = await site.source.find("index.html");
    if (file !== null) return sendFile(call, "index.html", file, site.source);
  }
  return sendNotFound(call, site);
}

async function sendNotFound(call: SiteCall, { source }: Site): Promise<Reply> {
  const file = await source.find("404.html");
  if (file === null) throw problems.noSuchPage();
  // Without conditions and ranges: those are about what was asked for, and that is not there.
  const reply = await sendFile({ method: call.method, signal: call.signal, headers: {} }, "404.html", file, source);
  return { ...reply, status: 404 };
}

/** The path was read and has no empty segment, so that `//` cannot lead to another host (threat A15). */
function moved({ path, query }: Pick<Call, "path" | "query">): Reply {
  const place = query === "" ? `${path}/` : `${path}/?${query}`;
  return { status: 301, headers: ["Location", place, "Cache-Control", "no-cache"], body: null };
}

async function isThere(source: SiteSource, path: string): Promise<boolean> {
  const file = await source.find(path);
  await file?.close();
  return file !== null;
}

const join = (path: string, name: string): string => (path === "" ? name : `${path}/${name}`);
const hasEnding = (path: string): boolean => path.slice(path.lastIndexOf("/") + 1).includes(".");

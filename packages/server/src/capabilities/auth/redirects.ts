import { SettingError } from "../../kernel/settings.ts";
import type { AuthSettings } from "./context.ts";
import { type Glob, isGlobMatch, parseGlob } from "./glob.ts";

/** Longest URL looked at, in characters. Nothing a phone or browser follows is longer. */
const maxLength = 2_048;

/** What runs or opens something by itself instead of leading somewhere. Never followed, whatever the list says. */
const forbiddenSchemes = new Set(["javascript:", "data:", "vbscript:", "blob:", "file:", "about:", "view-source:"]);
const webSchemes = new Set(["http:", "https:"]);

/**
 * One entry of the allow list, taken apart before it is compared: a glob never reaches from the host into the path, nor
 * from one host into another's.
 */
interface Pattern {
  /** With its colon, lower case. */
  readonly scheme: string;
  /** `null` for `scheme:/path`. */
  readonly host: Glob | null;
  /** Four numbers with wildcards among them: compares with IPv4 addresses only, because `10.0.evil.com` is a name. */
  readonly isIpv4: boolean;
  /** `*` for any. */
  readonly port: string;
  readonly path: Glob;
  /** `null` when any query will do. */
  readonly query: string | null;
}

/**
 * The first of `candidates` a person may be sent to, else the site URL (threat A15). Allowed are the site's own origin,
 * this machine by IP address on any port (RFC 8252 §7.3), and what the list has. It is given back as it was judged,
 * so that a browser cannot read it another way.
 */
export function allowedRedirect(
  settings: Pick<AuthSettings, "siteUrl" | "redirectAllowList">,
  ...candidates: readonly (string | null | undefined)[]
): string {
  const site = parseUrl(settings.siteUrl);
  const patterns = patternsOf(settings.redirectAllowList);
  for (const candidate of candidates) {
    const url = candidate ? parseUrl(candidate) : null;
    if (url === null || candidate === null || candidate === undefined) continue;
    if (isSameOrigin(url, site) || isLoopback(url) || patterns.some((pattern) => isMatch(pattern, url))) {
      // The bare host with and without `/` is one URL; apps compare with what they sent.
      return url.href === `${candidate}/` ? candidate : url.href;
    }
  }
  return settings.siteUrl;
}

/** @throws SettingError for a site URL that is none, and for an entry of the list that could never match, or would match any host */
export function assertRedirectSettings(settings: Pick<AuthSettings, "siteUrl" | "redirectAllowList">): void {
  if (parseUrl(settings.siteUrl) === null) {
    throw new SettingError(`siteUrl must be an absolute URL, not ${JSON.stringify(settings.siteUrl)}.`);
  }
  patternsOf(settings.redirectAllowList);
}

/** `null` for whatever two readers could take for two different things. */
function parseUrl(text: string): URL | null {
  if (text.length > maxLength || !/^[A-Za-z][A-Za-z0-9+.-]*:[^\s\\\p{C}]+$/u.test(text)) return null;
  const url = URL.canParse(text) ? new URL(text) : null;
  if (url === null || forbiddenSchemes.has(url.protocol)) return null;
  if (url.username !== "" || url.password !== "" || /^[^/?#]*:\/\/[^/?#]*@/.test(text)) return null;
  // `https:evil.example` and `https:///evil.example` are read leniently by browsers only.
  if (webSchemes.has(url.protocol) && !/^https?:\/\/[^/]/i.test(text)) return null;
  return url;
}

function isSameOrigin(url: URL, site: URL | null): boolean {
  return site !== null && url.protocol === site.protocol && url.host === site.host && hasAuthority(url);
}

const isLoopback = (url: URL): boolean =>
  webSchemes.has(url.protocol) && (/^127\.\d+\.\d+\.\d+$/.test(url.hostname) || url.hostname === "[::1]");

function isMatch(pattern: Pattern, url: URL): boolean {
  if (pattern.scheme !== url.protocol) return false;
  if ((pattern.host === null) === hasAuthority(url)) return false;
  if (pattern.host !== null) {
    if (pattern.isIpv4 && !/^\d+\.\d+\.\d+\.\d+$/.test(url.hostname)) return false;
    if (!isGlobMatch(pattern.host, url.hostname)) return false;
    if (pattern.port !== "*" && pattern.port !== url.port) return false;
  }
  // What some servers take for a slash must not walk out of the path that is allowed.
  if (/%(?:2f|5c|00)/i.test(url.pathname)) return false;
  if (pattern.query !== null && pattern.query !== url.search.slice(1)) return false;
  return isGlobMatch(pattern.path, url.pathname === "" ? "/" : url.pathname);
}

const hasAuthority = (url: URL): boolean => url.href.startsWith(`${url.protocol}//`);

/** Parsed once per list: settings are values that never change. */
const parsed = new WeakMap<readonly string[], readonly Pattern[]>();

function patternsOf(entries: readonly string[]): readonly Pattern[] {
  let patterns = parsed.get(entries);
  if (patterns === undefined) {
    patterns = entries.flatMap((entry) => alternatives(entry).map((text) => parsePattern(text, entry)));
    parsed.set(entries, patterns);
  }
  return patterns;
}

const maxAlternatives = 64;

/** `{a,b}` written out. */
function alternatives(entry: string): readonly string[] {
  const open = [entry];
  const done: string[] = [];
  for (let text = open.pop(); text !== undefined; text = open.pop()) {
    const found = /^(.*?)\{([^{}]*)\}(.*)$/s.exec(text);
    if (found === null) done.push(text);
    else open.push(...found[2]!.split(",").map((choice) => `${found[1]}${choice}${found[3]}`));
    if (open.length + done.length > maxAlternatives) throw unusable(entry, "stands for too many");
  }
  return done;
}

const shape = /^([a-z][a-z0-9+.-]*):(?:\/\/([^/?#]*?)(?::(\d+|\*))?(?=[/?#]|$))?(.*)$/is;

function parsePattern(text: string, entry: string): Pattern {
  if (/[\s\\\p{C}]/u.test(text)) throw unusable(entry, "has spaces or backslashes");
  const found = shape.exec(text);
  if (found === null) throw unusable(entry, "does not begin with a scheme");
  const scheme = `${found[1]!.toLowerCase()}:`;
  if (forbiddenSchemes.has(scheme)) throw unusable(entry, "is of a scheme that leads nowhere");
  const isWeb = webSchemes.has(scheme);
  const [host, port = "", rest = ""] = [found[2], found[3], found[4]];
  if (isWeb && !host) throw unusable(entry, "names no host");
  if (host?.includes("@")) throw unusable(entry, "names a user");
  const isIpv4 = host?.includes("*") === true && /^(?:(?:\d+|\*)\.){3}(?:\d+|\*)$/.test(host);
  if (isWeb && host!.includes("*") && !isIpv4 && !/(?:^|\.)[^.*]+\.[^.*]+$/.test(host!)) {
    throw unusable(entry, "must end in a domain without wildcards");
  }
  if (/[?[\]]/.test(host ?? "") && !/^\[[0-9a-f:.]+\]$/i.test(host ?? "")) throw unusable(entry, "has no plain host");
  // An app's scheme is the app's: the host in it is a name like any part of the path, and `myapp://**` is all of it.
  const isWholeScheme = !isWeb && host === "**" && rest === "";
  const query = /\?(?=[\w.~-]+=)(.*)$/s.exec(rest);
  const path = (query === null ? rest : rest.slice(0, query.index)) || "/";
  if (path[0] !== "/") throw unusable(entry, "has no path that begins with a slash");
  return {
    scheme,
    host: host === undefined ? null : parseGlob(isWeb ? asciiHost(host, entry) : host, "."),
    isIpv4,
    port: isDefaultPort(scheme, port) ? "" : port,
    path: parseGlob(isWholeScheme ? "**" : path, "/"),
    query: query?.[1] ?? null,
  };
}

/** As a URL of that host says it: lower case, Punycode. Stars stand in as letters meanwhile. */
function asciiHost(host: string, entry: string): string {
  const text = `http://${host.replaceAll("*", "xn0star0")}/`;
  if (/^[0-9.*]+$/.test(host)) return host;
  if (!URL.canParse(text)) throw unusable(entry, "names no host");
  return new URL(text).hostname.replaceAll("xn0star0", "*");
}

const isDefaultPort = (scheme: string, port: string): boolean =>
  (scheme === "http:" && port === "80") || (scheme === "https:" && port === "443");

const unusable = (entry: string, why: string): SettingError =>
  new SettingError(`redirectAllowList: ${JSON.stringify(entry)} ${why}.`);

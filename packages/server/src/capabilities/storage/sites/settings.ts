import { flag, list, type Settings, text } from "../../../kernel/settings.ts";

/** Which web pages are served, from where, and as whose. */
export const sitesSettings = {
  storageSiteFolder: flag({
    env: ["MAINSTAY_STORAGE_SITE_FOLDER"],
    default: true,
    summary: "Whether the project's folder `site`, where there is one, is served at `/`.",
  }),
  storageSiteHosts: list({
    env: ["MAINSTAY_STORAGE_SITE_HOSTS"],
    default: [],
    summary:
      "Public buckets that are web sites, each on a host name of its own, as `files.example.com=bucket`. Nothing else is served on that name, so that pages people upload run in an origin where there is nothing to take.",
  }),
  storageTrustedSites: list({
    env: ["MAINSTAY_STORAGE_TRUSTED_SITES"],
    default: [],
    summary:
      "Public buckets that are web sites at `/site/BUCKET/`. Their pages run as this server's own origin: name only buckets that nobody but you writes to.",
  }),
  storageSiteFallback: text<"not-found" | "index">({
    env: ["MAINSTAY_STORAGE_SITE_FALLBACK"],
    default: "not-found",
    choices: ["not-found", "index"],
    summary:
      "What a site answers where it has no such page: its `404.html`, or for apps of a single page its `index.html`.",
  }),
} satisfies Settings;
